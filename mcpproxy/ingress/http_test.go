package ingress_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

func echo(_ context.Context, m *ingress.Message, r ingress.Reply) { _ = r.Finish("", 200, m.Raw) }

// serve starts a listener for a handler and returns its URL.
func serve(t *testing.T, h *handler, edit ...func(*ingress.Config)) string {
	t.Helper()
	c := ingress.Config{Handler: h, Clock: time.Now, Lasting: ingress.NewLasting()}
	for _, e := range edit {
		e(&c)
	}
	x, err := ingress.NewHTTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + listen(t, x)
}

// listen serves a handler and returns where.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := ingress.NewServer(t.Context(), h, time.Now, 1<<16)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
	})
	return l.Addr().String()
}

// request is a sound POST; cases change it.
func request(t *testing.T, url string, body io.Reader, edit func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/mcp/up", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer good"},
	}
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

func TestHTTPRefusesWhatOnlyTheTransportSees(t *testing.T) {
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	cases := map[string]struct {
		edit   func(*http.Request)
		status int
		code   string // that is on record; empty where the handler itself refuses or nothing does
	}{
		"sound":                       {nil, 200, ""},
		"foreign host":                {func(r *http.Request) { r.Host = "evil.example" }, 403, "HOST_NOT_ALLOWED"},
		"foreign host with port":      {func(r *http.Request) { r.Host = "evil.example:80" }, 403, "HOST_NOT_ALLOWED"},
		"configured host":             {func(r *http.Request) { r.Host = "Proxy.Example:7070" }, 200, ""},
		"localhost":                   {func(r *http.Request) { r.Host = "localhost:1" }, 200, ""},
		"IPv6 loopback":               {func(r *http.Request) { r.Host = "[::1]:1" }, 200, ""},
		"foreign origin":              {set("Origin", "http://evil.example"), 403, "ORIGIN_NOT_ALLOWED"},
		"origin null":                 {set("Origin", "null"), 403, "ORIGIN_NOT_ALLOWED"},
		"two origins":                 {set("Origin", "https://ok.example", "https://ok.example"), 403, "ORIGIN_NOT_ALLOWED"},
		"configured origin":           {set("Origin", "https://ok.example"), 200, ""},
		"own origin":                  {func(r *http.Request) { r.Header.Set("Origin", "http://"+r.URL.Host) }, 200, ""},
		"other port of the same host": {set("Origin", "http://127.0.0.1:1"), 403, "ORIGIN_NOT_ALLOWED"},
		"preflight of a foreign site": {func(r *http.Request) {
			r.Method = http.MethodOptions
			r.Header.Set("Origin", "http://evil.example")
		}, 403, "ORIGIN_NOT_ALLOWED"},
		"no credential":           {func(r *http.Request) { r.Header.Del("Authorization") }, 401, ""},
		"wrong credential":        {set("Authorization", "Bearer bad"), 401, ""},
		"other scheme":            {set("Authorization", "Basic good"), 401, ""},
		"two credentials":         {set("Authorization", "Bearer good", "Bearer bad"), 401, "AMBIGUOUS_CREDENTIALS"},
		"credentials of two ways": {set("X-API-Key", "good"), 401, "AMBIGUOUS_CREDENTIALS"},
		"credential in the query": {func(r *http.Request) { r.Header.Del("Authorization"); r.URL.RawQuery = "access_token=good" }, 401, ""},
		"API key header": {func(r *http.Request) {
			r.Header.Del("Authorization")
			r.Header.Set("X-Api-Key", "good")
		}, 200, ""},
		"PUT":                       {func(r *http.Request) { r.Method = http.MethodPut }, 405, "HTTP_METHOD_NOT_ALLOWED"},
		"no content type":           {func(r *http.Request) { r.Header.Del("Content-Type") }, 415, "UNSUPPORTED_MEDIA_TYPE"},
		"text/plain":                {set("Content-Type", "text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		"charset UTF-8":             {set("Content-Type", "application/json; charset=UTF-8"), 200, ""},
		"charset UTF-16":            {set("Content-Type", "application/json; charset=utf-16"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		"gzip":                      {set("Content-Encoding", "gzip"), 415, "UNSUPPORTED_MEDIA_TYPE"},
		"no Accept":                 {func(r *http.Request) { r.Header.Del("Accept") }, 406, "NOT_ACCEPTABLE"},
		"Accept of JSON alone":      {set("Accept", "application/json"), 406, "NOT_ACCEPTABLE"},
		"Accept of anything":        {set("Accept", "*/*"), 200, ""},
		"Accept in two lines":       {set("Accept", "application/json;q=0.9", "text/event-stream"), 200, ""},
		"two sessions":              {set("Mcp-Session-Id", "a", "b"), 400, "DUPLICATE_HEADER"},
		"two names":                 {set("Mcp-Name", "a", "a"), 400, "DUPLICATE_HEADER"},
		"two params":                {set("Mcp-Param-X", "a", "a"), 400, "DUPLICATE_HEADER"},
		"larger than the limit":     {func(r *http.Request) { body(r, strings.Repeat("x", 2000)) }, 413, "BODY_TOO_LARGE"},
		"larger, of unknown length": {func(r *http.Request) { body(r, strings.Repeat("x", 2000)); r.ContentLength = -1 }, 413, "BODY_TOO_LARGE"},
		"origin below":              {func(r *http.Request) { r.Header.Set("Origin", "https://a.b.apps.example:8443") }, 200, ""},
		"origin, not below":         {func(r *http.Request) { r.Header.Set("Origin", "https://apps.example:8443") }, 403, "ORIGIN_NOT_ALLOWED"},
		"origin beside":             {func(r *http.Request) { r.Header.Set("Origin", "https://evilapps.example:8443") }, 403, "ORIGIN_NOT_ALLOWED"},
		"origin below, other port":  {func(r *http.Request) { r.Header.Set("Origin", "https://a.apps.example") }, 403, "ORIGIN_NOT_ALLOWED"},
		"origin below, in clear":    {func(r *http.Request) { r.Header.Set("Origin", "http://a.apps.example:8443") }, 403, "ORIGIN_NOT_ALLOWED"},
		"origin with a path":        {func(r *http.Request) { r.Header.Set("Origin", "https://evil.example/.apps.example:8443") }, 403, "ORIGIN_NOT_ALLOWED"},
		"origin with a user":        {func(r *http.Request) { r.Header.Set("Origin", "https://x@a.apps.example:8443") }, 403, "ORIGIN_NOT_ALLOWED"},
		"the pattern itself":        {func(r *http.Request) { r.Header.Set("Origin", "https://*.apps.example:8443") }, 403, "ORIGIN_NOT_ALLOWED"},
		"other path":                {func(r *http.Request) { r.URL.Path = "/" }, 404, ""},
		"path below":                {func(r *http.Request) { r.URL.Path = "/mcp/up/x" }, 404, ""},
		"OAuth metadata":            {func(r *http.Request) { r.URL.Path = "/.well-known/oauth-protected-resource" }, 404, ""},
		"modern, Accept of anything": {func(r *http.Request) {
			r.Header.Set("Accept", "*/*")
			r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		}, 406, "NOT_ACCEPTABLE"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &handler{post: echo, limit: 1000}
			url := serve(t, h, func(c *ingress.Config) {
				c.Hosts, c.Origins = []string{"proxy.example"}, []string{"https://ok.example", "https://*.apps.example:8443"}
			})
			resp := request(t, url, strings.NewReader("{}"), c.edit)
			if resp.StatusCode != c.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, c.status)
			}
			if got := h.codes(); got != c.code {
				t.Errorf("on record is %q, want %q", got, c.code)
			}
			for header := range resp.Header {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("answer grants %s", header)
				}
			}
			if want := c.status == 401; (resp.Header.Get("Www-Authenticate") != "") != want {
				t.Errorf("challenge is %q", resp.Header.Get("Www-Authenticate"))
			}
		})
	}
}

