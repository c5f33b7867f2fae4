package ingress_test

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// FuzzStdio cuts any bytes into lines: each line is one message, whole and once, or is refused.
func FuzzStdio(f *testing.F) {
	for _, seed := range []string{
		"{}\n", "{\"a\":1}\r\n\n\n{\"b\":2}\n", strings.Repeat("x", 70) + "\n{}\n", "unfinished", strings.Repeat("y", 200), "\r\n\r", "\x00\n\xff\n",
		`{"jsonrpc":"2.0","id":1,"method":"initialize"}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n",
		`{"id":1,"result":{}}` + "\n" + `{"id":1,"error":{}}` + "\n",
	} {
		f.Add([]byte(seed))
	}
	const limit = 64
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Count(in, []byte("\n")) > 200 {
			return // more than may wait are refused, which another test is about
		}
		var want, refused []string
		for line := range bytes.Lines(in) {
			switch text := string(bytes.TrimRight(line, "\r\n")); {
			case len(line) > limit+2:
				refused = append(refused, "BODY_TOO_LARGE")
			case !bytes.HasSuffix(line, []byte("\n")):
				refused = append(refused, "STREAM_ENDED")
			case text != "":
				want = append(want, text)
			}
		}
		var mu sync.Mutex
		var got []string
		h := &handler{limit: limit, post: func(_ context.Context, m *ingress.Message, _ ingress.Reply) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, string(m.Raw))
		}}
		run(t, h, bytes.NewReader(in), local)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) || h.codes() != strings.Join(refused, " ") {
			t.Errorf("%q: got %q and refused %q, want %q and %q", in, got, h.codes(), want, refused)
		}
	})
}

// recorder is a ResponseRecorder with deadlines.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetReadDeadline(time.Time) error  { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }

// FuzzHTTP sends any request: what reaches the handler's guest is a POST of JSON with one credential that is good, from no
// foreign page, with one of each header that matters; all else is refused, and whoever is unknown is challenged.
func FuzzHTTP(f *testing.F) {
	const sound = "POST /mcp/up HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: Bearer good\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\nContent-Length: 2\r\n"
	for _, more := range []string{
		"", "Origin: http://localhost:1\r\n", "Origin: null\r\n", "X-API-Key: good\r\n", "Mcp-Session-Id: a\r\nMcp-Session-Id: b\r\n",
		"Mcp-Param-X: 1\r\nmcp-param-x: 2\r\n", "Content-Encoding: gzip\r\n", "Transfer-Encoding: chunked\r\n", "Last-Event-ID: 1-1\r\n",
		"Mcp-Protocol-Version: 2026-07-28\r\nMcp-Method: ping\r\n",
	} {
		f.Add([]byte(sound + more + "\r\n{}"))
	}
	f.Add([]byte(strings.Replace(sound, "localhost:1", "evil.example", 1) + "\r\n{}"))
	f.Add([]byte(strings.Replace(sound, "Bearer good", "Bearer bad", 1) + "\r\n{}"))
	f.Add([]byte("GET /mcp/%2e%2e HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: good\r\nAccept: text/event-stream\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil || strings.ContainsAny(r.Host, "@/\\?# ") {
			return // net/http answers these itself
		}
		reached := false
		h := &handler{limit: 1000}
		h.post = func(_ context.Context, _ *ingress.Message, reply ingress.Reply) {
			reached = true
			reply.Accept()
		}
		h.listen = func(context.Context, *ingress.Head, ingress.Reply) {}
		x, err := ingress.NewHTTP(ingress.Config{Handler: h, Clock: time.Now, Lasting: ingress.NewLasting()})
		if err != nil {
			t.Fatal(err)
		}
		w := recorder{httptest.NewRecorder()}
		x.ServeHTTP(w, r)
		if challenged := w.Header().Get("Www-Authenticate") != ""; challenged != (w.Code == http.StatusUnauthorized) {
			t.Errorf("status %d, challenge %q", w.Code, w.Header().Get("Www-Authenticate"))
		}
		if reached && !deserved(r) {
			t.Errorf("let in: %q", raw)
		}
		if !reached && r.Method == http.MethodPost && w.Code < 400 {
			t.Errorf("status %d for what was not let in", w.Code)
		}
	})
}

// deserved reports whether a request may reach the guest, in other words than the package's.
func deserved(r *http.Request) bool {
	for name, values := range r.Header {
		single := strings.HasPrefix(name, "Mcp-") || slices.Contains([]string{"Content-Type", "Last-Event-Id", "Origin"}, name)
		if single && len(values) != 1 {
			return false
		}
	}
	keys := slices.Concat(r.Header.Values("Authorization"), r.Header.Values("X-Api-Key"))
	good := len(keys) == 1 && strings.HasSuffix(strings.TrimSpace(keys[0]), "good")
	u, err := url.Parse("http://" + r.Host)
	ip := net.ParseIP("127.0.0.1")
	if err == nil {
		ip = net.ParseIP(u.Hostname())
	}
	here := err != nil || strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
	origin := r.Header.Get("Origin")
	ours := origin == "" && len(r.Header.Values("Origin")) == 0 ||
		strings.EqualFold(origin, "http://"+r.Host) || strings.EqualFold(origin, "https://"+r.Host)
	return r.Method == http.MethodPost && good && here && ours && strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "application/json") &&
		r.Header.Get("Content-Encoding") == "" && strings.Count(r.URL.Path, "/") == 2
}
