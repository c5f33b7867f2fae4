package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crashYAML grants tools whose names are numbers, because the names alone are on record.
func crashYAML(upstream string) string {
	return `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { tester: key }
upstreams: { up: ` + upstream + ` }
connections:
  all: { from: tester, to: up, tools: ["t_*"] }
`
}

// customer calls one tool after the other until nobody answers. Half of them have sessions.
type customer struct {
	*agent
	legacy bool
	number *atomic.Int64
}

func (c *customer) run() {
	session := ""
	if c.legacy {
		resp, err := c.try(hello("2025-11-25"), nil)
		if err != nil {
			return
		}
		session = resp.Header.Get("Mcp-Session-Id")
		if _, err := c.try(initialized, set("Mcp-Session-Id", session)); err != nil {
			return
		}
	}
	for {
		name := fmt.Sprintf("t_%d", c.number.Add(1))
		meta, head := modernMeta, modernHead("tools/call", name)
		if c.legacy {
			meta, head = `"_meta":{}`, set("Mcp-Session-Id", session)
		}
		if _, err := c.try(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,%s}}`, name, meta), head); err != nil {
			return
		}
	}
}

// try sends a message and reads the answer to its end.
func (c *customer) try(body string, edit func(*http.Request)) (*http.Response, error) {
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.Header = c.header.Clone(); edit != nil {
		edit(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		c.t.Errorf("a call is refused: %d", resp.StatusCode)
	}
	return resp, err
}

// TestCrashesLoseNothing kills the process under load, many times on one state directory. HOPGATE_CRASH_RUNS says how
// many times (10).
func TestCrashesLoseNothing(t *testing.T) {
	t.Parallel()
	runs := 10
	if n, err := strconv.Atoi(os.Getenv("HOPGATE_CRASH_RUNS")); err == nil {
		runs = n
	}
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			rec := newRecorder(t)
			var hang atomic.Bool
			rec.methods["tools/call"] = func(a *asked) {
				if hang.Load() {
					<-a.gone
					return
				}
				time.Sleep(time.Millisecond) // so that some calls are under way at any moment
				a.text("done")
			}
			h := newHopgate(t, crashYAML(rec.upstream(up)))
			key := h.key("tester")
			var number atomic.Int64
			for run := range runs / len(upstreams) {
				hang.Store(run == 0) // however slow the machine is, one crash comes in the middle of calls
				crash(t, h, key, &number, func() {
					if run == 0 {
						rec.await("a call", func(a asked) bool { return a.method == "tools/call" })
					}
				})
			}
			h.serve()
			h.verify()
			h.stop()
			h.verify()
			checkBooks(t, h, rec)
		})
	}
}

// crash lets customers come for a while, and kills the process among them when it may.
func crash(t *testing.T, h *hopgate, key string, number *atomic.Int64, may func()) {
	t.Helper()
	h.serve() // which a crash does not delay
	h.verify()
	var work sync.WaitGroup
	for i := range 6 {
		c := customer{h.agent("up", key), i%2 == 0, number}
		work.Go(c.run)
	}
	may()
	time.Sleep(time.Duration(rand.Int64N(int64(150 * time.Millisecond)))) // a crash comes at any time
	if err := h.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	h.cmd.Wait()
	work.Wait()
}

// checkBooks compares what the upstream got with what is on record.
func checkBooks(t *testing.T, h *hopgate, rec *recorder) {
	t.Helper()
	intents, outcomes, unknown := map[string]string{}, map[string]int{}, 0
	refs := map[string]bool{}
	for _, r := range h.records() {
		switch r.Kind {
		case "intent":
			if refs[r.Ref] {
				t.Errorf("two intents of %s", r.Ref)
			}
			refs[r.Ref] = true
			if r.Method == "tools/call" {
				intents[r.Target] = r.Ref
			}
		case "outcome":
			outcomes[r.Ref]++
			if r.Status == "unknown" {
				unknown++
			}
		}
	}
	calls := 0
	for _, m := range rec.got() {
		if m.method != "tools/call" {
			continue
		}
		calls++
		if intents[m.name] == "" {
			t.Errorf("the upstream got %s, which is not on record", m.name)
		}
	}
	for ref := range refs {
		if outcomes[ref] != 1 {
			t.Errorf("the call %s has %d outcomes on record, want 1", ref, outcomes[ref])
		}
	}
	t.Logf("%d calls reached the upstream, %d are on record, of %d nobody knows the end", calls, len(intents), unknown)
	if calls == 0 || unknown == 0 {
		t.Errorf("%d calls and %d unknown ends: no crash came in the middle of anything", calls, unknown)
	}
}
