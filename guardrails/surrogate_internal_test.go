package guardrails

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// TestSurrogatesAreNotFoundAgain makes surrogates of the examples of every rule, with and without a name beside them that
// says what they are. Where none can be made, the table of what is unlike anything must say so, and nowhere else.
func TestSurrogatesAreNotFoundAgain(t *testing.T) {
	all, err := Compile(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := map[string]bool{}
	for _, r := range all.engine.Rules() {
		if r.Kind != detect.Secret && r.Kind != detect.PII {
			continue
		}
		for _, x := range r.Examples {
			for _, field := range []string{"", "text", r.Entity, nameOf(r.Entity)} {
				if !imitates(all.engine, detect.Leaf{Text: []byte(x), Field: []byte(field)}, r.Entity) {
					failed[r.Entity] = true
				}
			}
		}
	}
	for entity := range failed {
		if imitable(entity) {
			t.Errorf("%s: a surrogate is found again", entity)
		}
	}
	for entity := range strings.FieldsSeq(unlike) {
		if !failed[entity] && !slices.Contains([]string{"DE_KFZ", "US_BANK_NUMBER", "obfuscated"}, entity) { // those have no examples that are sure
			t.Errorf("%s: surrogates can be made of it", entity)
		}
	}
}

// imitates reports whether surrogates can be made of every finding of an entity in a leaf.
func imitates(e *detect.Engine, leaf detect.Leaf, entity string) bool {
	var all []detect.Finding
	s := detect.NewScratch()
	e.Scan(s, []detect.Leaf{leaf}, func(_ int, f detect.Finding) {
		if f.Entity == entity && f.Via == 0 && f.Confidence >= medium.least() {
			all = append(all, f)
		}
	})
	tr := &trim{g: &gate{engine: e}}
	seed := sha256.Sum256(leaf.Text)
	for _, f := range all {
		c := &cut{entity: entity, rule: &rule{least: medium.least()}, start: f.Start, end: f.End}
		made := false
		for try := 0; try < maxTries && !made; try++ {
			value := leaf.Text[f.Start:f.End]
			x := similar(entity, value, &dice{key: seed[:], round: byte(try)}, try)
			made = string(x) != string(value) && !tr.seen(s, &leaf, c, x)
		}
		if !made {
			return false
		}
	}
	return true
}
