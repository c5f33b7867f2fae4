package upstream_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// TestAListenerIsWaitedForWithoutBeingAsked has a server say something now and then, comments among it, over plain TCP and
// over TLS. Whoever listens is woken by all that comes, and by the end of the context.
func TestAListenerIsWaitedForWithoutBeingAsked(t *testing.T) {
	for how, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(how, func(t *testing.T) {
			say := make(chan string)
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				w.WriteHeader(http.StatusOK)
				for {
					http.NewResponseController(w).Flush()
					select {
					case <-r.Context().Done():
						return
					case m := <-say:
						io.WriteString(w, m)
					}
				}
			}))
			start := srv.Start
			if secure {
				start = srv.StartTLS
			}
			start()
			c := httpConfig(srv.URL)
			if secure {
				c.Roots = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			}
			t.Cleanup(func() {
				srv.CloseClientConnections()
				srv.Close()
			})
			ctx, cancel := context.WithCancel(t.Context())
			st, err := open(t, newServer(t, c)).Listen(ctx)
			if err != nil {
				t.Fatal(err)
			}
			patient := st.(upstream.Patient)
			woken := make(chan struct{}, 1)
			try := func() (*upstream.Incoming, error) {
				return patient.Try(ctx, func() { woken <- struct{}{} })
			}
			for range 2 {
				if in, err := try(); in != nil || err != nil {
					t.Fatalf("of a server that says nothing came %v, %v", in, err)
				}
				say <- ": nothing\n\n"
				<-woken
				if in, err := try(); in != nil || err != nil {
					t.Fatalf("of a comment came %v, %v", in, err)
				}
				say <- "data: " + note + "\n\n"
				<-woken
				in, err := try()
				if err != nil || in == nil || string(in.Frame.Raw) != note {
					t.Fatalf("got %v, %v, want %s", in, err, note)
				}
			}
			if in, err := try(); in != nil || err != nil {
				t.Fatalf("after the last message came %v, %v", in, err)
			}
			cancel()
			<-woken
			if in, err := try(); in != nil || err == nil {
				t.Errorf("after the end of the context came %v, %v", in, err)
			}
			st.Close()
		})
	}
}
