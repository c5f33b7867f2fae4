//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// everythingClient is the reference client of go-sdk, which passes all that the official suite asks of a client.
const everythingClient = "github.com/modelcontextprotocol/go-sdk/conformance/everything-client"

// TestConformanceOfTheUpstreamLeg has the suite examine as a client what reaches its servers through Hopgate: the reference
// client, and Hopgate. Scenarios of OAuth are not among them: they are about who asks for tokens, and an agent asks for none.
func TestConformanceOfTheUpstreamLeg(t *testing.T) {
	for _, revision := range []string{legacy, modern} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			s := newSuite(t, "client", revision)
			passed := 0
			for name := range s.results {
				if strings.HasPrefix(name, "auth/") {
					continue
				}
				s.throughHopgate(t, name)
				if r := s.results[name]; !r.pass() {
					t.Logf("a second try of %s: %v", name, r)
					s.throughHopgate(t, name)
				}
				if r := s.results[name]; !r.pass() {
					t.Errorf("%s: %v", name, r)
					continue
				}
				passed++
			}
			t.Logf("%s through Hopgate: %d scenarios passed, %d checks", revision, passed, s.checks())
			if want := map[string]int{legacy: 5, modern: 8}[revision]; passed != want {
				t.Errorf("%d scenarios passed, want %d", passed, want)
			}
		})
	}
}

// throughHopgate runs one scenario with a Hopgate of its own between the reference client and the server of the suite.
// The suite starts its server first and then what it examines, so Hopgate's upstream is an address of the test's, which learns where it leads.
func (s suite) throughHopgate(t *testing.T, scenario string) {
	t.Helper()
	var target atomic.Pointer[url.URL]
	ended := func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) } // the suite has ended its server
	way := &httputil.ReverseProxy{FlushInterval: -1, ErrorHandler: ended, Rewrite: func(r *httputil.ProxyRequest) {
		to := target.Load()
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.Path, r.Out.Host = to.Scheme, to.Host, to.Path, to.Host
	}}
	addr := local(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/target" {
			way.ServeHTTP(w, r)
			return
		}
		raw, err := io.ReadAll(r.Body)
		to, err2 := url.Parse(string(raw))
		if err != nil || err2 != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		target.Store(to)
		w.WriteHeader(http.StatusNoContent)
	}))

	h := newHopgate(t, everyGate("url: http://"+addr+"/mcp"))
	via := forward(t, h)
	command := []string{program(t, "through"), "http://" + addr + "/target", via, program(t, everythingClient)}
	s.run(t, "--command", strings.Join(command, " "), "--spec-version", s.revision, "--scenario", scenario)
	h.verify()
	h.stop()
}
