package ingress_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// wsClient is a client over WebSocket, of another implementation than the listener.
type wsClient struct {
	t *testing.T
	c *websocket.Conn
}

// tryWS shakes hands. edit changes what is sent.
func tryWS(t *testing.T, url string, edit func(d *websocket.Dialer, h http.Header, path *string)) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := &websocket.Dialer{Subprotocols: []string{"mcp"}, HandshakeTimeout: 20 * time.Second}
	h, path := http.Header{"Authorization": {"Bearer good"}}, "/ws/up"
	if edit != nil {
		edit(d, h, &path)
	}
	return d.DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+path, h)
}

func dialWS(t *testing.T, url string, edit func(d *websocket.Dialer, h http.Header, path *string)) *wsClient {
	t.Helper()
	c, _, err := tryWS(t, url, edit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	return &wsClient{t, c}
}

func (c *wsClient) say(text string) {
	c.t.Helper()
	if err := c.c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *wsClient) hear() string {
	c.t.Helper()
	kind, raw, err := c.c.ReadMessage()
	if err != nil || kind != websocket.TextMessage {
		c.t.Fatalf("message of kind %d, %v", kind, err)
	}
	return string(raw)
}

// end reads to the end and returns the code of the close frame, or 0.
func (c *wsClient) end() int {
	for {
		if _, _, err := c.c.ReadMessage(); err != nil {
			if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
				return closed.Code
			}
			c.t.Log(err)
			return 0
		}
	}
}

func withWS(c *ingress.Config) { c.WS = true }

func TestWebSocketCarriesOneMessageAFrame(t *testing.T) {
	url := serve(t, &handler{post: echo}, withWS)
	c := dialWS(t, url, nil)
	if c.c.Subprotocol() != "mcp" {
		t.Errorf("the subprotocol is %q", c.c.Subprotocol())
	}
	for _, text := range []string{`{"a":1}`, "{\n\"a\": 1 }", `"` + strings.Repeat("x", 200<<10) + `"`} {
		c.say(text)
		if got := c.hear(); got != text {
			t.Errorf("%.50s came back as %.50s", text, got)
		}
	}
	w, err := c.c.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("fragments ", 3000)
	for part := range strings.SplitAfterSeq(want, " ") {
		w.Write([]byte(part))
	}
	w.Close()
	if got := c.hear(); got != want {
		t.Errorf("fragments came back as %.50s", got)
	}
}