func body(r *http.Request, s string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(s)), int64(len(s))
}

func TestHTTPAnswersOneMessageAsJSON(t *testing.T) {
	h := &handler{post: func(_ context.Context, m *ingress.Message, r ingress.Reply) {
		r.Session("s1")
		_ = r.Finish("ignored", 404, []byte("{\n\"a\": 1.0 }"))
	}}
	resp := request(t, serve(t, h), strings.NewReader("{}"), nil)
	got, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 404 || string(got) != "{\n\"a\": 1.0 }" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %q %q", resp.StatusCode, got, resp.Header.Get("Content-Type"))
	}
	if resp.Header.Get("Mcp-Session-Id") != "s1" {
		t.Errorf("session is %q", resp.Header.Get("Mcp-Session-Id"))
	}
}

func TestHTTPAnswersSeveralMessagesAsEvents(t *testing.T) {
	h := &handler{post: func(_ context.Context, _ *ingress.Message, r ingress.Reply) {
		r.Resumable("1-0")
		_ = r.Send("1-1", []byte("{\"a\":\r\n1}"))
		_ = r.Finish("1-2", 404, []byte(`{"b":2}`))
		if r.Send("1-3", []byte("{}")) == nil {
			t.Error("something could be sent after the end")
		}
	}}
	resp := request(t, serve(t, h), strings.NewReader("{}"), nil)
	got, _ := io.ReadAll(resp.Body)
	want := "id: 1-0\ndata: \n\nid: 1-1\nevent: message\ndata: {\"a\":  1}\n\nid: 1-2\nevent: message\ndata: {\"b\":2}\n\n"
	if resp.StatusCode != 200 || string(got) != want {
		t.Errorf("got %d\n%q, want\n%q", resp.StatusCode, got, want)
	}
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "X-Accel-Buffering": "no", "Cache-Control": "no-store"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHTTPEndsWithoutAMessage(t *testing.T) {
	cases := map[string]struct {
		post   func(context.Context, *ingress.Message, ingress.Reply)
		status int
		ctype  string
	}{
		"accepted": {func(_ context.Context, _ *ingress.Message, r ingress.Reply) { r.Accept() }, 202, ""},
		"given up": {func(_ context.Context, _ *ingress.Message, r ingress.Reply) { r.End() }, 200, "text/event-stream"},
		"given up, then answered": {func(_ context.Context, _ *ingress.Message, r ingress.Reply) {
			r.End()
			if r.Finish("", 200, []byte("{}")) == nil {
				t.Error("an answer went out after the end")
			}
		}, 200, "text/event-stream"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			resp := request(t, serve(t, &handler{post: c.post}), strings.NewReader("{}"), nil)
			got, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || len(got) > 0 || resp.Header.Get("Content-Type") != c.ctype {
				t.Errorf("got %d %q with body %q", resp.StatusCode, resp.Header.Get("Content-Type"), got)
			}
		})
	}
}

