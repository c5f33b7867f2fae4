package guardrails

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/guardrails/gitleaks"
	"github.com/hopgate/hopgate/policy"
)

// Names of the profiles that exist without being written.
const (
	lightName  = "light"
	strictName = "strict"
)

// Profiles are the profiles of one configuration and the detectors that they share. They are immutable.
type Profiles struct {
	engine   *detect.Engine
	profiles map[string]*profile
}

// profile is a compiled list of rules. The last ones are those of every profile.
type profile struct {
	name  string
	rules []rule
	at    policy.Pos
}

// rule is a compiled rule.
type rule struct {
	kinds         []detect.Kind
	entities      []string // as package detect calls them
	way           Way
	least         uint8
	do            Action
	scope         HashScope
	keep          time.Duration
	restore       []Restore
	tools, except []policy.Pattern
	paths         []policy.Pattern
	at            policy.Pos
}

// always are the rules that every profile ends with: what nobody spoke of is not let through by an oversight.
func always() []rule {
	return []rule{
		{kinds: []detect.Kind{detect.Secret}, least: medium.least(), do: Block},
		{entities: []string{mediaEntity}, do: Log},
		{kinds: []detect.Kind{detect.Unread}, do: Block},
	}
}

// builtIn returns the profiles that exist without being written.
func builtIn() map[string]*profile {
	strict := []rule{
		{kinds: []detect.Kind{detect.Secret, detect.Injection, detect.Hidden, detect.Unread}, least: medium.least(), do: Block},
		{kinds: []detect.Kind{detect.PII}, way: args, least: medium.least(), do: Block},
		{kinds: []detect.Kind{detect.PII}, way: result, least: medium.least(), do: Redact},
	}
	return map[string]*profile{
		lightName:  {name: lightName, rules: always()},
		strictName: {name: strictName, rules: append(strict, always()...)},
	}
}

// plainEngine is what all configurations without rules of their own share; it takes a while to make and some memory.
var plainEngine = sync.OnceValues(func() (*detect.Engine, error) { return detect.New(detect.Options{}) })

