package detect

import (
	"slices"
	"sync"
)

// Entities returns what findings of the built-in rules may say that they are, sorted. The caller must not change it.
var Entities = sync.OnceValue(func() (all []string) {
	for _, t := range builtInTokens() {
		all = append(all, t.name)
	}
	for _, s := range structures() {
		all = append(all, s.entity)
	}
	for _, r := range slices.Concat(structureRules(), plainRules()) {
		all = append(all, r.Entity)
	}
	for _, f := range slices.Concat(westernForms(), europeanForms(), otherForms()) {
		all = append(all, f.entity)
	}
	for _, l := range labelTable() {
		all = append(all, l.entity)
	}
	for i := range grammar {
		all = append(all, grammar[i].entity)
	}
	all = append(all, "jailbreak", "obfuscated")
	slices.Sort(all)
	return slices.Compact(all)
})
