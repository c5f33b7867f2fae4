package ingress_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// events reads an event stream.
type events struct {
	t    *testing.T
	resp *http.Response
	br   *bufio.Reader
}

// openSSE opens the stream of the transport of 2024-11-05 and returns it with the address that its first event names.
func openSSE(t *testing.T, url string, edit func(*http.Request)) (*events, string) {
	t.Helper()
	e := getSSE(t, url, edit)
	if e.resp.StatusCode != 200 || e.resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %d, %v", e.resp.StatusCode, e.resp.Header)
	}
	name, data := e.next()
	if name != "endpoint" {
		t.Fatalf("the stream begins with %s %s", name, data)
	}
	return e, data
}

func getSSE(t *testing.T, url string, edit func(*http.Request)) *events {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/sse/up", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer good"}}
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return &events{t, resp, bufio.NewReader(resp.Body)}
}

// next returns the next event; comments are passed over. At the end both are empty.
func (e *events) next() (name, data string) {
	e.t.Helper()
	for {
		line, err := e.br.ReadString('\n')
		if err != nil {
			return "", ""
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case field == "event":
			name = value
		case field == "data":
			data = value
		case line == "" && data != "":
			return name, data
		}
	}
}

// postSSE posts to a stream's address.
func postSSE(t *testing.T, url, endpoint, text string, edit func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+endpoint, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer good"}}
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestSSEAnswersOnTheStream(t *testing.T) {
	h := &handler{post: func(_ context.Context, m *ingress.Message, r ingress.Reply) {
		_ = r.Send("", []byte("{\"more\":\n1}"))
		_ = r.Finish("9", 400, m.Raw)
	}}
	url := serve(t, h, func(c *ingress.Config) { c.Base = "/under" })
	stream, endpoint := openSSE(t, url, nil)
	rest, ok := strings.CutPrefix(endpoint, "/under")
	if !ok {
		t.Fatalf("the address is %s", endpoint)
	}
	if resp := postSSE(t, url, rest, `{"a":1}`, nil); resp.StatusCode != 202 {
		t.Errorf("POST: status %d", resp.StatusCode)
	}
	for _, want := range []string{`{"more": 1}`, `{"a":1}`} {
		if name, data := stream.next(); name != "message" || data != want {
			t.Errorf("got %s %s, want message %s", name, data, want)
		}
	}
}

// TestSSEConfirmsWhatHasBeenDispatched: what a client posts when a POST is answered comes behind it.
func TestSSEConfirmsWhatHasBeenDispatched(t *testing.T) {
	sent := make(chan struct{})
	h := &handler{post: func(ctx context.Context, m *ingress.Message, r ingress.Reply) {
		if string(m.Raw) == "first" {
			close(sent)
			m.Dispatched()
			<-ctx.Done()
			return
		}
		select {
		case <-sent:
			r.Accept()
		default:
			t.Error("the second message has overtaken the first")
		}
	}}
	url := serve(t, h)
	_, endpoint := openSSE(t, url, nil)
	for _, text := range []string{"first", "second"} {
		if resp := postSSE(t, url, endpoint, text, nil); resp.StatusCode != 202 {
			t.Errorf("%s: status %d", text, resp.StatusCode)
		}
	}
}

func TestSSERefusesWhatOnlyTheTransportSees(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	cases := map[string]struct {
		method string
		edit   func(*http.Request)
		status int
		code   string
	}{
		"GET, foreign host":         {"GET", func(r *http.Request) { r.Host = "evil.example" }, 403, "HOST_NOT_ALLOWED"},
		"GET, foreign origin":       {"GET", set("Origin", "https://evil.example"), 403, "ORIGIN_NOT_ALLOWED"},
		"GET, nobody":               {"GET", func(r *http.Request) { r.Header.Del("Authorization") }, 401, ""},
		"GET, JSON only":            {"GET", set("Accept", "application/json"), 406, "NOT_A_STREAM"},
		"GET, key in the address":   {"GET", func(r *http.Request) { r.URL.RawQuery = "access_token=good" }, 400, "QUERY_NOT_ALLOWED"},
		"GET, session":              {"GET", func(r *http.Request) { r.URL.RawQuery = "session=s1" }, 400, "QUERY_NOT_ALLOWED"},
		"POST, foreign host":        {"POST", func(r *http.Request) { r.Host = "evil.example" }, 403, "HOST_NOT_ALLOWED"},
		"POST, foreign origin":      {"POST", set("Origin", "https://evil.example"), 403, "ORIGIN_NOT_ALLOWED"},
		"POST, nobody":              {"POST", func(r *http.Request) { r.Header.Del("Authorization") }, 401, ""},
		"POST, no session":          {"POST", func(r *http.Request) { r.URL.RawQuery = "" }, 405, "HTTP_METHOD_NOT_ALLOWED"},
		"POST, two sessions":        {"POST", func(r *http.Request) { r.URL.RawQuery += "&session=s2" }, 400, "QUERY_NOT_ALLOWED"},
		"POST, session and key":     {"POST", func(r *http.Request) { r.URL.RawQuery += "&key=good" }, 400, "QUERY_NOT_ALLOWED"},
		"POST, unknown session":     {"POST", func(r *http.Request) { r.URL.RawQuery = "session=s2" }, 404, "STREAM_GONE"},
		"POST, text/plain":          {"POST", set("Content-Type", "text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		"POST, gzip":                {"POST", set("Content-Encoding", "gzip"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		"POST, larger than allowed": {"POST", func(r *http.Request) { body(r, strings.Repeat("x", 2000)) }, 413, "BODY_TOO_LARGE"},
		"DELETE":                    {"DELETE", nil, 405, "HTTP_METHOD_NOT_ALLOWED"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &handler{post: echo, limit: 1000}
			url := serve(t, h)
			_, endpoint := openSSE(t, url, nil)
			if c.method == "GET" {
				endpoint = "/sse/up"
			}
			resp := postSSE(t, url, endpoint, "{}", func(r *http.Request) {
				r.Method = c.method
				if c.method == "GET" {
					r.Header.Set("Accept", "text/event-stream")
				}
				if c.edit != nil {
					c.edit(r)
				}
			})
			if resp.StatusCode != c.status || h.codes() != c.code {
				t.Errorf("got status %d, on record %q; want %d %q", resp.StatusCode, h.codes(), c.status, c.code)
			}
		})
	}
}

func TestSSEEndsWithItsSessionAndItsClient(t *testing.T) {
	t.Run("session", func(t *testing.T) {
		h := &handler{listen: func(context.Context, *ingress.Head, ingress.Reply) {}}
		stream := getSSE(t, serve(t, h), nil)
		all, err := io.ReadAll(stream.br)
		if err != nil || !strings.HasPrefix(string(all), "event: endpoint\n") {
			t.Errorf("got %q, %v", all, err)
		}
	})
	t.Run("client", func(t *testing.T) {
		ended := make(chan string, 2)
		h := &handler{
			post: func(ctx context.Context, m *ingress.Message, _ ingress.Reply) {
				m.Dispatched()
				<-ctx.Done()
				ended <- "call"
			},
			listen: func(ctx context.Context, _ *ingress.Head, _ ingress.Reply) {
				<-ctx.Done()
				ended <- "session"
			},
		}
		url := serve(t, h)
		stream, endpoint := openSSE(t, url, nil)
		postSSE(t, url, endpoint, "{}", nil)
		stream.resp.Body.Close()
		for range 2 {
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("what the client had begun goes on without it")
			}
		}
	})
}

// TestSSEBoundsCallsUnderWay holds as many calls as there is room for, and posts one more.
func TestSSEBoundsCallsUnderWay(t *testing.T) {
	h := &handler{post: func(ctx context.Context, m *ingress.Message, _ ingress.Reply) {
		m.Dispatched()
		<-ctx.Done()
	}}
	url := serve(t, h)
	stream, endpoint := openSSE(t, url, nil)
	for i := range 256 {
		if resp := postSSE(t, url, endpoint, "{}", nil); resp.StatusCode != 202 {
			t.Fatalf("message %d: status %d", i, resp.StatusCode)
		}
	}
	if resp := postSSE(t, url, endpoint, "{}", nil); resp.StatusCode != 429 || h.codes() != "TOO_MANY_CALLS" {
		t.Errorf("status %d, on record %q", resp.StatusCode, h.codes())
	}
	stream.resp.Body.Close()
}

// TestLeaveLetsCallsFinish holds a call on each transport that has connections that last, asks them to end, and lets the
// calls go on: each is answered, and its connection ends.
func TestLeaveLetsCallsFinish(t *testing.T) {
	begun, release := make(chan struct{}, 2), make(chan struct{})
	h := &handler{post: func(_ context.Context, m *ingress.Message, r ingress.Reply) {
		m.Dispatched()
		if string(m.Raw) == probe {
			return
		}
		begun <- struct{}{}
		<-release
		_ = r.Finish("", 200, m.Raw)
	}, listen: func(ctx context.Context, _ *ingress.Head, r ingress.Reply) {
		_ = r.Open()
		<-ctx.Done()
	}}
	lasting := ingress.NewLasting()
	url := serve(t, h, func(c *ingress.Config) { c.Lasting, c.WS = lasting, true })
	stream, endpoint := openSSE(t, url, nil)
	postSSE(t, url, endpoint, `{"over":"sse"}`, nil)
	ws := dialWS(t, url, nil)
	ws.say(`{"over":"ws"}`)
	<-begun
	<-begun
	general := request(t, url, nil, func(r *http.Request) { r.Method = http.MethodGet })
	left := make(chan struct{})
	go func() {
		lasting.Leave(t.Context())
		close(left)
	}()
	if resp := leavingPost(t, url, endpoint); resp != 503 && resp != 404 {
		t.Errorf("a message for a stream that is leaving: status %d", resp)
	}
	if _, err := io.ReadAll(general.Body); err != nil {
		t.Errorf("a stream that carries no call does not end: %v", err)
	}
	close(release)
	if _, data := stream.next(); data != `{"over":"sse"}` {
		t.Errorf("the call over SSE got %q", data)
	}
	if got := ws.hear(); got != `{"over":"ws"}` {
		t.Errorf("the call over WebSocket got %q", got)
	}
	if _, data := stream.next(); data != "" {
		t.Errorf("then came %q", data)
	}
	if code := ws.end(); code != 1001 {
		t.Errorf("the WebSocket was closed with %d", code)
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Fatal("a connection does not end")
	}
	if resp := getSSE(t, url, nil); resp.resp.StatusCode != 503 {
		t.Errorf("a stream behind the end: status %d", resp.resp.StatusCode)
	}
}

// probe is a message that may be taken before the stream is asked to leave, so nothing may come of it.
const probe = "{}"

// leavingPost posts until the stream takes no more.
func leavingPost(t *testing.T, url, endpoint string) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		resp := postSSE(t, url, endpoint, probe, nil)
		if resp.StatusCode != 202 || time.Now().After(deadline) {
			return resp.StatusCode
		}
	}
}

