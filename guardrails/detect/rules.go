package detect

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// Rule describes one rule for people.
type Rule struct {
	Name, Entity string
	Kind         Kind
	Summary      string
	// Examples are found by the rule and Counterexamples are not. They are made up when asked for, always the same,
	// so that no file of the program holds anything that looks like a credential.
	Examples, Counterexamples []string
}

// Rules returns every rule that the engine knows, in order of name. It is slow: examples are drawn at random until
// their check digits are right.
func (e *Engine) Rules() []Rule {
	var all []Rule
	for i := range e.tokens {
		all = append(all, e.tokens[i].describe())
	}
	all = append(all, structureRules()...)
	all = append(all, carriedRules()...)
	all = append(all, e.forms.describe()...)
	all = append(all, plainRules()...)
	for i := range e.users {
		u := &e.users[i]
		all = append(all, Rule{Name: u.Name, Entity: u.Entity, Kind: u.Kind, Summary: "a rule of the operator's", Examples: u.Examples, Counterexamples: u.Counterexamples})
	}
	for i, f := range e.known {
		if !slices.ContainsFunc(e.known[:i], func(x knownForm) bool { return x.of.Name == f.of.Name }) {
			all = append(all, Rule{Name: knownRule, Entity: f.of.Name, Kind: Secret, Summary: "a value that is known to be a secret, plain or encoded"})
		}
	}
	slices.SortStableFunc(all, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// dice returns the source of a rule's examples: the same for the same name.
func dice(name string) *rand.Rand {
	seed := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		seed = (seed ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // examples are to be the same each time, not secret
}

func (r *tokenRule) describe() Rule {
	d := dice(r.name)
	out := Rule{Name: r.name, Entity: r.name, Kind: Secret, Summary: "a token that its own first bytes give away"}
	for len(out.Examples) < 3 {
		s := drawPattern(r.pattern, d)
		if r.floor > 0 && entropy([]byte(s))*10 < float64(r.floor) {
			continue
		}
		out.Examples = append(out.Examples, "set it to "+s+" today")
		if len(out.Counterexamples) < 3 {
			cut := s[:min(len(s)/3, 12)]
			out.Counterexamples = append(out.Counterexamples, "it begins with "+cut+" and so on")
		}
	}
	return out
}

// describe draws numbers of every form, with the label that they need and without the check digit that they need.
func (f *forms) describe() []Rule {
	byEntity := map[string]*Rule{}
	var order []string
	for n := range f.byLength {
		for i := range f.byLength[n] {
			c := &f.byLength[n][i]
			r := byEntity[c.entity]
			if r == nil {
				r = &Rule{Name: "pii-" + c.entity, Entity: c.entity, Kind: PII, Summary: "a number by its shape, its check digit and the words around it"}
				byEntity[c.entity] = r
				order = append(order, c.entity)
			}
			c.examples(r, dice(c.entity+c.shape))
		}
	}
	var all []Rule
	for _, entity := range order {
		all = append(all, *byEntity[entity])
	}
	return all
}

func (c *compiledForm) examples(r *Rule, d *rand.Rand) {
	label := labelOf(c.entity)
	for range 3 {
		n := drawForm(&c.form, d, true)
		r.Examples = append(r.Examples, label+": "+n)
	}
	r.Counterexamples = append(r.Counterexamples, "part no. Z"+drawForm(&c.form, d, true)+"77")
	if c.check != nil {
		r.Counterexamples = append(r.Counterexamples, "count "+drawForm(&c.form, d, false))
	} else {
		r.Counterexamples = append(r.Counterexamples, "count "+drawForm(&c.form, d, true)+" of them")
	}
}

func labelOf(entity string) string {
	for _, l := range labelTable() {
		if l.entity == entity {
			first, _, _ := strings.Cut(l.phrases, ",")
			return first
		}
	}
	return ""
}
