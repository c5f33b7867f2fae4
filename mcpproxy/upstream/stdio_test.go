//go:build unix

package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// writeOrder is a request that makes the child write the lines, in which $id and $token stand for what it was sent.
func writeOrder(id, token string, lines ...string) string {
	args, _ := json.Marshal(lines)
	meta := ""
	if token != "" {
		meta = `,"_meta":{"progressToken":` + token + `}`
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"write","params":{"arguments":%s%s}}`, id, args, meta)
}

func TestStdioCarriesBytes(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	for name, raw := range map[string]string{
		"number id":   `{"jsonrpc":"2.0","id":9007199254740993,"method":"echo","params":{"x":1.0,"y":1e400}}`,
		"string id":   `{"id":"a\u0062","method":"echo","jsonrpc":"2.0"}`,
		"surrogate":   `{"jsonrpc":"2.0","id":2,"method":"echo","params":{"x":"\ud800"}}`,
		"white space": `{ "jsonrpc" : "2.0" , "id" : 3 , "method":"echo", "params" : { } }`,
	} {
		t.Run(name, func(t *testing.T) {
			out := message(t, raw)
			got, err := call(t, l, out)
			want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"got":%s}}`, out.Frame.Get(1), raw)
			if err != nil || got != want {
				t.Errorf("got %s, %v\nwant %s", got, err, want)
			}
		})
	}
}

func TestStdioWritesOneLine(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	out := message(t, "{\"jsonrpc\":\"2.0\",\r\n \"id\":1,\n\"method\":\"echo\"}")
	before := string(out.Frame.Raw)
	got, err := call(t, l, out)
	want := `{"jsonrpc":"2.0","id":1,"result":{"got":{"jsonrpc":"2.0",   "id":1, "method":"echo"}}}`
	if err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if string(out.Frame.Raw) != before {
		t.Errorf("the caller's message was changed to %q", out.Frame.Raw)
	}
}

func TestStdioAnswersFindTheirRequests(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	var held []upstream.Stream
	for i := range 5 {
		held = append(held, send(t, l, request(t, fmt.Sprint(i), "hold")))
	}
	if _, err := call(t, l, request(t, `"last"`, "release")); err != nil {
		t.Fatal(err)
	}
	for i, s := range held {
		got, err := all(t, s)
		want := []string{fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{"held":%d}}`, i, i)}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
}

func TestStdioKeepsTheSpellingOfAnID(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	got, err := call(t, l, message(t, writeOrder(`"\u0062"`, "", `{"jsonrpc":"2.0","id":"b","result":{"of":$id}}`)))
	if want := `{"jsonrpc":"2.0","id":"\u0062","result":{"of":"\u0062"}}`; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestStdioRefusesAnIDThatIsInUse(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	first := send(t, l, request(t, `"x"`, "hold"))
	if _, err := l.Send(t.Context(), request(t, `"\u0078"`, "echo")); !errors.Is(err, upstream.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if _, err := call(t, l, request(t, "2", "release")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, first); got != `{"jsonrpc":"2.0","id":"x","result":{"held":0}}` {
		t.Errorf("the first request got %s", got)
	}
}

func TestStdioRoutesWhatIsNoAnswer(t *testing.T) {
	const (
		log      = `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"x"}}`
		ask      = `{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}`
		withdraw = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"s1"}}`
		progress = `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}`
	)
	answer := func(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"result":{}}` }
	held := func(id string, n int) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"held":%d}}`, id, n)
	}
	cases := map[string]struct {
		listen                    bool
		pending                   []string // messages before the one that makes the child write
		lines                     []string
		first, second, writer, to []string // what the pending ones, the writing one and the listener get
	}{
		"one request": {listen: true, lines: []string{log, ask, withdraw}, writer: []string{log, ask, withdraw, answer("9")}},
		"two requests, a listener": {
			listen: true, pending: []string{`{"jsonrpc":"2.0","id":1,"method":"hold"}`}, lines: []string{log, ask, withdraw},
			first: []string{held("1", 0)}, writer: []string{answer("9")}, to: []string{log, ask, withdraw},
		},
		"two requests, nobody listens": {
			pending: []string{`{"jsonrpc":"2.0","id":1,"method":"hold"}`}, lines: []string{log, ask},
			first: []string{held("1", 0)}, writer: []string{log, ask, answer("9")},
		},
		"progress goes to its request": {
			listen:  true,
			pending: []string{`{"jsonrpc":"2.0","id":1,"method":"hold","params":{"_meta":{"progressToken":"\u0074"}}}`, `{"jsonrpc":"2.0","id":2,"method":"hold"}`},
			lines:   []string{progress},
			first:   []string{strings.Replace(progress, `"t"`, `"\u0074"`, 1), held("1", 0)}, second: []string{held("2", 1)}, writer: []string{answer("9")},
		},
		"progress of nobody is for the listener": {
			listen: true, pending: []string{`{"jsonrpc":"2.0","id":1,"method":"hold"}`}, lines: []string{progress},
			first: []string{held("1", 0)}, writer: []string{answer("9")}, to: []string{progress},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := open(t, newServer(t, childConfig("serve")))
			var listener upstream.Stream
			if c.listen {
				var err error
				if listener, err = l.Listen(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer listener.Close()
			}
			var pending []upstream.Stream
			for _, raw := range c.pending {
				pending = append(pending, send(t, l, message(t, raw)))
			}
			got, err := all(t, send(t, l, message(t, writeOrder("9", "", c.lines...))))
			if diff := cmp.Diff(c.writer, got); diff != "" || err != nil {
				t.Errorf("the writing request: %s %v", diff, err)
			}
			for range c.to {
				if got := next(t, listener); got != c.to[0] {
					t.Errorf("the listener got %s, want %s", got, c.to[0])
				}
				c.to = c.to[1:]
			}
			if _, err := call(t, l, request(t, "10", "release")); err != nil {
				t.Fatal(err)
			}
			for i, want := range [][]string{c.first, c.second} {
				if want == nil {
					continue
				}
				got, err := all(t, pending[i])
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("request %d: %s %v", i, diff, err)
				}
			}
		})
	}
}

