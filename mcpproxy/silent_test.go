package mcpproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// TestAServerThatIsSilentInTheHandshake is what operators are told of one, whether its client waits for as long as it may
// or gives up before. A client that hardly waits says nothing of the server.
func TestAServerThatIsSilentInTheHandshake(t *testing.T) {
	const (
		silent  = "no answer to the handshake"
		leaving = time.Minute // more than a session takes to end whose client has gone
	)
	cases := map[string]struct {
		waits  time.Duration
		code   string
		detail string
	}{
		"the client waits":      {10 * time.Minute, "UPSTREAM_TIMEOUT", silent},
		"the client gives up":   {20 * time.Second, "SESSION_ENDED", silent},
		"the client waits less": {time.Second, "SESSION_ENDED", ""},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			bubble(t, func(w *world) {
				t := w.t
				w.server.behave(func(_ http.ResponseWriter, r *http.Request, f *wire.Frame) bool {
					if f.String(wire.Method) == "initialize" {
						<-r.Context().Done()
					}
					return true
				})
				l := w.ws("alice")
				l.say(fmt.Sprintf(helloFormat, "2025-11-25"))
				done := make(chan struct{})
				go func() {
					defer close(done)
					l.hear()
				}()
				time.Sleep(x.waits)
				l.hangUp()
				<-done
				time.Sleep(leaving)
				synctest.Wait()
				e := w.last("initialize")
				if e.code != x.code || e.detail != x.detail {
					t.Errorf("on record is %s (%q), want %s (%q)", e.code, e.detail, x.code, x.detail)
				}
				level := `"level":"info"`
				if x.detail != "" {
					level = `"level":"warn"`
				}
				if got := log.String(); !strings.Contains(got, level) || !strings.Contains(got, `"message":"no answer from the upstream"`) {
					t.Errorf("the log has %s", got)
				}
			}, func(c *mcpproxy.Config) { c.Log = zerolog.New(zerolog.SyncWriter(&log)) })
		})
	}
}