// TestLeaveBreaksOffWhatDoesNotEnd gives a call no time.
func TestLeaveBreaksOffWhatDoesNotEnd(t *testing.T) {
	h := &handler{post: func(ctx context.Context, m *ingress.Message, _ ingress.Reply) {
		m.Dispatched()
		<-ctx.Done()
	}}
	lasting := ingress.NewLasting()
	url := serve(t, h, func(c *ingress.Config) { c.Lasting = lasting })
	stream, endpoint := openSSE(t, url, nil)
	postSSE(t, url, endpoint, "{}", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lasting.Leave(ctx)
	if _, data := stream.next(); data != "" {
		t.Errorf("got %q", data)
	}
}

// TestSSECutsOffAClientThatDoesNotRead, and keeps no other client waiting for it.
func TestSSECutsOffAClientThatDoesNotRead(t *testing.T) {
	full := strings.Repeat("x", 1<<20)
	gone := make(chan struct{})
	h := &handler{post: func(_ context.Context, m *ingress.Message, r ingress.Reply) {
		m.Dispatched()
		if string(m.Raw) != "flood" {
			_ = r.Finish("", 200, m.Raw)
			return
		}
		for r.Send("", []byte(full)) == nil {
		}
		close(gone)
	}}
	url := serve(t, h, func(c *ingress.Config) {
		c.Clock = func() time.Time { return time.Now().Add(-25 * time.Second) } // of the 30 that a write may take, five are left
	})
	_, slow := openSSE(t, url, nil)
	postSSE(t, url, slow, "flood", nil)
	other, endpoint := openSSE(t, url, nil)
	if resp := postSSE(t, url, endpoint, `{"a":1}`, nil); resp.StatusCode != 202 {
		t.Errorf("status %d", resp.StatusCode)
	}
	if _, data := other.next(); data != `{"a":1}` {
		t.Errorf("another client got %q", data)
	}
	select {
	case <-gone:
	case <-time.After(60 * time.Second):
		t.Fatal("a client that does not read is waited for")
	}
}
