package parity_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gitleaks "github.com/zricethezav/gitleaks/v8/detect"
)

// noSecret are rules of gitleaks whose finds are not ours, each with its reason.
var noSecret = map[string]string{
	"generic-api-key": "a random value behind any name with a secret's word in it: more than half of what it finds in its own texts is none",
}

type fixture struct{ Rule, Text string }

// TestNothingIsMissedThatGitleaksFinds runs both over the texts that gitleaks proves its rules with. They are made anew in
// each run, with other secrets.
func TestNothingIsMissedThatGitleaksFinds(t *testing.T) {
	peer, err := gitleaks.NewDetectorDefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	all := fixtures(t)
	spans := hopgate(t, all)
	finds, missed, rules := 0, 0, map[string]bool{}
	for i, x := range all {
		for _, f := range peer.DetectString(x.Text) {
			if noSecret[f.RuleID] != "" {
				continue
			}
			finds++
			rules[f.RuleID] = true
			if !meets(spans[i], x.Text, f.Secret) {
				missed++
				t.Errorf("%s finds %q in %q", f.RuleID, f.Secret, x.Text)
			}
		}
	}
	t.Logf("%d texts, %d finds of %d rules, %d missed", len(all), finds, len(rules), missed)
	if finds < 5000 || len(rules) < 200 {
		t.Errorf("gitleaks finds too little for a comparison")
	}
}

// hopgate returns where the command finds secrets, for each text.
func hopgate(t *testing.T, all []fixture) [][][2]int {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hopgate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/hopgate")
	build.Dir = filepath.Join("..", "..")
	if words, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building hopgate: %v\n%s", err, words)
	}
	var in, out bytes.Buffer
	for i, x := range all {
		if err := json.NewEncoder(&in).Encode(map[string]any{"id": i, "text": x.Text}); err != nil {
			t.Fatal(err)
		}
	}
	scan := exec.Command(binary, "scan", "--ndjson")
	scan.Dir, scan.Stdin, scan.Stdout, scan.Stderr = t.TempDir(), &in, &out, os.Stderr
	if err := scan.Run(); err != nil {
		t.Fatal(err)
	}
	spans := make([][][2]int, len(all))
	for dec := json.NewDecoder(&out); dec.More(); {
		var r struct {
			ID       int
			Findings []struct {
				Kind       string
				Start, End int
			}
		}
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			if f.Kind == "secret" {
				spans[r.ID] = append(spans[r.ID], [2]int{f.Start, f.End})
			}
		}
	}
	return spans
}

// meets holds where one of the spans touches the value, wherever it stands in the text.
func meets(spans [][2]int, text, value string) bool {
	for at := 0; ; at++ {
		i := strings.Index(text[at:], value)
		if i < 0 {
			return false
		}
		at += i
		for _, s := range spans {
			if s[0] < at+len(value) && at < s[1] {
				return true
			}
		}
	}
}

// fixtures lets gitleaks make its texts: in a copy of the module in which the proof of a rule writes them down.
func fixtures(t *testing.T) []fixture {
	t.Helper()
	where, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/zricethezav/gitleaks/v8").Output()
	if err != nil {
		t.Fatalf("finding the module: %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(where)))); err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile("testdata/validate.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	proof := filepath.Join(dir, "cmd", "generate", "config", "utils", "validate.go")
	if err := os.Remove(proof); err != nil { // it is read-only
		t.Fatal(err)
	}
	if err := os.WriteFile(proof, record, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "fixtures")
	run := exec.Command("go", "run", ".", filepath.Join(dir, "rules.toml"))
	run.Dir, run.Env = filepath.Join(dir, "cmd", "generate", "config"), append(os.Environ(), "PARITY_FIXTURES="+out, "GOFLAGS=-mod=mod", "GOWORK=off")
	if words, err := run.CombinedOutput(); err != nil {
		t.Fatalf("making texts: %v\n%s", err, words)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []fixture
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var x fixture
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// BenchmarkGitleaks is what guardrails/detect is compared with: gitleaks over the kinds of text of its BenchmarkSecretStage.
func BenchmarkGitleaks(b *testing.B) {
	peer, err := gitleaks.NewDetectorDefaultConfig()
	if err != nil {
		b.Fatal(err)
	}
	for name, line := range map[string]string{
		"json":   `{"id":10007,"sku":"SKU-48811","title":"blue kettle with lid","price":7.07,"stock":81,"active":true,"updated_at":"2026-03-08T10:22:04Z"},`,
		"source": "\tif err := row.Scan(&out.Name, &out.Size); err != nil {\n\t\treturn nil, fmt.Errorf(\"no record %d\", id)\n\t}\n",
		"logs":   "2026-03-04T10:22:11.001Z INFO worker 7 finished job in 812 ms, queue length 3\n",
	} {
		b.Run(name, func(b *testing.B) {
			text := strings.Repeat(line, 100<<10/len(line))
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				peer.DetectString(text)
			}
		})
	}
}
