package detect_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// TestCorpus writes what is found in HOPGATE_CORPUS, a file of {"id","text"} lines, to HOPGATE_FINDINGS, one
// {"id","findings"} line for each. Both stay outside the project.
func TestCorpus(t *testing.T) {
	in, out := os.Getenv("HOPGATE_CORPUS"), os.Getenv("HOPGATE_FINDINGS")
	if in == "" || out == "" {
		t.Skip("HOPGATE_CORPUS and HOPGATE_FINDINGS name no files: NOTHING WAS MEASURED")
	}
	corpus, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer corpus.Close()
	result, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	e, err := detect.New(detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := detect.NewScratch()
	lines, enc := bufio.NewScanner(corpus), json.NewEncoder(result)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var record struct{ ID, Text string }
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			t.Fatal(err)
		}
		type finding struct {
			Kind, Entity, Rule, Via string
			Start, End              int
			Confidence              uint8
		}
		found := []finding{}
		e.Scan(s, []detect.Leaf{{Text: []byte(record.Text)}}, func(_ int, f detect.Finding) {
			kind := f.Kind
			if kind == detect.Hidden {
				kind = detect.Injection
			}
			found = append(found, finding{kind.String(), f.Entity, f.Rule, f.Via.String(), f.Start, f.End, f.Confidence})
		})
		if err := enc.Encode(map[string]any{"id": record.ID, "findings": found}); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
