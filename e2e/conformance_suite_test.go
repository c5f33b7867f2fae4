//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// suite is one run of the official conformance suite, in its role of a client that examines a server, or of a server that
// examines a client.
type suite struct {
	role     string // of what is examined: server or client
	revision string
	results  map[string]result // by scenario
}

// result is how one scenario ended.
type result struct {
	scored bool
	passed map[string]int // successes by check
	failed []string       // checks that failed
	broken bool           // there is no result
}

// pass reports whether a scenario passed: something was examined, and nothing of it failed.
func (r result) pass() bool { return !r.broken && len(r.failed) == 0 && len(r.passed) > 0 }

// String says what came out, for the log.
func (r result) String() string {
	switch {
	case r.broken:
		return "no result"
	case len(r.failed) > 0:
		return "failed: " + strings.Join(r.failed, " ")
	case len(r.passed) == 0:
		return "nothing examined"
	}
	return "passed"
}

// score is how many of the scenarios that count have passed.
func (s suite) score() (passed, total int) {
	for _, r := range s.results {
		if r.scored {
			total++
			if r.pass() {
				passed++
			}
		}
	}
	return passed, total
}

// checks is how many checks have passed, scored or not.
func (s suite) checks() (passed int) {
	for _, r := range s.results {
		for _, n := range r.passed {
			passed += n
		}
	}
	return passed
}

// lost is what passes in direct and not in s: names of scenarios, and "scenario/check" where only checks of one are lost.
func (s suite) lost(direct suite) []string {
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(direct.results)) {
		want, got := direct.results[name], s.results[name]
		if want.pass() && !got.pass() {
			lost = append(lost, name)
			continue
		}
		for _, check := range slices.Sorted(maps.Keys(want.passed)) {
			if got.passed[check] < want.passed[check] {
				lost = append(lost, name+"/"+check)
			}
		}
	}
	return lost
}

// conformance is the command of the suite.
func conformance(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), newerNode(t), append([]string{npm(t, "@modelcontextprotocol/conformance/dist/index.js")}, args...)...)
}

var (
	requiredScenarios = regexp.MustCompile(`(?ms)^(Server|Client) scenarios.*?(\n\n|\z)`)
	requiredScenario  = regexp.MustCompile(`(?m)^  - (\S+)$`)
	reportedScenario  = regexp.MustCompile(`(?m)^ +- (\S+) \[(server|client)\]$`)
	resultFolder      = regexp.MustCompile(`^(?:server-|client-)?(.+?)-\d{4}-\d{2}-\d{2}T`)
)

// newSuite has the scenarios that a revision requires of a role, and those that are reported and not scored, all without
// a result.
func newSuite(t *testing.T, role, revision string) suite {
	t.Helper()
	list, err := conformance(t, "list", "--requirements", revision).Output()
	if err != nil {
		t.Fatalf("asking the suite for its scenarios: %v", err)
	}
	s := suite{role: role, revision: revision, results: map[string]result{}}
	for _, part := range requiredScenarios.FindAllSubmatch(list, -1) {
		if strings.EqualFold(string(part[1]), role) {
			for _, m := range requiredScenario.FindAllSubmatch(part[0], -1) {
				s.results[string(m[1])] = result{scored: true, broken: true}
			}
		}
	}
	for _, m := range reportedScenario.FindAllSubmatch(list, -1) {
		if string(m[2]) == role {
			s.results[string(m[1])] = result{broken: true}
		}
	}
	return s
}

// examine runs all scenarios of a revision against a server at a URL.
func examine(t *testing.T, url, revision string) suite {
	t.Helper()
	s := newSuite(t, "server", revision)
	s.run(t, "--url", url, "--requirements", revision)
	return s
}

// again gives those scenarios a second try that did not pass and that should have. The log names them.
func (s suite) again(t *testing.T, url string, should func(string, result) bool) {
	t.Helper()
	for name, r := range s.results {
		if !r.pass() && should(name, r) {
			t.Logf("%s: a second try of %s: %v", s.revision, name, r)
			s.run(t, "--url", url, "--spec-version", s.revision, "--scenario", name)
		}
	}
}

// add makes s the union with another run: what passes in either passes.
func (s suite) add(other suite) {
	for name, r := range other.results {
		have := s.results[name]
		r.scored = have.scored
		for check, n := range have.passed {
			if r.passed != nil {
				r.passed[check] = max(r.passed[check], n)
			}
		}
		if have.pass() && !r.pass() || r.broken {
			continue
		}
		s.results[name] = r
	}
}

// run runs the suite and keeps what it reports.
func (s suite) run(t *testing.T, args ...string) {
	t.Helper()
	dir := t.TempDir()
	text, err := conformance(t, append([]string{s.role, "-o", dir}, args...)...).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("running the suite: %v", err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil || len(found) == 0 {
		t.Fatalf("the suite left no results (%v):\n%s", err, text)
	}
	for _, file := range found {
		m := resultFolder.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		if m == nil {
			t.Fatalf("%s does not name a scenario", file)
		}
		r := s.results[m[1]]
		if err := r.read(file); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		s.results[m[1]] = r
	}
}

// read reads the checks of a scenario.
func (r *result) read(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var checks []struct{ ID, Status string }
	if err := json.Unmarshal(raw, &checks); err != nil {
		return err
	}
	r.broken, r.passed, r.failed = false, map[string]int{}, nil
	for _, c := range checks {
		switch c.Status {
		case "SUCCESS":
			r.passed[c.ID]++
		case "FAILURE":
			r.failed = append(r.failed, c.ID)
		case "INFO", "WARNING", "SKIPPED":
		default:
			return fmt.Errorf("check %s has status %q, which is unknown here", c.ID, c.Status)
		}
	}
	return nil
}