func TestStdioKeepsWhatNobodyHeard(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	l := open(t, s)
	var lines []string
	for i := range 70 {
		lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%d}}`, i))
	}
	// The answer goes first, so that nothing is under way when the rest comes.
	order := append([]string{`{"jsonrpc":"2.0","id":$id,"result":{}}`}, lines...)
	if _, err := call(t, l, message(t, writeOrder("1", "", order...))); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); s.Counts().Lost < 6; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the buffer has no bound")
		}
	}
	listener, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Listen(t.Context()); !errors.Is(err, upstream.ErrInvalid) {
		t.Errorf("a second listener: got %v, want ErrInvalid", err)
	}
	for _, want := range lines[6:40] {
		if got := next(t, listener); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	listener.Close()
	if listener, err = l.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, want := range lines[40:] {
		if got := next(t, listener); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	if lost := s.Counts().Lost; lost != 6 {
		t.Errorf("%d messages are counted as lost, want 6", lost)
	}
}

// TestStdioKeepsWhatACallHasNotHeard closes a call before it has read what names no call. The listener gets that.
func TestStdioKeepsWhatACallHasNotHeard(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	listener, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for i := range 50 {
		note := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"$id of %d"}}`, i)
		asked := fmt.Sprintf(`{"jsonrpc":"2.0","id":"ask-%d","method":"roots/list"}`, i)
		id := fmt.Sprint(i) // each its own, because none is answered
		s := send(t, l, message(t, writeOrder(id, "", note, note, asked)))
		note = strings.Replace(note, "$id", id, 1)
		if got := next(t, s); got != note {
			t.Fatalf("got %s, want %s", got, note)
		}
		s.Close()
		for _, want := range []string{note, asked} {
			if got := next(t, listener); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
}

func TestStdioCancels(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	listener, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	held := send(t, l, request(t, `"\u0061"`, "hold"))
	send(t, l, request(t, "2", "hold"))
	if err := held.Cancel(limited(t), `the "user" left`); err != nil {
		t.Fatal(err)
	}
	want := `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"jsonrpc":"2.0","method":"notifications/cancelled",` +
		`"params":{"requestId":"\u0061","reason":"the \"user\" left"}}}}`
	if got := next(t, listener); got != want {
		t.Errorf("the child got %s, want %s", got, want)
	}
	if _, err := call(t, l, request(t, "3", "release")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, held); got != `{"jsonrpc":"2.0","id":"\u0061","result":{"held":0}}` {
		t.Errorf("the late answer is %s", got)
	}
	if err := held.Cancel(limited(t), "too late"); err != nil {
		t.Fatal(err)
	}
	first := send(t, l, request(t, "4", "initialize"))
	if err := first.Cancel(limited(t), "impossible"); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, l, request(t, "5", "echo")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if in, err := listener.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the child got a cancellation that is none: %v %v", in, err)
	}
}

