package e2e

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Tests of hostile peers hold the process to this, while one of them does its worst and a good agent calls on through the
// same process: none of the good calls fails, be it for want of time, of which their connections give them 20 seconds; what
// the hostile peer takes is bounded, and comes back. How long they take is logged: it depends on what else the machine does.

// What a process may take while several peers at once do their worst. The figures are far below what they send.
const (
	hostileMemory  = 224 << 10 // KiB of resident memory, above what it has at rest
	hostileJournal = 24 << 20  // bytes that the journal grows by, but for the neighbour's calls
	hostileLog     = 4 << 20   // bytes of the log
	hostileAtOnce  = 8         // peers at the same time
	neighbourBytes = 1000      // that the journal has of a good call; the longer the cases take, the more there are
)

// hostileYAML is a configuration with two good servers, near and far, and others. All of the others is for mal, and the
// good ones for good.
func hostileYAML(t *testing.T, upstreams, connections string) string {
	t.Helper()
	return fmt.Sprintf(`version: 1
listen: { mcp: "127.0.0.1:0" }
refusals: 100000/min burst 100000
agents: { good: key, mal: key, here: local }
upstreams:
  far: { url: %q }
  near: { command: [%q] }
%sconnections:
  good-far: { from: good, to: far, tools: [run], timeout: 20s }
  good-near: { from: good, to: near, tools: [echo], timeout: 20s }
%s`, soakServer(t), program(t, "rawecho"), upstreams, connections)
}

// neighbour is a good agent, which calls both good servers all the time.
//
// It keeps its connections. A new one has the rank of a stranger's until its first request is read, and may have to make room for
// those that come from the same address in the same moment, as all here do.
type neighbour struct {
	end  chan struct{}
	work sync.WaitGroup

	mu      sync.Mutex // guards what follows
	calls   int
	slowest time.Duration
	failed  []string
}

func (h *hopgate) neighbour(key string) *neighbour {
	h.t.Helper()
	n := &neighbour{end: make(chan struct{})}
	for to, tool := range map[string]string{"far": "run", "near": "echo"} {
		for _, session := range []bool{false, true} {
			a := h.agent(to, key)
			body, edit := strings.Replace(modernCall("{}"), `"run"`, `"`+tool+`"`, 1), modernHead("tools/call", tool)
			if session {
				a.greet("2025-11-25")
				body, edit = call(`"`+tool+`"`), func(*http.Request) {}
			}
			kept := new(http.Transport)
			n.call(kept, a, body, edit) // now it has its connection
			n.work.Go(func() {
				defer kept.CloseIdleConnections()
				for {
					select {
					case <-n.end:
						return
					case <-time.After(25 * time.Millisecond):
						n.call(kept, a, body, edit)
					}
				}
			})
		}
	}
	return n
}

// call makes a call and notes what came of it.
func (n *neighbour) call(kept *http.Transport, a *agent, body string, edit func(*http.Request)) {
	begun := time.Now()
	got, err := a.send(kept, body, edit)
	took := time.Since(begun)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls++
	n.slowest = max(n.slowest, took)
	if err != nil || !strings.Contains(got, `"id":7,"result":`) || strings.Contains(got, "isError") {
		n.failed = append(n.failed, fmt.Sprintf("%.300s (%v)", got, err))
	}
}

// send posts a message; other than post it may be called from any goroutine.
func (a *agent) send(over http.RoundTripper, body string, edit func(*http.Request)) (string, error) {
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header = a.header.Clone()
	edit(r)
	resp, err := over.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return string(raw), err
}

// leave ends the calls, and holds them to what they must be.
func (n *neighbour) leave(t *testing.T) {
	t.Helper()
	close(n.end)
	n.work.Wait()
	t.Logf("the neighbour made %d calls, the slowest took %v", n.calls, n.slowest.Round(time.Millisecond))
	if len(n.failed) > 0 {
		t.Errorf("%d of the neighbour's calls failed, one with %s", len(n.failed), n.failed[0])
	}
	if n.calls < 20 {
		t.Errorf("the neighbour made %d calls", n.calls)
	}
}

// underFire starts the process, and lets a neighbour call while the cases run, several at a time.
// Afterwards calm takes out of the configuration whom they belonged to, and nothing of them may be left.
func (h *hopgate) underFire(cases map[string]func(t *testing.T, h *hopgate), calm *strings.Replacer) {
	t, _ := h.t.(*testing.T)
	config, err := os.ReadFile(h.config)
	if err != nil {
		t.Fatal(err)
	}
	quiet := newHopgate(t, calm.Replace(string(config)))
	keys := []string{quiet.key("good"), h.key("good")}
	h.mal = h.key("mal")
	quiet.serve()
	h.serve()
	good := h.neighbour(keys[1])
	time.Sleep(time.Second) // in which the neighbour's servers start
	rest, journal := h.held(), h.journal()
	h.clearPeak()
	least, begun := h.peak(), time.Now()
	t.Run("case", func(t *testing.T) {
		var all sync.WaitGroup
		turns := make(chan struct{}, cmp.Or(h.atOnce, hostileAtOnce))
		for name, run := range cases {
			all.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				t.Run(name, func(t *testing.T) {
					mine := *h
					mine.t = t
					run(t, &mine)
				})
			})
		}
		all.Wait()
	})
	took := time.Since(begun)
	peak, journal := h.peak()-least, h.journal()-journal
	good.leave(t)
	t.Logf("%d cases in %v: memory grew by %d KiB at most, the journal by %d KiB, the log has %d KiB",
		len(cases), took.Round(time.Second), peak, journal>>10, len(h.log.String())>>10)
	if most := cmp.Or(h.memory, hostileMemory); peak > most {
		t.Errorf("memory grew by %d KiB, want at most %d", peak, most)
	}
	if journal -= int64(good.calls) * neighbourBytes; journal > hostileJournal {
		t.Errorf("the journal grew by %d bytes beside the neighbour's calls, want at most %d", journal, hostileJournal)
	}
	if n := len(h.log.String()); n > hostileLog {
		t.Errorf("the log has %d bytes, want at most %d", n, hostileLog)
	}
	h.write(calm.Replace(string(config)))
	h.comesBack(quiet, keys[0], rest)
}

// comesBack waits until nothing is held any more that was not held before, and compares goroutines with a process that
// nothing was done to.
func (h *hopgate) comesBack(quiet *hopgate, key string, rest usage) {
	h.t.Helper()
	good := quiet.neighbour(key)
	time.Sleep(time.Second)
	close(good.end)
	good.work.Wait()
	rest.resident, rest.descriptors = 1<<30, rest.descriptors+20
	h.settled(rest)
	base := quiet.goroutines()
	if got := h.goroutines(); got > base+20 {
		h.t.Errorf("%d goroutines, in a process at rest %d", got, base)
	}
}

// journal is how many bytes the journal has.
func (h *hopgate) journal() (n int64) {
	h.t.Helper()
	err := filepath.WalkDir(filepath.Join(h.state, "journal"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if fi, err := d.Info(); err == nil { // a file may go meanwhile
			n += fi.Size()
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// clearPeak begins to measure the most memory that the process has.
func (h *hopgate) clearPeak() {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", h.cmd.Process.Pid), []byte("5"), 0); err != nil {
		h.t.Logf("the peak counts from the start: %v", err)
	}
}

// peak is the most memory that the process had, in KiB.
func (h *hopgate) peak() (kib int) {
	h.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Sscan(rest, &kib)
		}
	}
	return kib
}
