//go:build e2e

package e2e

import (
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// unbridged are the scenarios that pass directly against the reference server in its own era, and that no bridge from the
// other era can satisfy, each with its reason.
var unbridged = map[string]map[string]string{
	legacy: {
		"tools-call-sampling":               mute,
		"tools-call-elicitation":            mute,
		"elicitation-sep1034-defaults":      mute,
		"elicitation-sep1330-enums":         mute,
		polling + "/server-sse-retry-field": "streams to agents are Hopgate's own, in whatever era; see docs/decisions/0008",
	},
	modern: {
		"input-required-result-basic-elicitation":                                     "the suite wants the name that the server gives its question; a request in a session has none",
		"input-required-result-multi-round":                                           "the reference server asks a session once and gives its second question up",
		"input-required-result-ignore-extra-params/sep-2322-ignore-unexpected-params": "answers that no question came before reach no server that asks by requests",
	},
}

// mute says that the tool of the reference server asks by a request, which its library refuses where there is no session:
// the question never leaves the server. Questions that do are bridged; the tests of package mcpproxy show it.
const mute = "the tool of the reference server cannot ask in the later era"

// TestConformanceAcrossEras runs the suite of each era through Hopgate against a server that speaks the other alone.
func TestConformanceAcrossEras(t *testing.T) {
	for _, revision := range []string{legacy, modern} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			direct := direct(t, home(revision), revision)
			up := modernOnly(t, everything(t, "stateless"))
			if revision == modern {
				up = everything(t, "stateful")
			}
			h := sample(t, "permissive.yaml", "UPSTREAM_URL="+up)
			via := forward(t, h)
			got := examine(t, via, revision)
			got.again(t, via, func(name string, _ result) bool {
				_, known := unbridged[revision][name]
				return direct.results[name].pass() && !known
			})
			passed, total := got.score()
			t.Logf("%s over a server of the other era: %d of %d scenarios, %d checks", revision, passed, total, got.checks())
			lost := got.lost(direct)
			for _, name := range lost {
				if unbridged[revision][name] == "" {
					scenario, _, _ := strings.Cut(name, "/")
					t.Errorf("%s is lost: %v", name, got.results[scenario])
				}
			}
			for _, name := range slices.Sorted(maps.Keys(unbridged[revision])) {
				if !slices.Contains(lost, name) {
					t.Errorf("%s is not lost any more and needs no exception", name)
				}
			}
			h.verify()
			h.stop()
		})
	}
}

// modernOnly stands before a server and refuses what is not of the later era, as a server does that knows no other.
func modernOnly(t *testing.T, server string) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
		r.Out.Host = target.Host
	}}
	return "http://" + local(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case r.Header.Get("Mcp-Protocol-Version") != modern:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"no such version","data":{"supported":["`+modern+`"]}}}`)
		default:
			p.ServeHTTP(w, r)
		}
	})) + target.Path
}
