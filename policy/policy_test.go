package policy_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/policy"
)

func TestPatternComparesBytes(t *testing.T) {
	cases := map[string]struct {
		pattern string
		yes, no []string
	}{
		"exact":       {"get", []string{"get"}, []string{"", "GET", "get ", "gets", "ge"}},
		"prefix":      {"get_*", []string{"get_", "get_x"}, []string{"get", "xget_", "GET_x"}},
		"suffix":      {"*_file", []string{"_file", "read_file"}, []string{"read_files"}},
		"middle":      {"a*b*c", []string{"abc", "axbyc", "abbc"}, []string{"acb", "ab", "abcd"}},
		"everything":  {"*", []string{"", "x", "ü"}, nil},
		"two stars":   {"**", []string{"", "x"}, nil},
		"overlap":     {"aa*aa", []string{"aaaa", "aaxaa"}, []string{"aaa"}},
		"repeated":    {"*ab", []string{"ab", "abab"}, []string{"aba"}},
		"nothing":     {"", nil, []string{"", "x"}},
		"no question": {"a?", []string{"a?"}, []string{"ab"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := policy.Pattern{Text: c.pattern}
			for _, s := range c.yes {
				if !p.Match(s) {
					t.Errorf("%q does not match %q", c.pattern, s)
				}
			}
			for _, s := range c.no {
				if p.Match(s) {
					t.Errorf("%q matches %q", c.pattern, s)
				}
			}
		})
	}
}

// FuzzPattern compares Match with the regular expression that means the same.
func FuzzPattern(f *testing.F) {
	f.Add("a*b", "aab")
	f.Add("*aa*aa", "aaa")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		var p policy.Pattern
		if p.UnmarshalText([]byte(pattern)) != nil {
			return
		}
		expr := `(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `\z`
		re, err := regexp.Compile(expr)
		if err != nil || strings.ToValidUTF8(name, "") != name {
			return // regexp needs UTF-8, patterns do not
		}
		if got, want := p.Match(name), re.MatchString(name); got != want {
			t.Errorf("%q on %q: got %v, want %v", pattern, name, got, want)
		}
	})
}

func TestPatternRefusesWhatCannotBeSeen(t *testing.T) {
	for _, s := range []string{"", "a\nb", "a\x00", "\x7f"} {
		if err := new(policy.Pattern).UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

func TestTaskIsOfTheFirstMatch(t *testing.T) {
	pattern := func(s string) []policy.Pattern { return []policy.Pattern{{Text: s}} }
	u := policy.Upstream{Tasks: []policy.Task{{Name: "read", Tools: pattern("get_*")}, {Name: "admin", Tools: pattern("get_secrets")}}}
	for tool, want := range map[string]string{"get_x": "read", "get_secrets": "read", "put": policy.Unclassified} {
		if got := u.Task(tool); got != want {
			t.Errorf("%s is %s, want %s", tool, got, want)
		}
	}
}

func TestRefIsReadAsPeopleWriteIt(t *testing.T) {
	const want = "7F3K-01XM-9RTA"
	for _, text := range []string{want, "7f3k-01xm-9rta", "7F3KO1XM9RTA", "7f3koixm9rta", "7F3K-OLXM-9RTA"} {
		if r, ok := policy.ParseRef([]byte(text)); !ok || r.String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, r, ok, want)
		}
	}
	for _, text := range []string{"", "7F3K-01XM-9RT", "7F3K-01XM-9RTAA", "7F3K-01XM-9RTU", "7F3K 01XM 9RTA"} {
		if r, ok := policy.ParseRef([]byte(text)); ok {
			t.Errorf("%q: got %v, want none", text, r)
		}
	}
}

func TestRefReadsAloud(t *testing.T) {
	r, err := policy.NewRef(bytes.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.String(); got != "ZZZZ-ZZZZ-ZZZZ" {
		t.Errorf("got %s", got)
	}
	if got := policy.Ref(1).String(); got != "0000-0000-0001" {
		t.Errorf("got %s", got)
	}
	if _, err := policy.NewRef(strings.NewReader("short")); err == nil {
		t.Error("a reference without randomness")
	}
}

func TestSpecBuildsOnlyFromItsOwnConfiguration(t *testing.T) {
	type config struct{ N int }
	s := policy.NewSpec("g", "asks", nil, func(_ *policy.Connection, c *config) (policy.Gate, error) {
		if c.N == 0 {
			return nil, errors.New("no N")
		}
		return gate{}, nil
	})
	cfg, ok := s.Config().(*config)
	if !ok {
		t.Fatalf("config is %T", s.Config())
	}
	if _, err := s.Build(&policy.Connection{}, cfg); err == nil {
		t.Error("build's error is lost")
	}
	cfg.N = 1
	if g, err := s.Build(&policy.Connection{}, cfg); err != nil || g == nil {
		t.Errorf("got %v, %v", g, err)
	}
	if _, err := s.Build(&policy.Connection{}, new(int)); err == nil {
		t.Error("built from another gate's configuration")
	}
}

func TestReasonsTellNothingButFixedWords(t *testing.T) {
	for _, r := range policy.Reasons() {
		if r.Answer == nil || r.Code == "" || r.Hint == "" {
			t.Errorf("%s lacks an answer or a hint", r.Code)
		}
		if n := len(r.Answer.Text); n == 0 || n > 250 {
			t.Errorf("%s: the text has %d bytes; with code and ref it must stay within 300", r.Code, n)
		}
	}
}