func TestHTTPReadsTheProtocolsHeaders(t *testing.T) {
	var got ingress.Head
	h := &handler{post: func(_ context.Context, m *ingress.Message, r ingress.Reply) { got = *m.Head; r.Accept() }}
	request(t, serve(t, h), strings.NewReader("{}"), func(r *http.Request) {
		for name, v := range map[string]string{
			"Mcp-Session-Id": "s", "MCP-Protocol-Version": "2025-11-25", "mcp-method": "tools/call", "Mcp-Name": "", "Last-Event-ID": "7",
			"Mcp-Param-Region": "eu",
		} {
			r.Header.Set(name, v)
		}
	})
	if got.Session != "s" || !got.HasSession || got.Protocol != "2025-11-25" || got.Method != "tools/call" || !got.HasName ||
		got.LastEventID != "7" || fmt.Sprint(got.Params) != "[{Region eu}]" {
		t.Errorf("got %+v", got)
	}
}

func TestHTTPServesAStream(t *testing.T) {
	h := &handler{listen: func(ctx context.Context, h *ingress.Head, r ingress.Reply) {
		r.Resumable(h.LastEventID)
		_ = r.Open()
		_ = r.Send("0-1", []byte(`{}`))
		<-ctx.Done()
	}}
	resp := request(t, serve(t, h), nil, func(r *http.Request) {
		r.Method = http.MethodGet
		r.Header.Set("Last-Event-ID", "0-0")
	})
	br := bufio.NewReader(resp.Body)
	var got bytes.Buffer
	for range 6 {
		line, err := br.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(line)
	}
	if want := "id: 0-0\ndata: \n\nid: 0-1\nevent: message\ndata: {}\n"; got.String() != want {
		t.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestHTTPStreamNeedsAccept(t *testing.T) {
	h := &handler{}
	resp := request(t, serve(t, h), nil, func(r *http.Request) {
		r.Method = http.MethodGet
		r.Header.Set("Accept", "application/json")
	})
	if resp.StatusCode != 406 || h.codes() != "NOT_ACCEPTABLE" {
		t.Errorf("got %d, on record %q", resp.StatusCode, h.codes())
	}
}

// TestHTTPSmuggling sends bytes that no Go client would.
func TestHTTPSmuggling(t *testing.T) {
	const head = "Host: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\nAuthorization: Bearer good\r\n"
	cases := map[string]struct{ raw, want string }{
		"length and chunks": {"POST /mcp/up HTTP/1.1\r\n" + head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n", "400"},
		"two lengths":       {"POST /mcp/up HTTP/1.1\r\n" + head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"},
		"large head":        {"POST /mcp/up HTTP/1.1\r\n" + head + "X: " + strings.Repeat("x", 64<<10) + "\r\nContent-Length: 2\r\n\r\n{}", "431"},
		"short body":        {"POST /mcp/up HTTP/1.1\r\n" + head + "Content-Length: 9\r\n\r\n{}", "400"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			posted := false
			h := &handler{post: func(ctx context.Context, m *ingress.Message, r ingress.Reply) { posted = true; echo(ctx, m, r) }}
			url := serve(t, h)
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go func() {
				io.WriteString(conn, c.raw)
				conn.(*net.TCPConn).CloseWrite()
			}()
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			got, _ := io.ReadAll(conn)
			line, _, _ := strings.Cut(string(got), "\r\n")
			if name == "length and chunks" {
				// RFC 9112 6.3: the chunks count, and the connection ends; what follows must not be read as a request.
				if bytes.Count(got, []byte("HTTP/1.1 ")) != 1 {
					t.Errorf("two answers to one request: %q", got)
				}
				return
			}
			if !strings.Contains(line, c.want) || posted {
				t.Errorf("got %q, and the handler saw it: %v", line, posted)
			}
		})
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c := ingress.Credential("hga_secret")
	p := ingress.Peer{Credential: c}
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%s %v %q %#v", c, c, c, c), fmt.Sprintf("%+v %#v", p, p)} {
		if strings.Contains(s, "hga_") {
			t.Errorf("a credential prints as %s", s)
		}
	}
}

func TestHTTPChallengesWhoeverStopsBeingKnown(t *testing.T) {
	h := &handler{post: func(_ context.Context, _ *ingress.Message, r ingress.Reply) {
		r.Refuse(&ingress.Refusal{Reason: errStranger})
	}}
	resp := request(t, serve(t, h), strings.NewReader("{}"), nil)
	if got := resp.Header.Get("Www-Authenticate"); resp.StatusCode != 401 || !strings.HasPrefix(got, "Bearer ") {
		t.Errorf("got %d, challenge %q", resp.StatusCode, got)
	}
}
