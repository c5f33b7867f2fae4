// Package gitleaks says what a configuration of gitleaks looks for: it reads the rules of its TOML as rules of package
// detect. It opens no files, and does not find anything itself.
//
// Messages have no file names and no commits. A rule about names of files alone is left out; where a rule has an expression
// as well, the expression counts. What allowlists say about paths and commits is left out.
package gitleaks

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// file is the TOML, in the names that gitleaks 8.30 gives it.
type file struct {
	Title       string      `toml:"title"`
	Description string      `toml:"description"`
	MinVersion  string      `toml:"minVersion"`
	Rules       []rule      `toml:"rules"`
	Allowlist   *allowlist  `toml:"allowlist"` // until 8.24
	Allowlists  []allowlist `toml:"allowlists"`
}

type rule struct {
	ID          string      `toml:"id"`
	Description string      `toml:"description"`
	Path        string      `toml:"path"`
	Regex       string      `toml:"regex"`
	SecretGroup int         `toml:"secretGroup"`
	Entropy     float64     `toml:"entropy"`
	Keywords    []string    `toml:"keywords"`
	Tags        []string    `toml:"tags"`
	Allowlist   *allowlist  `toml:"allowlist"`
	Allowlists  []allowlist `toml:"allowlists"`
}

type allowlist struct {
	Description string   `toml:"description"`
	TargetRules []string `toml:"targetRules"`
	Condition   string   `toml:"condition"`
	Commits     []string `toml:"commits"`
	Paths       []string `toml:"paths"`
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
}

// Rules returns the rules of a configuration. What they find is a secret, and is called set. Errors name the line or the
// rule.
func Rules(set, text string) ([]detect.UserRule, error) {
	var f file
	meta, err := toml.Decode(text, &f)
	if err != nil {
		return nil, fault(err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, unsupported(unknown[0].String())
	}
	spared, err := spares(f.Allowlist, f.Allowlists)
	if err != nil {
		return nil, err
	}
	var all []detect.UserRule
	ids := map[string]bool{}
	for i := range f.Rules {
		r := &f.Rules[i]
		switch {
		case r.ID == "":
			return nil, fmt.Errorf("rule %d has no id", i+1)
		case ids[r.ID]:
			return nil, fmt.Errorf("two rules have the id %q", r.ID)
		}
		ids[r.ID] = true
		if r.Regex == "" && r.Path != "" {
			continue
		}
		own, err := r.compile(set, spared)
		if err != nil {
			return nil, fmt.Errorf("rule %q: %w", r.ID, err)
		}
		all = append(all, own)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no rule with a regex")
	}
	return all, nil
}

// fault is an error of the TOML with its line, and without the text around it.
func fault(err error) error {
	if p, ok := errors.AsType[toml.ParseError](err); ok {
		return fmt.Errorf("line %d: %s", p.Position.Line, cmp.Or(p.Message, "this is no TOML"))
	}
	return fmt.Errorf("reading the TOML: %w", err)
}

func unsupported(key string) error {
	if strings.HasPrefix(key, "extend") {
		return errors.New("extend is not supported: Hopgate's own rules find what the default rules of gitleaks find; copy in what else is wanted")
	}
	return fmt.Errorf("%q is not supported", key)
}

func (r *rule) compile(set string, spared []spare) (detect.UserRule, error) {
	if r.Regex == "" {
		return detect.UserRule{}, errors.New("there is no regex")
	}
	if r.SecretGroup < 0 {
		return detect.UserRule{}, errors.New("secretGroup counts from 1")
	}
	own, err := spares(r.Allowlist, r.Allowlists)
	if err != nil {
		return detect.UserRule{}, err
	}
	for i := range spared {
		if spared[i].concerns(r.ID) {
			own = append(own, spared[i])
		}
	}
	var words []string
	for _, w := range r.Keywords {
		if w = strings.ToLower(w); w != "" && len(w) <= 255 {
			words = append(words, w)
		}
	}
	foreign := &detect.Foreign{Keywords: words, Group: r.SecretGroup, Entropy: r.Entropy}
	if len(own) > 0 {
		foreign.Allowed = func(text []byte, match, secret [2]int) bool {
			for i := range own {
				if own[i].holds(text, match, secret) {
					return true
				}
			}
			return false
		}
	}
	return detect.UserRule{Name: r.ID, Entity: set, Kind: detect.Secret, Pattern: r.Regex, Foreign: foreign}, nil
}

// spare is an allowlist, compiled.
type spare struct {
	rules   []string // that it is for; none is all
	all     bool     // all conditions must hold
	target  string
	regexes []*regexp.Regexp
	words   []string
}

func spares(one *allowlist, more []allowlist) ([]spare, error) {
	if one != nil {
		more = append([]allowlist{*one}, more...)
	}
	var out []spare
	for i := range more {
		s, ok, err := more[i].compile()
		if err != nil {
			return nil, fmt.Errorf("allowlist %d: %w", i+1, err)
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// compile returns false for an allowlist that can never hold here.
func (a *allowlist) compile() (s spare, ok bool, err error) {
	s = spare{rules: a.TargetRules, target: a.RegexTarget}
	switch strings.ToUpper(a.Condition) {
	case "AND", "&&":
		s.all = true
	case "OR", "||", "":
	default:
		return s, false, fmt.Errorf("condition %q is neither AND nor OR", a.Condition)
	}
	switch a.RegexTarget {
	case "", "secret", "match", "line":
	default:
		return s, false, fmt.Errorf("regexTarget %q is none of secret, match, line", a.RegexTarget)
	}
	for _, text := range a.Regexes {
		re, err := regexp.Compile(text)
		if err != nil {
			return s, false, fmt.Errorf("reading a regex: %w", err)
		}
		s.regexes = append(s.regexes, re)
	}
	for _, w := range a.StopWords {
		s.words = append(s.words, strings.ToLower(w))
	}
	elsewhere := s.all && len(a.Paths)+len(a.Commits) > 0
	return s, !elsewhere && len(s.regexes)+len(s.words) > 0, nil
}

func (s *spare) concerns(id string) bool {
	return len(s.rules) == 0 || slices.Contains(s.rules, id)
}

func (s *spare) holds(text []byte, match, secret [2]int) bool {
	byRegex, byWord := s.matches(text, match, secret), s.says(text[secret[0]:secret[1]])
	if s.all {
		return (byRegex || len(s.regexes) == 0) && (byWord || len(s.words) == 0)
	}
	return byRegex || byWord
}

func (s *spare) matches(text []byte, match, secret [2]int) bool {
	at := secret
	switch s.target {
	case "match":
		at = match
	case "line":
		at = line(text, match)
	}
	for _, re := range s.regexes {
		if re.Match(text[at[0]:at[1]]) {
			return true
		}
	}
	return false
}

// maxLine bounds the line that is looked at, in bytes on either side of a match.
const maxLine = 4 << 10

func line(text []byte, at [2]int) [2]int {
	lo, hi := at[0], at[1]
	for lo > 0 && at[0]-lo < maxLine && text[lo-1] != '\n' {
		lo--
	}
	for hi < len(text) && hi-at[1] < maxLine && text[hi] != '\n' {
		hi++
	}
	return [2]int{lo, hi}
}

func (s *spare) says(secret []byte) bool {
	if len(s.words) == 0 {
		return false
	}
	low := strings.ToLower(string(secret))
	for _, w := range s.words {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}
