package upstream_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

const (
	ping     = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	pong     = `{"jsonrpc":"2.0","id":1,"result":{}}`
	note     = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.50}}`
	question = `{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{}}`
)

func TestHTTPRequestIsWhatWeSayAndNothingElse(t *testing.T) {
	read := make(chan string, 8)
	f := newFake(t, func(p *peer) {
		for {
			var text strings.Builder
			p.br.Reset(io.TeeReader(p.Conn, &text))
			r := p.request()
			if r == nil {
				return
			}
			read <- text.String()
			if r.ContentLength > 0 {
				p.json(200, pong)
			} else {
				p.json(405, "{}")
			}
		}
	})
	f.URL = "http://up.example:8080/mcp?k=v"
	f.Header = http.Header{"Authorization": {"Bearer x"}, "X-Team": {"a", "b"}}
	l, _ := f.open(t)
	head := " /mcp?k=v HTTP/1.1\nHost: up.example:8080\nAccept-Encoding: identity\nUser-Agent: hopgate\n" +
		"Authorization: Bearer x\nX-Team: a\nX-Team: b\n"
	post := "POST" + head + "Accept: application/json, text/event-stream\n"
	for _, c := range []struct {
		out  *upstream.Outgoing
		want string
	}{
		{
			&upstream.Outgoing{Frame: message(t, ping).Frame},
			post + "Content-Type: application/json\nContent-Length: 40\n\n",
		},
		{message(t, ping), post + "MCP-Protocol-Version: 2025-11-25\nContent-Type: application/json\nContent-Length: 40\n\n"},
		{
			&upstream.Outgoing{
				Frame: message(t, ping).Frame, Protocol: "2026-07-28", Modern: true, Name: "get weather",
				Params: []upstream.Param{{"Region", "us-west1"}, {"X", "=?base64?w7w=?="}},
			},
			post + "MCP-Protocol-Version: 2026-07-28\nMcp-Method: ping\nMcp-Name: get weather\nMcp-Param-Region: us-west1\n" +
				"Mcp-Param-X: =?base64?w7w=?=\nContent-Type: application/json\nContent-Length: 40\n\n",
		},
	} {
		got, err := call(t, l, c.out)
		if err != nil || got != pong {
			t.Fatalf("got %s, %v", got, err)
		}
		if diff := cmp.Diff(crlf(c.want)+ping, <-read); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := l.Listen(limited(t)); !errors.Is(err, upstream.ErrNoListen) {
		t.Errorf("listening: %v, want ErrNoListen", err)
	}
	want := "GET" + head + "Accept: text/event-stream\nMCP-Protocol-Version: 2025-11-25\n\n"
	if diff := cmp.Diff(crlf(want), <-read); diff != "" {
		t.Error(diff)
	}
}

func TestHTTPNameIsEncodedWhereItHasToBe(t *testing.T) {
	names := map[string]string{
		"get_weather":         "get_weather",
		"file:///a b?c=d%20e": "file:///a b?c=d%20e",
		"Hello, 世界":           "=?base64?SGVsbG8sIOS4lueVjA==?=",
		" padded ":            "=?base64?IHBhZGRlZCA=?=",
		"line1\nline2":        "=?base64?bGluZTEKbGluZTI=?=",
		"a\r\nX: y":           "=?base64?YQ0KWDogeQ==?=",
		"=?base64?literal?=":  "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
		"=?base64?x":          "=?base64?x",
	}
	var got string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Mcp-Name")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, pong)
	}))
	defer srv.Close()
	l := stateless(t, newServer(t, httpConfig(srv.URL)))
	for name, want := range names {
		out := modern(t, ping)
		out.Name = name
		if _, err := call(t, l, out); err != nil || got != want {
			t.Errorf("%q: got %s, %v, want %s", name, got, err, want)
		}
	}
}

func TestHTTPSendsNoHeaderThatIsNone(t *testing.T) {
	f := newFake(t)
	l, _ := f.open(t)
	for name, change := range map[string]func(*upstream.Outgoing){
		"protocol":        func(o *upstream.Outgoing) { o.Protocol = "1\r\nX: y" },
		"parameter name":  func(o *upstream.Outgoing) { o.Params = []upstream.Param{{"X: y\r\nZ", "v"}} },
		"empty name":      func(o *upstream.Outgoing) { o.Params = []upstream.Param{{"", "v"}} },
		"parameter value": func(o *upstream.Outgoing) { o.Params = []upstream.Param{{"X", "v\r\nZ: 1"}} },
		"non-ASCII value": func(o *upstream.Outgoing) { o.Params = []upstream.Param{{"X", "ü"}} },
		"method":          func(o *upstream.Outgoing) { o.Frame = message(t, `{"jsonrpc":"2.0","id":1,"method":"a\nb"}`).Frame },
		"cancellation": func(o *upstream.Outgoing) {
			o.Frame = message(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`).Frame
		},
	} {
		out := modern(t, ping)
		change(out)
		if s, err := l.Send(t.Context(), out); s != nil || !errors.Is(err, upstream.ErrInvalid) {
			t.Errorf("%s: got %v, %v, want ErrInvalid", name, s, err)
		}
	}
}

