package detect_test

import (
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

func engine(tb testing.TB, o detect.Options) *detect.Engine {
	tb.Helper()
	e, err := detect.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// found returns what the engine finds in a leaf.
func found(e *detect.Engine, leaf detect.Leaf) []detect.Finding {
	var all []detect.Finding
	e.Scan(detect.NewScratch(), []detect.Leaf{leaf}, func(_ int, f detect.Finding) { all = append(all, f) })
	return all
}

func has(all []detect.Finding, rule string) bool {
	for _, f := range all {
		if f.Rule == rule {
			return true
		}
	}
	return false
}

// texts are those that hold a kind of personal data, and those that only look so.
type texts struct{ holds, not []string }

// tellsApart holds an engine to finding each kind in all that holds it, and in nothing else.
func tellsApart(t *testing.T, e *detect.Engine, kinds map[string]texts) {
	t.Helper()
	for kind, x := range kinds {
		for _, text := range x.holds {
			if all := found(e, detect.Leaf{Text: []byte(text)}); !has(all, "pii-"+kind) {
				t.Errorf("%s: %q: %v", kind, text, all)
			}
		}
		for _, text := range x.not {
			if all := found(e, detect.Leaf{Text: []byte(text)}); has(all, "pii-"+kind) {
				t.Errorf("%s: %q: %v", kind, text, all)
			}
		}
	}
}

// TestRulesFindTheirExamples holds every rule to three examples and two counterexamples at least. An example may be
// found by a rule that knows it better, as long as it is found as the same kind of thing.
func TestRulesFindTheirExamples(t *testing.T) {
	e := engine(t, detect.Options{})
	names := map[string]bool{}
	for _, r := range e.Rules() {
		if names[r.Name] {
			t.Errorf("two rules are called %s", r.Name)
		}
		names[r.Name] = true
		if len(r.Examples) < 3 || len(r.Counterexamples) < 2 || r.Summary == "" || r.Entity == "" {
			t.Errorf("%s has %d examples and %d counterexamples", r.Name, len(r.Examples), len(r.Counterexamples))
		}
		own := 0
		for _, x := range r.Examples {
			all := found(e, detect.Leaf{Text: []byte(x)})
			if has(all, r.Name) {
				own++
			}
			if !ofKind(all, r.Kind) {
				t.Errorf("%s misses %q: %v", r.Name, x, all)
			}
		}
		if own == 0 {
			t.Errorf("%s finds none of its examples itself: %q", r.Name, r.Examples)
		}
		for _, x := range r.Counterexamples {
			if has(found(e, detect.Leaf{Text: []byte(x)}), r.Name) {
				t.Errorf("%s finds %q", r.Name, x)
			}
		}
	}
}

func ofKind(all []detect.Finding, k detect.Kind) bool {
	for _, f := range all {
		if f.Kind == k {
			return true
		}
	}
	return false
}