func TestStdioCountsWhatIsNobodys(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	l := open(t, s)
	closed := send(t, l, request(t, "1", "hold"))
	closed.Close()
	if _, err := closed.Next(t.Context()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a closed stream gives %v", err)
	}
	got, err := all(t, send(t, l, message(t, writeOrder("2", "",
		`{"jsonrpc":"2.0","id":77,"result":{}}`, `{"jsonrpc":"2.0","id":2,"result":{"n":1}}`, `{"jsonrpc":"2.0","id":2,"result":{"n":2}}`,
		`{"jsonrpc":"2.0","id":"2","error":{"code":1,"message":""}}`, `no message`))))
	if diff := cmp.Diff([]string{`{"jsonrpc":"2.0","id":2,"result":{"n":1}}`}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := call(t, l, request(t, "3", "release")); err != nil {
		t.Fatal(err)
	}
	// The answer after the answer that the order itself makes is one more.
	if got, want := s.Counts(), (upstream.Counts{Malformed: 1, Stray: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStdioFailsARequestWhoseAnswerCannotBeRead(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	_, err := call(t, l, message(t, writeOrder("1", "", `{"jsonrpc":"2.0","id":$id,"result":{"a":1,"a":2}}`)))
	if !errors.Is(err, upstream.ErrProtocol) {
		t.Errorf("got %v, want ErrProtocol", err)
	}
	if _, err := call(t, l, request(t, "2", "echo")); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestStdioSlowConsumerLosesNotificationsOnly(t *testing.T) {
	c := childConfig("serve")
	c.Timeouts.Stall = 50 * time.Millisecond
	s := newServer(t, c)
	l := open(t, s)
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":%d}}`, i))
	}
	slow := send(t, l, message(t, writeOrder("1", "7", append(lines, `{"jsonrpc":"2.0","id":$id,"result":{}}`)...)))
	if _, err := call(t, l, request(t, "2", "release")); err != nil { // behind them, on the same pipe
		t.Fatal(err)
	}
	got, err := all(t, slow)
	if want := append(lines[:64:64], `{"jsonrpc":"2.0","id":1,"result":{}}`); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if lost := s.Counts().Lost; lost != 36 {
		t.Errorf("%d messages are counted as lost, want 36", lost)
	}
}

func TestStdioConsumerThatReadsLosesNothing(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	l := open(t, s)
	var lines []string
	for i := range 2000 {
		lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%d}}`, i))
	}
	lines = append(lines, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	order := append(lines[:2000:2000], `{"jsonrpc":"2.0","id":$id,"result":{}}`)
	got, err := all(t, send(t, l, message(t, writeOrder("1", "", order...))))
	if err != nil || !cmp.Equal(lines, got) {
		t.Errorf("%v, %s", err, cmp.Diff(lines, got))
	}
	if lost := s.Counts().Lost; lost != 0 {
		t.Errorf("%d messages are lost", lost)
	}
}

func TestStdioManyAtOnce(t *testing.T) {
	for name, open := range map[string]func(testing.TB, *upstream.Server) upstream.Link{"own": open, "shared": stateless} {
		t.Run(name, func(t *testing.T) {
			l := open(t, newServer(t, childConfig("serve")))
			errs := make(chan error)
			for i := range 8 {
				go func() {
					for n := range 50 {
						id := i*1000 + n
						raw := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"progress","params":{"_meta":{"progressToken":"t%d"}}}`, id, id)
						got, err := call(t, l, message(t, raw))
						if want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{}}`, id); got != want {
							errs <- fmt.Errorf("got %s, %w, want %s", got, err, want)
							return
						}
					}
					errs <- nil
				}()
			}
			for range 8 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func BenchmarkStdio(b *testing.B) {
	for name, open := range map[string]func(testing.TB, *upstream.Server) upstream.Link{"own": open, "shared": stateless} {
		b.Run(name, func(b *testing.B) {
			l := open(b, newServer(b, childConfig("serve")))
			out := message(b, `{"jsonrpc":"2.0","id":17,"method":"fast","params":{"arguments":{"text":"`+filler+`"},"_meta":{"progressToken":12}}}`)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				s, err := l.Send(ctx, out)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Next(ctx); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}
