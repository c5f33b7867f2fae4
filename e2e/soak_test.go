package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The soak test: agents come, work, and go, half of them without taking leave. What they have taken must come back. Without
// HOPGATE_SOAK, a duration, it is short; make soak runs it for an hour.

const (
	soakAgents = 16
	soakIdle   = 5 * time.Second // after which a session that was abandoned ends
)

// usage is what a process holds, but for the tables of its store: they grow with the journal, and what is mapped of them the
// kernel takes back when it wants to.
type usage struct{ resident, descriptors, children int } // KB, and numbers

// held reads what the process holds.
func (h *hopgate) held() (u usage) {
	h.t.Helper()
	dir := fmt.Sprintf("/proc/%d", h.cmd.Process.Pid)
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		h.t.Skip("what a process holds is read from /proc")
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			fmt.Sscan(rest, &u.resident)
		}
	}
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(dir, "fd", f.Name())); err == nil && filepath.Base(filepath.Dir(to)) != "badger" {
			u.descriptors++ // that is still open
		}
	}
	threads, err := filepath.Glob(filepath.Join(dir, "task", "*", "children"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, name := range threads {
		pids, _ := os.ReadFile(name) // a thread may end meanwhile
		u.children += len(strings.Fields(string(pids)))
	}
	return u
}

// goroutines ends the process with a dump of its stacks, and counts them.
func (h *hopgate) goroutines() int {
	h.t.Helper()
	h.cmd.Process.Signal(syscall.SIGQUIT)
	<-h.read // Wait closes what is read from
	h.cmd.Wait()
	n := strings.Count(h.log.String(), "\ngoroutine ")
	if n == 0 {
		h.t.Fatal("there is no dump of stacks")
	}
	return n
}

// soakServer serves sessions and keeps nothing of them but open streams.
func soakServer(t *testing.T) string {
	t.Helper()
	var sessions atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		case http.MethodDelete:
			return
		}
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if json.NewDecoder(r.Body).Decode(&m) != nil || m.ID == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		result := `"content":[{"type":"text","text":"done"}]`
		if m.Method == "initialize" {
			w.Header().Set("Mcp-Session-Id", fmt.Sprintf("soak-%d", sessions.Add(1)))
			result = `"protocolVersion":"2025-11-25",` + recorderCapabilities
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{%s}}`, m.ID, result)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// soaked starts Hopgate with an upstream over HTTP and one that is a child, and returns the keys of the agents.
func soaked(t *testing.T, sessions string) (h *hopgate, keys []string) {
	t.Helper()
	var agents strings.Builder
	for i := range soakAgents {
		fmt.Fprintf(&agents, "  a%d: key\n", i)
	}
	h = newHopgate(t, fmt.Sprintf(`version: 1
listen: { mcp: "127.0.0.1:0" }
sessions: %s
agents:
%supstreams: { far: { url: %q }, near: { command: [%q] } }
connections:
  far: { from: "*", to: far, tools: [run] }
  near: { from: "*", to: near, tools: [echo] }
`, sessions, agents.String(), soakServer(t), program(t, "rawecho")))
	for i := range soakAgents {
		keys = append(keys, h.key(fmt.Sprintf("a%d", i)))
	}
	h.serve()
	return h, keys
}

// listen opens the stream of a session over a connection of its own.
func (a *agent) listen() (net.Conn, error) {
	address := strings.TrimPrefix(a.url, "http://")
	address, _, _ = strings.Cut(address, "/")
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequest(http.MethodGet, a.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header = a.header.Clone()
	if err := r.Write(c); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("status %d, %s (%w)", resp.StatusCode, body, err)
	}
	return c, nil
}

// live is a session from its beginning to its end, which is one of three.
func (h *hopgate) live(n int, key string) {
	to, call := "far", goodCall
	if n%100 == 99 {
		to, call = "near", strings.Replace(goodCall, `"run"`, `"echo"`, 1)
	}
	a := h.agent(to, key)
	a.greet("2025-11-25")
	if x := a.post(call, nil); !strings.Contains(x.last(), `"result"`) {
		h.t.Errorf("session %d: %d %s", n, x.status, x.body)
	}
	if n%4 == 0 {
		c, err := a.listen()
		if err != nil {
			h.t.Errorf("session %d: %v", n, err)
			return
		}
		defer c.Close()
	}
	if n%2 == 0 {
		s := a.open(http.MethodDelete, "", nil)
		if got := s.status(); got != http.StatusNoContent {
			h.t.Errorf("session %d: DELETE: %d", n, got)
		}
	}
}

// churn lives through n sessions, or more where until has not come.
func (h *hopgate) churn(keys []string, n int, until time.Time) (lived int) {
	var next atomic.Int64
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for !h.t.Failed() {
				i := int(next.Add(1)) - 1
				if i >= n && !time.Now().Before(until) {
					return
				}
				h.live(i, keys[i/2%len(keys)]) // each takes leave as often as not
			}
		})
	}
	work.Wait()
	return int(next.Load()) - 8
}

// settled waits until nothing is held any more that is not held at rest.
func (h *hopgate) settled(rest usage) usage {
	h.t.Helper()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	var u usage
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if u = h.held(); u.descriptors <= rest.descriptors && u.children <= rest.children && u.resident <= rest.resident {
			return u
		}
	}
	h.t.Errorf("held is %+v, want at most %+v", u, rest)
	return u
}

func TestWhatAgentsTakeComesBack(t *testing.T) {
	n, until := 400, time.Now()
	long, err := time.ParseDuration(os.Getenv("HOPGATE_SOAK"))
	if err == nil {
		n, until = 10_000, time.Now().Add(long)
	}
	quiet, _ := soaked(t, fmt.Sprintf("{ idle: %v }", soakIdle))
	h, keys := soaked(t, fmt.Sprintf("{ idle: %v }", soakIdle))
	rest := h.held() // but for memory, of which a process needs more to begin than to go on
	h.churn(keys, 200, time.Now())
	rest.resident = h.held().resident + 48*1024 // what the store keeps of the journal; 10,000 sessions that stay are twice that
	rest.descriptors += 20                      // idle connections to the upstream
	begun := time.Now()
	n = h.churn(keys, n, until)
	peak := h.held()
	t.Logf("%d sessions in %v", n, time.Since(begun).Round(time.Second))
	end := h.settled(rest)
	base := quiet.goroutines()
	t.Logf("at rest %+v, after the last session %+v, at the end %+v", rest, peak, end)
	if got := h.goroutines(); got > base+20 {
		t.Errorf("%d goroutines, at rest %d", got, base)
	} else {
		t.Logf("%d goroutines, at rest %d", got, base)
	}
}

// TestAnIdleStreamCostsLittle measures what an open stream holds that nothing is said on, and the stream to the server that
// goes with it. With HOPGATE_SOAK both ends of the measure are at rest: what only opening took is given back.
func TestAnIdleStreamCostsLittle(t *testing.T) {
	each, most, wait := 50, 64.0, 2*time.Second // KB; of few sessions, what the process holds anyway shows
	if os.Getenv("HOPGATE_SOAK") != "" {
		each, most, wait = 560, 28, time.Minute
	}
	needsFiles(t, 2*soakAgents*each+2000) // a stream has two ends here, and two in the process
	h, keys := soaked(t, "{ idle: 1h }")
	h.churn(keys, 200, time.Now())
	time.Sleep(wait)
	before := h.held()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for _, key := range keys {
		for range each {
			a := h.agent("far", key)
			a.greet("2025-11-25")
			c, err := a.listen()
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
		}
	}
	time.Sleep(wait)
	after := h.held()
	got := float64(after.resident-before.resident) / float64(len(open))
	t.Logf("%.1f KB for each of %d streams, from %+v to %+v", got, len(open), before, after)
	if got > most {
		t.Errorf("a stream costs %.1f KB, want at most %.0f", got, most)
	}
}
