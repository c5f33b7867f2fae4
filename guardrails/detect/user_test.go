package detect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/guardrails/detect"
)

func TestUserRulesFindWhatTheyDescribe(t *testing.T) {
	rules := []detect.UserRule{
		{Name: "project", Kind: detect.Secret, Words: []string{"Bluebird"}, Examples: []string{"about bluebird."}, Counterexamples: []string{"bluebirds"}},
		{Name: "ticket", Entity: "TICKET", Kind: detect.PII, Pattern: `ACME-([0-9]{4,6})\b`, Examples: []string{"see ACME-12345"}, Counterexamples: []string{"ACME-123"}},
		{Name: "badge", Kind: detect.PII, Pattern: `[A-Z]{2}[0-9]{3}-badge`, Anchor: "-badge", Examples: []string{"QX123-badge"}, Counterexamples: []string{"a-badge"}},
		{Name: "phrase", Kind: detect.Injection, Literals: []string{"obey the owl"}, Examples: []string{"Obey the Owl"}, Counterexamples: []string{"obey"}},
		{Name: "shoe", Kind: detect.PII, Fields: []string{"shoe_size"}, Examples: []string{"43"}, Counterexamples: []string{""}},
	}
	e := engine(t, detect.Options{Rules: rules})
	for name, c := range map[string]struct {
		leaf detect.Leaf
		want []detect.Finding
	}{
		"word":    {detect.Leaf{Text: []byte("the BLUEBIRD plan")}, []detect.Finding{{Rule: "project", Entity: "project", Kind: detect.Secret, Confidence: 95, Start: 4, End: 12}}},
		"group":   {detect.Leaf{Text: []byte("see ACME-4711 now")}, []detect.Finding{{Rule: "ticket", Entity: "TICKET", Kind: detect.PII, Confidence: 95, Start: 9, End: 13}}},
		"anchor":  {detect.Leaf{Text: []byte("his QX123-badge")}, []detect.Finding{{Rule: "badge", Entity: "badge", Kind: detect.PII, Confidence: 95, Start: 4, End: 15}}},
		"field":   {detect.Leaf{Text: []byte("43"), Field: []byte("Shoe_Size")}, []detect.Finding{{Rule: "shoe", Entity: "shoe", Kind: detect.PII, Confidence: 95, Start: 0, End: 2}}},
		"nothing": {detect.Leaf{Text: []byte("bluebirds of ACME"), Field: []byte("shoe")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, found(e, c.leaf)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUserRulesThatCannotWorkAreRefused(t *testing.T) {
	good := func() detect.UserRule {
		return detect.UserRule{Name: "r", Kind: detect.Secret, Pattern: `abc[0-9]+`, Examples: []string{"abc1"}, Counterexamples: []string{"abcd"}}
	}
	for name, c := range map[string]struct {
		spoil func(*detect.UserRule)
		want  string
	}{
		"no name":        {func(r *detect.UserRule) { r.Name = "" }, "needs a name"},
		"no kind":        {func(r *detect.UserRule) { r.Kind = 0 }, "the kind is"},
		"no examples":    {func(r *detect.UserRule) { r.Examples = nil }, "examples and counterexamples"},
		"misses":         {func(r *detect.UserRule) { r.Examples = []string{"abd1"} }, "does not find its example 1"},
		"finds too much": {func(r *detect.UserRule) { r.Counterexamples = []string{"x", "abc2"} }, "finds its counterexample 2"},
		"no anchor":      {func(r *detect.UserRule) { r.Pattern = `[a-z]+[0-9]+` }, "literal bytes are needed"},
		"no pattern":     {func(r *detect.UserRule) { r.Pattern = `(` }, "reading the pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.spoil(&r)
			_, err := detect.New(detect.Options{Rules: []detect.UserRule{r}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
