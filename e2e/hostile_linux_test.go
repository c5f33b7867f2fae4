package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWithoutDescriptors takes all descriptors from the process for a while. Meanwhile it lets no call through, and says so;
// afterwards it goes on by itself, new connections and a new segment included.
func TestWithoutDescriptors(t *testing.T) {
	t.Parallel()
	h := newHopgate(t, hostileYAML(t, "", ""))
	key := h.key("good")
	h.serve()
	// A connection that is there already.
	web := &http.Transport{MaxConnsPerHost: 1}
	defer web.CloseIdleConnections()
	post := func(via http.RoundTripper, method, name, message string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+"/mcp/far", strings.NewReader(message))
		if err != nil {
			return err.Error()
		}
		r.Header = h.agent("far", key).header
		modernHead(method, name)(r)
		resp, err := via.RoundTrip(r)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	ask := func(via http.RoundTripper) string { return post(via, "tools/call", "run", modernCall("{}")) }
	done := func(got string) bool { return strings.Contains(got, `"result"`) && !strings.Contains(got, "isError") }
	if got := ask(web); !done(got) {
		t.Fatalf("at first: %s", got)
	}
	var has unix.Rlimit
	if err := unix.Prlimit(h.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &has); err != nil {
		t.Fatal(err)
	}
	has.Max = min(has.Max, 4096) // nobody but root can raise it
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Prlimit(h.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: has.Max}, nil); err != nil {
			t.Fatal(err)
		}
	}
	logged(t, h.log, ready, 1) // a process that cannot open what it starts with ends
	until := func(what string, come func() bool) {
		t.Helper()
		for deadline := soon(t); !come(); {
			select {
			case <-deadline:
				t.Fatalf("in vain: %s\n%s", what, h.log)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	limit(has.Max)
	limit(3)
	until("it notices that there are no descriptors", func() bool { return strings.Contains(ask(web), "POLICY_UNAVAILABLE") }) // it looks ten times a second
	for range 50 {
		if got := ask(web); done(got) || !strings.Contains(got, "POLICY_UNAVAILABLE") {
			t.Fatalf("without descriptors: %s", got)
		}
	}
	waits := make(chan string, 1)
	fresh := &http.Transport{DisableKeepAlives: true}
	go func() { waits <- ask(fresh) }()
	time.Sleep(time.Second)
	limit(has.Max)
	if got := <-waits; !done(got) && !strings.Contains(got, "POLICY_UNAVAILABLE") {
		t.Errorf("a connection that waited: %s", got)
	}
	until("it notices that there are descriptors", func() bool { return done(ask(web)) })
	h.fillSegment(func(uri string) string {
		return post(web, "resources/read", uri, `{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"`+uri+`",`+modernMeta+`}}`)
	})
	for range 200 {
		if got := ask(web); !done(got) {
			t.Fatalf("with descriptors again: %s", got)
		}
	}
	if !strings.Contains(h.log.String(), "too many open files") {
		t.Error("the log does not say what was wrong")
	}
	h.stop()
	h.verify()
}

// fillSegment has refusals put on record until the journal begins another segment. It is full soonest of those with long
// names.
func (h *hopgate) fillSegment(refused func(uri string) string) {
	h.t.Helper()
	segments := func() int { return len(matches(h.t, h.state, "journal/*.seg")) }
	uri := "file:///" + strings.Repeat("x", 1000)
	before := segments()
	for n := 0; segments() == before; n++ {
		if got := refused(uri); !strings.Contains(got, `"error"`) || n > 10_000 {
			h.t.Fatalf("refusal %d: %s", n, got)
		}
	}
}