// session is a server with one session, as net/http serves it.
func session(t *testing.T, seen chan<- string) *httptest.Server {
	t.Helper()
	ended := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var f wire.Frame
		_ = wire.Parse(&f, body, wire.FromAgent, &wire.DefaultLimits)
		seen <- strings.Join([]string{r.Method, f.String(wire.Method), r.Header.Get("Mcp-Session-Id"), r.Header.Get("Mcp-Protocol-Version")}, " ")
		method := f.String(wire.Method)
		switch {
		case method == "initialize":
			w.Header().Set("Mcp-Session-Id", "s-1")
		case r.Header.Get("Mcp-Session-Id") != "s-1":
			w.WriteHeader(http.StatusBadRequest)
			return
		case ended:
			w.WriteHeader(http.StatusNotFound)
			return
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
			return
		case f.Kind != wire.KindRequest:
			w.WriteHeader(http.StatusAccepted)
			return
		}
		if method == "end" {
			ended = true
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{}}`, f.Get(wire.ID))
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestHTTPSession(t *testing.T) {
	seen := make(chan string, 16)
	srv := session(t, seen)
	l := open(t, newServer(t, httpConfig(srv.URL)))
	hello := request(t, "0", "initialize")
	hello.Protocol = ""
	if _, err := call(t, l, hello); err != nil {
		t.Fatal(err)
	}
	if s, err := l.Send(limited(t), message(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)); s != nil || err != nil {
		t.Fatal(s, err)
	}
	if _, err := call(t, l, message(t, ping)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(limited(t)); err != nil {
		t.Fatal(err)
	}
	<-l.Done()
	if _, err := l.Send(limited(t), message(t, ping)); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("sending on a closed link: %v", err)
	}
	if err := l.Close(limited(t)); err != nil {
		t.Error(err)
	}
	close(seen)
	var got []string
	for s := range seen {
		got = append(got, s)
	}
	want := []string{
		"POST initialize  ", "POST notifications/initialized s-1 2025-11-25", "POST ping s-1 2025-11-25", "DELETE  s-1 2025-11-25",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHTTPSessionThatTheServerEnds(t *testing.T) {
	srv := session(t, make(chan string, 16))
	l := open(t, newServer(t, httpConfig(srv.URL)))
	for _, out := range []*upstream.Outgoing{request(t, "0", "initialize"), request(t, "1", "end")} {
		if _, err := call(t, l, out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := call(t, l, message(t, ping)); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("got %v, want ErrSessionEnded", err)
	}
	<-l.Done()
}

func TestHTTPSessionIDs(t *testing.T) {
	for name, c := range map[string]struct {
		id   string
		want error
	}{
		"visible": {"!" + strings.Repeat("~", 1023), nil},
		"none":    {"", nil},
		"a space": {"a b", upstream.ErrProtocol},
		"a tab":   {"a\tb", upstream.ErrProtocol},
		"letters": {"sitzung-ü", upstream.ErrProtocol},
		"long":    {strings.Repeat("x", 1025), upstream.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := newFake(t, func(p *peer) {
				p.request()
				p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: " + c.id + "\r\nContent-Length: 36\r\n\r\n" + pong)
				if r := p.request(); r != nil {
					if got := r.Header.Get("Mcp-Session-Id"); got != c.id {
						t.Errorf("the next request is of session %q", got)
					}
					p.json(200, pong)
				}
			}).open(t)
			_, err := call(t, l, request(t, "1", "initialize"))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err == nil {
				_, _ = call(t, l, message(t, ping))
			}
		})
	}
}

func TestHTTPStreamOfEvents(t *testing.T) {
	stream := func(p *peer) {
		for p.request() != nil {
			p.events()
			p.chunk(": hello\n\ndata: " + note + "\n\nevent: message\nid: 5\ndata: " + question + "\n\n")
			p.chunk("event: other\ndata: x\n\ndata: {\"jsonrpc\":\"2.0\",\ndata:  \"id\":2,\"result\":{}}\n\n")
			p.chunk("data: " + pong[:10])
			p.chunk(pong[10:] + "\n\n")
			p.end()
		}
	}
	for name, c := range map[string]struct {
		out   *upstream.Outgoing
		want  []string
		stray uint64
	}{
		"legacy": {message(t, ping), []string{note, question, pong}, 1},
		"modern": {modern(t, ping), []string{note, pong}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, stream)
			s := newServer(t, f.Config)
			l := open(t, s)
			for range 3 { // on one connection
				st := send(t, l, c.out)
				got, err := all(t, st)
				if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
					t.Fatal(diff, err)
				}
				st.Close()
			}
			if got, want := s.Counts(), (upstream.Counts{Malformed: 3, Stray: 3 * c.stray}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestHTTPKeepsTheSpellingOfAnID(t *testing.T) {
	l, _ := newFake(t, func(p *peer) {
		p.request()
		p.json(200, `{"result":{"id":"a"},"id":"a","jsonrpc":"2.0"}`)
		p.request()
		p.events()
		p.chunk(`data: {"result":{"id":"a"},"id":"a","jsonrpc":"2.0"}` + "\n\n")
	}).open(t)
	for range 2 {
		got, err := call(t, l, request(t, `"\u0061"`, "ping"))
		if want := `{"result":{"id":"a"},"id":"\u0061","jsonrpc":"2.0"}`; err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
