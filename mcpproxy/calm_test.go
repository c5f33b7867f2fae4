package mcpproxy_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func changed(list string, n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%s/list_changed","params":{"_meta":{"n":%d}}}`, list, n)
}

// TestAStormOfChangesIsMerged: the first goes on, and the last of those that follow within a second. Other news do not wait.
func TestAStormOfChangesIsMerged(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		for i := range 100 {
			w.push("up-1", changed("tools", i))
		}
		w.push("up-1", changed("prompts", 0))
		w.push("up-1", note("x"))
		start := time.Now()
		for _, want := range []string{changed("tools", 0), changed("prompts", 0), note("x")} {
			if got := get.must().data; got != want || time.Since(start) > 0 {
				t.Errorf("after %s came %s, want %s", time.Since(start), got, want)
			}
		}
		if got := get.must().data; got != changed("tools", 99) || time.Since(start) != time.Second {
			t.Errorf("after %s came %s", time.Since(start), got)
		}
		w.push("up-1", changed("tools", 100))
		if got := get.must().data; got != changed("tools", 100) || time.Since(start) != 2*time.Second {
			t.Errorf("after %s came %s", time.Since(start), got)
		}
		time.Sleep(2 * time.Second)
		start = time.Now()
		w.push("up-1", changed("tools", 101))
		if got := get.must().data; got != changed("tools", 101) || time.Since(start) > 0 {
			t.Errorf("in calm: after %s came %s", time.Since(start), got)
		}
		if n := len(w.journal.find("notifications/tools/list_changed")); n > 0 {
			t.Errorf("%d of the news are refused", n)
		}
	})
}

// TestNewsOfNoListDoNotWait: nothing is kept, and nobody waits, for names that a server makes up.
func TestNewsOfNoListDoNotWait(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		start, before := time.Now(), runtime.NumGoroutine()
		for i := range 50 {
			for range 2 {
				w.push("up-1", changed(fmt.Sprint("made-up-", i), i))
				if got := get.must().data; got != changed(fmt.Sprint("made-up-", i), i) || time.Since(start) > 0 {
					w.t.Fatalf("after %s came %s", time.Since(start), got)
				}
			}
		}
		if after := runtime.NumGoroutine(); after > before+10 {
			w.t.Errorf("%d goroutines, and %d after", before, after)
		}
	})
}

// TestAStormOnASubscriptionIsMerged is the same in the later era, for each subscription.
func TestAStormOnASubscriptionIsMerged(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		sub := w.agent("alice").post(modern("subscriptions/listen", `,"notifications":{"toolsListChanged":true}`), modernHead("subscriptions/listen", ""))
		sub.must()
		for i := range 50 {
			w.server.streams <- strings.Replace(changed("tools", i), `"n"`, `"io.modelcontextprotocol/subscriptionId":1,"n"`, 1)
		}
		var got []string
		for range 2 {
			got = append(got, sub.must().data)
		}
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, `"n":0`) }) || !strings.Contains(got[1], `"n":49`) {
			t.Errorf("got %s", got)
		}
	})
}
