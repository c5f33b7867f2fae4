package detect

import (
	"errors"
	"fmt"
	"slices"
)

// UserRule is a rule of the operator's. One of Literals, Pattern, Words and Fields is set.
type UserRule struct {
	Name string
	// Entity is what findings say; default: Name.
	Entity string
	// Kind is Secret, PII or Injection.
	Kind Kind
	// Literals are exact texts, in any case.
	Literals []string
	// Pattern is an RE2 expression. Each match begins with one of at least three literal bytes, or holds Anchor, at
	// most 64 bytes after its begin. Where there is a group, the finding is the first group.
	Pattern, Anchor string
	// Words are found where they stand as whole words.
	Words []string
	// Fields are names of fields whose whole value is the finding.
	Fields []string
	// Examples must be found and Counterexamples must not; New fails otherwise. At least one of each is needed.
	Examples, Counterexamples []string
	// Foreign is set for a rule that another program's file describes, which may have no examples.
	Foreign *Foreign
}

// Foreign is what rules of other programs say besides a pattern.
type Foreign struct {
	// Keywords are literals one of which stands near: at most 64 bytes before a match begins, or in it. Where there are none,
	// each match begins with one of at least three literal bytes.
	Keywords []string
	// Group is the group that is the finding; 0 is the first.
	Group int
	// Entropy is what the finding must be above, in bits a byte.
	Entropy float64
	// Allowed says of a match that it is none. It may be nil. It is called from any goroutine.
	Allowed func(text []byte, match, secret [2]int) bool
}

// userRule is a rule of the operator's, compiled.
type userRule struct {
	UserRule
	code *pattern
}

const anchorReach = 64

func (b *builder) addUsers(rules []UserRule) error {
	for _, r := range rules {
		u, literals, err := prepare(r)
		if err != nil {
			return fmt.Errorf("rule %s: %w", r.Name, err)
		}
		n := uint16(len(b.engine.users))
		b.engine.users = append(b.engine.users, u)
		for _, l := range literals {
			b.add(l, anchor{kind: anchorUser, rule: n})
		}
	}
	return nil
}

func prepare(r UserRule) (userRule, []string, error) {
	if r.Entity == "" {
		r.Entity = r.Name
	}
	u := userRule{UserRule: r}
	switch {
	case r.Name == "":
		return u, nil, errors.New("a rule needs a name")
	case r.Kind < Secret || r.Kind > Injection:
		return u, nil, errors.New("the kind is secret, pii or injection")
	case r.Foreign == nil && (len(r.Examples) == 0 || len(r.Counterexamples) == 0):
		return u, nil, errors.New("examples and counterexamples are needed, one of each at least")
	case r.Pattern == "":
		return u, slices.Concat(r.Literals, r.Words), nil
	}
	var err error
	if r.Foreign != nil {
		if u.code, err = compileGroup(r.Pattern, max(r.Foreign.Group, 1)); err != nil {
			return u, nil, err
		}
		if len(r.Foreign.Keywords) > 0 {
			return u, r.Foreign.Keywords, nil
		}
		literals, err := leading(r.Pattern)
		if err != nil {
			err = fmt.Errorf("there are no keywords, and %w", err)
		}
		return u, literals, err
	}
	if u.code, err = compile(r.Pattern); err != nil {
		return u, nil, err
	}
	if r.Anchor != "" {
		return u, []string{r.Anchor}, nil
	}
	literals, err := leading(r.Pattern)
	return u, literals, err
}

// verify decides about an anchor found at t[s:e].
func (u *userRule) verify(m *matcher, t []byte, s, e int) (lo, hi int) {
	if u.code == nil {
		if len(u.Words) > 0 && !wholeWord(t, s, e) {
			return 0, -1
		}
		return s, e
	}
	if u.Foreign != nil {
		return u.verifyForeign(m, t, s, e)
	}
	first := s
	if u.Anchor != "" {
		first = max(0, s-anchorReach)
	}
	for at := first; at <= s; at++ {
		end := m.match(u.code, t, at)
		if end < 0 || end < e && u.Anchor != "" {
			continue
		}
		if m.group[0] >= 0 && m.group[1] >= 0 {
			return m.group[0], m.group[1]
		}
		return at, end
	}
	return 0, -1
}

// verifyForeign looks for a match that begins near a keyword.
func (u *userRule) verifyForeign(m *matcher, t []byte, s, e int) (lo, hi int) {
	first, last := s, s
	if len(u.Foreign.Keywords) > 0 {
		first, last = max(0, s-anchorReach), min(len(t)-1, e+anchorReach)
	}
	for at := first; at <= last; at++ {
		end := m.match(u.code, t, at)
		if end <= at {
			continue
		}
		lo, hi = at, end
		if m.group[0] >= 0 && m.group[1] > m.group[0] {
			lo, hi = m.group[0], m.group[1]
		}
		if entropy(t[lo:hi]) > u.Foreign.Entropy && (u.Foreign.Allowed == nil || !u.Foreign.Allowed(t, [2]int{at, end}, [2]int{lo, hi})) {
			return lo, hi
		}
		at = end - 1
	}
	return 0, -1
}

// proveUsers holds the operator's rules to their examples.
func (e *Engine) proveUsers() error {
	s := NewScratch()
	for i := range e.users {
		u := &e.users[i]
		finds := func(text string) bool {
			leaf := Leaf{Text: []byte(text)}
			if len(u.Fields) > 0 {
				leaf.Field = []byte(u.Fields[0])
			}
			found := false
			e.Scan(s, []Leaf{leaf}, func(_ int, f Finding) { found = found || f.Rule == u.Name })
			return found
		}
		for k, x := range u.Examples {
			if !finds(x) {
				return fmt.Errorf("rule %s does not find its example %d", u.Name, k+1)
			}
		}
		for k, x := range u.Counterexamples {
			if len(u.Fields) == 0 && finds(x) {
				return fmt.Errorf("rule %s finds its counterexample %d", u.Name, k+1)
			}
		}
	}
	return nil
}
