package ingress_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// TestAStreamIsParked has the handler of a GET return while its stream goes on, over plain TCP and over TLS, until the
// client goes, the upstream has nothing more to say, or the listener ends.
func TestAStreamIsParked(t *testing.T) {
	for how, secure := range map[string]bool{"plain": false, "TLS": true} {
		for end, finish := range map[string]func(body func(), last chan struct{}, l *ingress.Lasting){
			"the client goes":   func(hangUp func(), _ chan struct{}, _ *ingress.Lasting) { hangUp() },
			"the stream ends":   func(_ func(), last chan struct{}, _ *ingress.Lasting) { close(last) },
			"the listener ends": func(_ func(), _ chan struct{}, l *ingress.Lasting) { l.Leave(t.Context()) },
		} {
			t.Run(how+", "+end, func(t *testing.T) {
				say, last, over := make(chan string), make(chan struct{}), make(chan struct{})
				h := &handler{listen: func(ctx context.Context, _ *ingress.Head, r ingress.Reply) {
					defer close(over)
					_ = r.Open()
					for {
						select {
						case m := <-say:
							_ = r.Send("0-1", []byte(m))
						case <-last:
							return
						case <-ctx.Done():
							return
						}
					}
				}}
				lasting := ingress.NewLasting()
				x, err := ingress.NewHTTP(ingress.Config{Handler: h, Clock: time.Now, Lasting: lasting})
				if err != nil {
					t.Fatal(err)
				}
				returned := make(chan struct{})
				s := httptest.NewUnstartedServer(nil)
				s.Config = ingress.NewServer(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(returned)
					x.ServeHTTP(w, r)
				}), time.Now, 1<<16).Server
				start := s.Start
				if secure {
					start = s.StartTLS
				}
				start()
				t.Cleanup(s.Close)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/mcp/up", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				r.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer good"}}
				resp, err := s.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Date") == "" {
					t.Errorf("the head is %d %v", resp.StatusCode, resp.Header)
				}
				<-returned
				say <- `{"late":1}`
				lines := bufio.NewReader(resp.Body)
				for line := ""; !strings.Contains(line, `data: {"late":1}`); {
					if line, err = lines.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
				}
				finish(func() { resp.Body.Close() }, last, lasting)
				<-over
				lasting.Leave(t.Context()) // waits for whatever there still is
			})
		}
	}
}
