package mcpproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// TestASessionOutlivesTheKeyThatOpenedIt where its agent has come with a newer one since. A stream that hangs on the old key
// ends with it; the client opens it again.
func TestASessionOutlivesTheKeyThatOpenedIt(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.keys.valid["second-key"] = "alice"
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		c.key = "second-key"
		if status, _ := c.call(tool("1", "echo", "{}")); status != 200 {
			t.Errorf("with the second key: %d", status)
		}
		w.revoke("alice-key")
		if got := get.all(); len(got) > 0 {
			t.Errorf("the stream of the revoked key got %s", got)
		}
		if status, _ := c.call(tool("2", "echo", "{}")); status != 200 {
			t.Errorf("when the first key is revoked: %d", status)
		}
		get = c.listen("")
		synctest.Wait()
		w.push("up-1", note("after"))
		if m := get.must(); m.data != note("after") {
			t.Errorf("got %s", m.data)
		}
		w.revoke("second-key")
		if got := get.all(); len(got) > 0 {
			t.Errorf("got %s", got)
		}
		synctest.Wait()
		if len(w.server.ended) != 1 {
			t.Errorf("sessions that the upstream was told to end: %s", w.server.ended)
		}
		w.keys.valid["third-key"] = "alice"
		c.key = "third-key"
		if status, _ := c.call(tool("3", "echo", "{}")); status != 404 {
			t.Errorf("when no key counts that it was used with: %d", status)
		}
	})
}

func TestRevocationEndsOnlyWhatTheKeyOpened(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.keys.valid["second-key"] = "alice"
		first := w.session("alice", "2025-11-25")
		second := &client{w: w, key: "second-key", upstream: "up", http: first.http}
		second.initialize("2025-11-25")
		w.revoke("alice-key")
		if status, _ := first.call(tool("1", "echo", "{}")); status != 401 {
			t.Errorf("the revoked key: %d", status)
		}
		if status, _ := second.call(tool("1", "echo", "{}")); status != 200 {
			t.Errorf("the other key: %d", status)
		}
		first.key = "second-key"
		if status, _ := first.call(tool("1", "echo", "{}")); status != 404 {
			t.Errorf("the session of the revoked key: %d", status)
		}
	})
}

// TestKeyRevokedDuringInitialize is answered as the key is that does not count: told that its session is unknown, the client
// would begin again with that key.
func TestKeyRevokedDuringInitialize(t *testing.T) {
	cases := map[string]func(w *world){
		"while it is judged": func(w *world) {
			w.gate.check = func(context.Context, *policy.Call) (policy.Verdict, error) {
				w.revoke("alice-key")
				return policy.Pass, nil
			}
		},
		"while it is put on record": func(w *world) {
			w.journal.fail = func(*policy.Call) error {
				w.revoke("alice-key")
				return fmt.Errorf("waiting for the disk: %w", context.Canceled)
			}
		},
		"before it is sent": func(w *world) {
			w.journal.fail = func(*policy.Call) error {
				w.revoke("alice-key")
				return nil
			}
		},
		"while the server thinks": func(w *world) {
			w.server.intrude = func(_ http.ResponseWriter, r *http.Request, f *wire.Frame) bool {
				if f.String(wire.Method) != "initialize" {
					return false
				}
				w.revoke("alice-key")
				<-r.Context().Done()
				return true
			}
		},
	}
	for name, during := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.agent("alice")
				during(w)
				r := c.post(hello)
				got := r.last()
				if r.status != 401 || !strings.Contains(got, "UNAUTHENTICATED") || r.header.Get("Mcp-Session-Id") != "" {
					t.Errorf("status %d, session %q, %s", r.status, r.header.Get("Mcp-Session-Id"), got)
				}
				synctest.Wait()
				if e := w.journal.find("initialize"); len(e) > 0 && e[len(e)-1].code != "UNAUTHENTICATED" {
					t.Errorf("on record is %q", e[len(e)-1].code)
				}
			})
		})
	}
}