func TestWebSocketHandshake(t *testing.T) {
	sub := func(p ...string) func(*websocket.Dialer, http.Header, *string) {
		return func(d *websocket.Dialer, h http.Header, _ *string) {
			h.Del("Authorization")
			d.Subprotocols = p
		}
	}
	head := func(name, value string) func(*websocket.Dialer, http.Header, *string) {
		return func(_ *websocket.Dialer, h http.Header, _ *string) { h.Set(name, value) }
	}
	cases := map[string]struct {
		edit   func(*websocket.Dialer, http.Header, *string)
		status int
		code   string
	}{
		"key in the header":        {nil, 101, ""},
		"key among subprotocols":   {sub("mcp", "bearer.good"), 101, ""},
		"key before mcp":           {sub("bearer.good", "mcp"), 101, ""},
		"two ways":                 {func(d *websocket.Dialer, _ http.Header, _ *string) { d.Subprotocols = []string{"mcp", "bearer.good"} }, 401, "AMBIGUOUS_CREDENTIALS"},
		"two keys":                 {sub("mcp", "bearer.good", "bearer.good"), 401, "AMBIGUOUS_CREDENTIALS"},
		"nobody":                   {sub("mcp"), 401, ""},
		"wrong key":                {sub("mcp", "bearer.bad"), 401, ""},
		"no subprotocol":           {func(d *websocket.Dialer, _ http.Header, _ *string) { d.Subprotocols = nil }, 400, "SUBPROTOCOL_MISSING"},
		"other subprotocol":        {func(d *websocket.Dialer, _ http.Header, _ *string) { d.Subprotocols = []string{"chat"} }, 400, "SUBPROTOCOL_MISSING"},
		"key in the address":       {func(_ *websocket.Dialer, _ http.Header, path *string) { *path += "?token=good" }, 400, "QUERY_NOT_ALLOWED"},
		"foreign origin":           {head("Origin", "https://evil.example"), 403, "ORIGIN_NOT_ALLOWED"},
		"origin null":              {head("Origin", "null"), 403, "ORIGIN_NOT_ALLOWED"},
		"configured origin":        {head("Origin", "https://ok.example"), 101, ""},
		"foreign host":             {head("Host", "evil.example"), 403, "HOST_NOT_ALLOWED"},
		"compression is not taken": {func(d *websocket.Dialer, _ http.Header, _ *string) { d.EnableCompression = true }, 101, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &handler{post: echo}
			url := serve(t, h, withWS, func(c *ingress.Config) { c.Origins = []string{"https://ok.example"} })
			conn, resp, err := tryWS(t, url, c.edit)
			if resp == nil {
				t.Fatal(err)
			}
			if conn != nil {
				defer conn.Close()
			}
			if resp.StatusCode != c.status || h.codes() != c.code {
				t.Errorf("got status %d, on record %q; want %d %q", resp.StatusCode, h.codes(), c.status, c.code)
			}
			if got := resp.Header.Get("Sec-Websocket-Protocol"); c.status == 101 && got != "mcp" {
				t.Errorf("the subprotocol is %q", got)
			}
			if got := resp.Header.Get("Sec-Websocket-Extensions"); got != "" {
				t.Errorf("extensions: %q", got)
			}
		})
	}
	t.Run("no handshake", func(t *testing.T) {
		h := &handler{}
		resp := request(t, serve(t, h, withWS), nil, func(r *http.Request) { r.Method, r.URL.Path = "GET", "/ws/up" })
		if resp.StatusCode != 426 || h.codes() != "NOT_A_WEBSOCKET" || resp.Header.Get("Upgrade") != "websocket" {
			t.Errorf("got %d %v, on record %q", resp.StatusCode, resp.Header, h.codes())
		}
	})
	t.Run("not configured", func(t *testing.T) {
		_, resp, _ := tryWS(t, serve(t, &handler{}), nil)
		if resp == nil || resp.StatusCode != 404 {
			t.Errorf("got %v", resp)
		}
	})
}

func TestWebSocketHangsUpOnWhatItCannotTake(t *testing.T) {
	cases := map[string]struct {
		do   func(*wsClient)
		code int
		want string // on record
	}{
		"binary": {func(c *wsClient) { c.c.WriteMessage(websocket.BinaryMessage, []byte("{}")) }, websocket.CloseUnsupportedData, "NOT_TEXT"},
		"larger than the limit": {func(c *wsClient) {
			c.c.WriteMessage(websocket.TextMessage, []byte(strings.Repeat("x", 1001)))
		}, websocket.CloseMessageTooBig, "BODY_TOO_LARGE"},
		"session over": {func(c *wsClient) { c.say("end") }, websocket.ClosePolicyViolation, ""},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			h := &handler{limit: 1000, post: func(context.Context, *ingress.Message, ingress.Reply) { close(over) }}
			h.listen = func(ctx context.Context, _ *ingress.Head, _ ingress.Reply) {
				select {
				case <-over:
				case <-ctx.Done():
				}
			}
			c := dialWS(t, serve(t, h, withWS), nil)
			x.do(c)
			if got := c.end(); got != x.code {
				t.Errorf("closed with %d, want %d", got, x.code)
			}
			if got := h.codes(); got != x.want {
				t.Errorf("on record is %q, want %q", got, x.want)
			}
		})
	}
}

func TestWebSocketOfAClientThatIsGoneEndsItsCalls(t *testing.T) {
	ended := make(chan struct{})
	h := &handler{post: func(ctx context.Context, m *ingress.Message, _ ingress.Reply) {
		m.Dispatched()
		<-ctx.Done()
		close(ended)
	}}
	c := dialWS(t, serve(t, h, withWS), nil)
	c.say("{}")
	c.c.UnderlyingConn().Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("a call goes on without its client")
	}
}
