package upstream_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestHTTPStatus(t *testing.T) {
	problem := `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}`
	for name, c := range map[string]struct {
		status int
		body   string
		modern bool
		want   string
		err    error
	}{
		"bad request with an answer":   {400, problem, true, problem, nil},
		"not found with an answer":     {404, problem, true, problem, nil},
		"an answer without an id":      {400, strings.Replace(problem, `"id":1,`, "", 1), true, strings.Replace(problem, `"id":1,`, "", 1), nil},
		"an answer with the id null":   {400, strings.Replace(problem, `"id":1`, `"id":null`, 1), false, strings.Replace(problem, `"id":1`, `"id":null`, 1), nil},
		"an answer to another request": {400, strings.Replace(problem, `"id":1`, `"id":2`, 1), false, "", upstream.ErrUnknownOutcome},
		"a result":                     {500, pong, false, "", upstream.ErrUnknownOutcome},
		"JSON":                         {401, `{"detail":"who?"}`, false, "", upstream.ErrUnknownOutcome},
		"malformed":                    {503, `<html>`, false, "", upstream.ErrUnknownOutcome},
		"redirect":                     {302, pong, false, "", upstream.ErrProtocol},
		"accepted":                     {202, "", false, "", upstream.ErrProtocol},
		"partial":                      {206, pong, false, "", upstream.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(p *peer) {
				for p.request() != nil {
					p.json(c.status, c.body)
				}
			})
			s := newServer(t, f.Config)
			l := open(t, s)
			out := message(t, ping)
			if c.modern {
				out = modern(t, ping)
			}
			for range 2 { // the connection is of use afterwards
				st := send(t, l, out)
				in, err := st.Next(limited(t))
				if c.err == nil {
					if err != nil || string(in.Frame.Raw) != c.want || in.Status != c.status {
						t.Fatalf("got %+v, %v", in, err)
					}
					if _, err := st.Next(limited(t)); !errors.Is(err, io.EOF) {
						t.Errorf("behind the answer: %v", err)
					}
					continue
				}
				var status *upstream.StatusError
				if !errors.Is(err, c.err) || !errors.As(err, &status) || status.Code != c.status {
					t.Fatalf("got %v, want status %d, %v", err, c.status, c.err)
				}
				if errors.Is(err, upstream.ErrProtocol) && errors.Is(err, upstream.ErrUnknownOutcome) {
					t.Errorf("%v means two things", err)
				}
			}
		})
	}
}

func TestHTTPNotificationStatus(t *testing.T) {
	for status, want := range map[int]error{
		202: nil, 200: nil, 204: nil, 302: upstream.ErrProtocol, 400: upstream.ErrUnknownOutcome, 503: upstream.ErrUnknownOutcome,
	} {
		l, _ := newFake(t, func(p *peer) {
			for range 2 {
				p.request()
				p.write(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status))
			}
		}).open(t)
		for range 2 {
			_, err := l.Send(limited(t), message(t, note))
			if want == nil && err != nil || !errors.Is(err, want) {
				t.Errorf("%d: got %v, want %v", status, err, want)
			}
		}
	}
}

func TestHTTPHostileAnswers(t *testing.T) {
	events := "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
	json := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
	big := `{"jsonrpc":"2.0","id":1,"result":{"x":"` + strings.Repeat("x", 2000) + `"}}`
	cases := map[string]struct {
		answer string
		want   error
	}{
		"nothing":                       {"", upstream.ErrUnknownOutcome},
		"half an answer":                {crlf("HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 36\n\n") + pong[:20], upstream.ErrUnknownOutcome},
		"half an answer without length": {json + pong[:20], upstream.ErrProtocol},
		"another type":                  {crlf("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 36\n\n") + pong, upstream.ErrProtocol},
		"no type":                       {crlf("HTTP/1.1 200 OK\nContent-Length: 36\n\n") + pong, upstream.ErrProtocol},
		"answer to another":             {json + strings.Replace(pong, "1,", "2,", 1), upstream.ErrProtocol},
		"no answer":                     {json + note, upstream.ErrProtocol},
		"two answers":                   {json + pong + pong, upstream.ErrProtocol},
		"batch":                         {json + "[" + pong + "]", upstream.ErrProtocol},
		"large":                         {json + big, upstream.ErrProtocol},
		"large event":                   {events + "data: " + big + "\n\n", upstream.ErrProtocol},
		"malformed event":               {events + "data: {\"jsonrpc\":\n\n", upstream.ErrProtocol},
		"invalid UTF-8":                 {events + "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":\"\xff\"}}\n\n", upstream.ErrProtocol},
		"comments":                      {events + strings.Repeat(": ping\n\n", 1000), upstream.ErrProtocol},
		"events of other types":         {events + strings.Repeat("event: x\ndata: y\n\n", 1000), upstream.ErrProtocol},
		"answers to others":             {events + strings.Repeat("data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n", 1000), upstream.ErrProtocol},
		"an answer to another":          {events + "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n", upstream.ErrProtocol},
		"an event without end":          {events + "data: " + pong + "\n", upstream.ErrUnknownOutcome},
		"no events":                     {events, upstream.ErrUnknownOutcome},
	}
	for name, in := range malformed {
		cases["response: "+name] = struct {
			answer string
			want   error
		}{strings.Replace(in, "Content-Length: 101", "Content-Type: application/json\r\nContent-Length: 1001", 1), upstream.ErrProtocol}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			closed := make(chan struct{})
			f := newFake(t, func(p *peer) {
				p.request()
				p.write(c.answer)
				p.Close()
				close(closed)
			})
			f.Limits.Frame = 1000
			l, _ := f.open(t)
			s := send(t, l, message(t, ping))
			in, err := s.Next(limited(t))
			if !errors.Is(err, c.want) || in != nil {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if errors.Is(err, io.EOF) {
				t.Errorf("%v looks like a good end", err)
			}
			if _, again := s.Next(limited(t)); again == nil || errors.Is(again, io.EOF) {
				t.Errorf("after %v comes %v", err, again)
			}
			<-closed // a server that writes for ever is cut off
		})
	}
}