// Compile makes the profiles of a configuration, to which the built-in ones belong unless it has its own of their names.
// What is a secret of own is found wherever it stands. Both may be nil. What an admin wrote wrongly is returned as [policy.Complaints].
func Compile(keys *FileKeys, own *policy.Credentials) (*Profiles, error) {
	all := &Profiles{profiles: builtIn()}
	if keys == nil {
		keys = new(FileKeys)
	}
	rules, wrong := ownRules(keys)
	plain, err := plainEngine()
	if err != nil {
		return nil, fmt.Errorf("building the detectors: %w", err)
	}
	known := secretsOf(own, plain)
	switch {
	case len(rules) == 0 && len(known) == 0:
		all.engine = plain
	case len(wrong) == 0:
		all.engine, wrong, err = prove(keys, rules, known)
	}
	if err != nil {
		return nil, fmt.Errorf("building the detectors: %w", err)
	}
	for i := range keys.Guardrails {
		p, complaints := compile(&keys.Guardrails[i], rules)
		wrong = append(wrong, complaints...)
		all.profiles[p.name] = p
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return all, nil
}

// Names returns the names of all profiles, sorted.
func (p *Profiles) Names() []string { return slices.Sorted(maps.Keys(p.profiles)) }

// Rules describes every rule of the detectors; Entity is what people call it. It is slow.
func (p *Profiles) Rules() []detect.Rule {
	all := p.engine.Rules()
	for i := range all {
		all[i].Entity = nameOf(all[i].Entity)
	}
	return all
}

// unknown complains of a name that no profile has.
func (p *Profiles) unknown(n *ProfileName) policy.Complaint {
	names := p.Names()
	hint := cmp.Or(suggest(n.Text, names), "profiles: "+strings.Join(names, ", "))
	return policy.Complaint{At: n.At, Text: fmt.Sprintf("no profile of guardrails is named %q", n.Text), Hint: hint}
}

// own is a rule of the operator's and where it is written.
type own struct {
	rules []detect.UserRule // several where another program's file describes them
	at    policy.Pos
}

// ownRules gathers the rules that profiles describe, by name.
func ownRules(keys *FileKeys) (map[string]own, policy.Complaints) {
	var wrong policy.Complaints
	found := map[string]own{}
	for i := range keys.Guardrails {
		for j := range keys.Guardrails[i].Rules {
			find := keys.Guardrails[i].Rules[j].Find
			for k := range find {
				f := &find[k]
				if f.Known != "" {
					continue
				}
				name := f.Name.Text
				_, twice := found[name]
				_, kind := kindOf(name)
				switch {
				case name == "":
					wrong = append(wrong, policy.Complaint{At: f.At, Text: "a rule of your own needs a name", Hint: "add name: customer-id, or whatever it finds"})
				case twice:
					wrong = append(wrong, policy.Complaint{At: f.Name.At, Text: fmt.Sprintf("two rules are named %q", name), Hint: "use the name alone where the same is meant: find: [" + name + "]"})
				case kind || entityOf(name) != "":
					wrong = append(wrong, policy.Complaint{At: f.Name.At, Text: fmt.Sprintf("%q is the name of something that is known already", name), Hint: "choose another name"})
				default:
					rules, err := f.user()
					if err != nil {
						wrong = append(wrong, policy.Complaint{At: f.Gitleaks.At, Text: err.Error(), Hint: gitleaksHint(f.Gitleaks.Text)})
					}
					found[name] = own{rules: rules, at: f.At}
				}
			}
		}
	}
	return found, wrong
}

func (f *Find) user() ([]detect.UserRule, error) {
	if f.Gitleaks.Text != "" {
		rules, err := gitleaks.Rules(f.Name.Text, f.Gitleaks.Text)
		if err != nil {
			return nil, fmt.Errorf("rules of gitleaks: %w", err)
		}
		return rules, nil
	}
	return []detect.UserRule{{
		Name: f.Name.Text, Kind: f.Kind.kind(), Literals: f.Literal, Pattern: f.Regex, Anchor: f.Anchor, Words: f.Words, Fields: f.Field,
		Examples: f.Examples, Counterexamples: f.Counterexamples,
	}}, nil
}

// gitleaksHint helps who wrote the name of a file where its text belongs.
func gitleaksHint(text string) string {
	if !strings.Contains(text, "\n") && strings.HasSuffix(text, ".toml") {
		return "to take in a file write ${file:" + text + "}"
	}
	return ""
}

// prove makes the detectors with the operator's rules. Where they cannot be made, each rule is tried alone, to say which
// one is to blame.
func prove(keys *FileKeys, rules map[string]own, known []detect.Known) (*detect.Engine, policy.Complaints, error) {
	names := slices.Sorted(maps.Keys(rules))
	o := detect.Options{Known: known}
	for _, n := range names {
		o.Rules = append(o.Rules, rules[n].rules...)
	}
	e, err := detect.New(o)
	if err == nil || len(rules) == 0 {
		return e, nil, err
	}
	var wrong policy.Complaints
	for _, n := range names {
		for _, r := range rules[n].rules {
			if _, err := detect.New(detect.Options{Rules: []detect.UserRule{r}}); err != nil {
				wrong = append(wrong, policy.Complaint{At: rules[n].at, Text: err.Error()})
			}
		}
	}
	if wrong == nil {
		wrong = policy.Complaints{{At: keys.Guardrails[0].At, Text: err.Error()}}
	}
	return nil, wrong, nil
}

func compile(p *Profile, rules map[string]own) (*profile, policy.Complaints) {
	out := &profile{name: p.Name.Text, at: p.At}
	var wrong policy.Complaints
	if len(p.Rules) == 0 {
		wrong = append(wrong, policy.Complaint{At: p.At, Text: "the profile has no rule", Hint: "to see secrets without blocking them, write { find: secret, do: log }"})
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		c := rule{way: r.In, least: r.Sure.least(), do: r.Do, scope: r.Scope, keep: cmp.Or(r.Keep, keepDefault), restore: r.Restore, tools: r.Tools, except: r.Except, paths: r.Paths, at: r.At}
		switch {
		case r.Unscannable != nil:
			c.kinds, c.do, c.least = []detect.Kind{detect.Unread}, r.Unscannable.Do, 0
		case r.Do == 0:
			wrong = append(wrong, policy.Complaint{At: r.At, Text: "the rule does not say what to do", Hint: "add do: " + strings.Join(actionNames[1:], ", do: ")})
		}
		for j := range r.Find {
			if complaint, ok := c.find(&r.Find[j], rules); !ok {
				wrong = append(wrong, complaint)
			}
		}
		out.rules = append(out.rules, c)
	}
	out.rules = append(out.rules, always()...)
	return out, append(wrong, unfit(p)...)
}

// find adds what a rule is for.
func (c *rule) find(f *Find, rules map[string]own) (policy.Complaint, bool) {
	name := f.Known
	if name == "" {
		name = f.Name.Text
	}
	if k, ok := kindOf(name); ok {
		c.kinds = append(c.kinds, k)
		return policy.Complaint{}, true
	}
	if _, ok := rules[name]; ok {
		c.entities = append(c.entities, name)
		return policy.Complaint{}, true
	}
	if e := entityOf(name); e != "" {
		c.entities = append(c.entities, e)
		return policy.Complaint{}, true
	}
	known := append(slices.Collect(maps.Keys(rules)), knownNames()...)
	return policy.Complaint{At: f.At, Text: fmt.Sprintf("nothing that can be found is named %q", name), Hint: suggest(name, known)}, false
}

// fits reports whether a rule is for a finding.
func (c *rule) fits(f *detect.Finding, call *policy.Call, way policy.Direction, pointer func() string) bool {
	if f.Confidence < c.least || !c.way.holds(way) || !slices.Contains(c.kinds, f.Kind) && !slices.Contains(c.entities, f.Entity) {
		return false
	}
	if c.tools != nil && !named(c.tools, call) || c.except != nil && named(c.except, call) {
		return false
	}
	return c.paths == nil || slices.ContainsFunc(c.paths, func(p policy.Pattern) bool { return p.Match(pointer()) })
}

// named reports whether a call is of a tool that patterns name.
func named(patterns []policy.Pattern, c *policy.Call) bool {
	if c.Method != "tools/call" {
		return false
	}
	return slices.ContainsFunc(patterns, func(p policy.Pattern) bool { return p.Match(c.Target) || p.Match(c.Upstream+"/"+c.Target) })
}
