package ingress_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// run serves lines to a handler on stdio and returns what was written.
func run(t *testing.T, h *handler, in io.Reader, p ingress.Peer) string {
	t.Helper()
	var out strings.Builder
	s := ingress.Stdio{Handler: h, In: in, Out: &out}
	if err := s.Serve(t.Context(), &p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var local = ingress.Peer{Transport: "stdio", Local: true}

func TestStdioFramesLines(t *testing.T) {
	cases := map[string]struct{ in, want, refused string }{
		"one":                   {"{\"a\":1}\n", "{\"a\":1}\n", ""},
		"carriage returns":      {"{\"a\":1}\r\n", "{\"a\":1}\n", ""},
		"empty lines":           {"\n\r\n{\"a\":1}\n\n", "{\"a\":1}\n", ""},
		"longer than a buffer":  {`"` + strings.Repeat("x", 200<<10) + "\"\n", `"` + strings.Repeat("x", 200<<10) + "\"\n", ""},
		"longer than the limit": {strings.Repeat("x", 1<<21) + "\n{\"a\":1}\n", "BODY_TOO_LARGE {\"a\":1}\n", "BODY_TOO_LARGE"},
		"unfinished":            {"{\"a\":1}\n{\"b\"", "STREAM_ENDED {\"a\":1}\n", "STREAM_ENDED"},
		"unfinished, too long":  {strings.Repeat("x", 1<<21), "BODY_TOO_LARGE ", "BODY_TOO_LARGE"},
		"nothing":               {"", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &handler{post: echo}
			got := run(t, h, strings.NewReader(c.in), local)
			want := strings.TrimPrefix(c.want, c.refused+" ")
			if !strings.Contains(got, want) || (c.refused == "") != (got == want) || h.codes() != c.refused {
				t.Errorf("got %.200q, on record %q", got, h.codes())
			}
		})
	}
}

func TestStdioKeepsAnswersInOneLine(t *testing.T) {
	h := &handler{post: func(_ context.Context, _ *ingress.Message, r ingress.Reply) {
		_ = r.Finish("", 200, []byte("{\n\t\"a\": 1\r\n}"))
	}}
	if got := run(t, h, strings.NewReader("{}\n"), local); got != "{ \t\"a\": 1  }\n" {
		t.Errorf("got %q", got)
	}
}

func TestStdioTellsAPeerWhyItIsNotAdmitted(t *testing.T) {
	in := `{"jsonrpc":"2.0","id":"x","method":"initialize"}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n" + `{"id":3}` + "\n"
	got := strings.Split(run(t, &handler{}, strings.NewReader(in), ingress.Peer{Transport: "stdio"}), "\n")
	if len(got) != 3 || !strings.Contains(got[0]+got[1], `"id":"x","error":{"code":401`) {
		t.Errorf("got %q; want an answer to the request and to the broken line, and none to the notification", got)
	}
}

// TestStdioKeepsTheOrderOfMessages lets a request hang before it is dispatched: another request overtakes it, a
// notification does not, and nothing overtakes the notification.
func TestStdioKeepsTheOrderOfMessages(t *testing.T) {
	reached, release := make(chan string, 4), make(chan struct{})
	h := &handler{post: func(_ context.Context, m *ingress.Message, _ ingress.Reply) {
		_, name, _ := strings.Cut(string(m.Raw), "#")
		if strings.Contains(name, "slow") {
			<-release
		}
		reached <- name[:1]
		m.Dispatched()
		if strings.Contains(name, "waits") {
			<-release // after dispatch nobody waits for it
		}
	}}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() { defer close(done); run(t, h, r, local) }()
	go func() {
		for _, line := range []string{
			`{"id":1,"method":"#1 slow"}`, `{"id":2,"method":"#2 waits"}`, `{"method":"notifications/cancelled #3"}`, `{"id":4,"method":"#4"}`,
		} {
			io.WriteString(w, line+"\n")
		}
		w.Close()
	}()
	if got := <-reached; got != "2" {
		t.Errorf("first comes #%s", got)
	}
	select {
	case got := <-reached:
		t.Errorf("#%s overtakes a request that is not dispatched", got)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if got := <-reached + <-reached + <-reached; got != "134" {
		t.Errorf("then come %s", got)
	}
	<-done
}

// TestStdioEndsWithItsContext ends the context while the input stays open, of which one kind can be closed and one cannot,
// and while nobody reads the output.
func TestStdioEndsWithItsContext(t *testing.T) {
	for name, closes := range map[string]bool{"the input can be closed": true, "the input cannot be closed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var posts atomic.Int32
				h := &handler{post: func(ctx context.Context, _ *ingress.Message, reply ingress.Reply) {
					posts.Add(1)
					<-ctx.Done()
					reply.Finish("", 200, []byte("{}"))
				}}
				r, w := io.Pipe()
				unread, out := io.Pipe()
				s := ingress.Stdio{Handler: h, In: struct{ io.Reader }{r}, Out: out}
				if closes {
					s.In = r
				}
				done := make(chan error)
				go func() {
					p := local
					done <- s.Serve(ctx, &p)
				}()
				io.WriteString(w, `{"id":1,"method":"x"}`+"\n"+`{"id":2,"method":"x"}`+"\n")
				synctest.Wait()
				start := time.Now()
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if took := time.Since(start); took > 3*time.Second {
					t.Errorf("it took %s", took)
				}
				if !closes { // the read goes on, and comes to nothing
					io.WriteString(w, `{"id":3,"method":"x"}`+"\n")
					synctest.Wait()
				}
				if n := posts.Load(); n != 2 {
					t.Errorf("%d messages were dealt with, want 2", n)
				}
				if closes {
					if _, err := io.WriteString(w, "x"); err == nil {
						t.Error("the input is still open")
					}
				}
				unread.Close()
				w.Close()
			})
		})
	}
}

// TestStdioAnswersOvertakeWaitingCalls has more calls than are dealt with at once, all of which wait for an answer of the
// peer. What is more than may wait is refused.
func TestStdioAnswersOvertakeWaitingCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answered := make(chan struct{})
		h := &handler{post: func(_ context.Context, m *ingress.Message, reply ingress.Reply) {
			m.Dispatched()
			if strings.Contains(string(m.Raw), `"result"`) {
				close(answered)
				return
			}
			<-answered
			reply.Finish("", 200, []byte(`{"done":1}`))
		}}
		r, w := io.Pipe()
		done := make(chan string)
		go func() { done <- run(t, h, r, local) }()
		for i := range 1500 {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"method":"tools/call"}`+"\n", i)
			if i == 256 {
				synctest.Wait() // as many as are dealt with at a time have left the queue, however slow the machine is
			}
		}
		synctest.Wait()
		io.WriteString(w, `{"jsonrpc":"2.0","id":"q","result":{}}`+"\n")
		synctest.Wait()
		select {
		case <-answered:
		default:
			t.Fatal("the answer waits for the calls")
		}
		w.Close()
		out := <-done
		refused := strings.Count(out, `"code":"TOO_MANY_CALLS"`)
		if n := strings.Count(out, `"done"`); n < 256+1024 || n+refused != 1500 || refused == 0 {
			t.Errorf("%d calls are done, %d are refused", n, refused)
		}
		if !strings.Contains(out, `"id":1499,"result":{"content"`) {
			t.Errorf("the last call is not refused under its id: %.200s", out[len(out)-200:])
		}
	})
}

func TestStdioTurnsAwayWithoutAnsweringAnswers(t *testing.T) {
	var out bytes.Buffer
	in := `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/x"}` + "\n" + `{"jsonrpc":"2.0","id":2,"method":"ping"}` + "\n"
	s := ingress.Stdio{Handler: &handler{}, In: strings.NewReader(in), Out: &out}
	if err := s.Serve(t.Context(), &ingress.Peer{Transport: "stdio"}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"id":2,"error"`) {
		t.Errorf("got %s", got)
	}
}

// TestStdioKeepsNoGoroutineForAnIdlePeer sees that who has read a request that is quickly done deals with it, that another
// one deals with slow ones and waits for more, and that this one ends.
func TestStdioKeepsNoGoroutineForAnIdlePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow time.Duration
		h := &handler{post: func(_ context.Context, m *ingress.Message, reply ingress.Reply) {
			time.Sleep(slow)
			reply.Finish("", 200, m.Raw)
		}}
		r, w := io.Pipe()
		out, written := io.Pipe()
		s := ingress.Stdio{Handler: h, In: r, Out: written}
		done := make(chan error)
		go func() {
			p := local
			done <- s.Serve(t.Context(), &p)
		}()
		answers := bufio.NewScanner(out)
		say := func() {
			io.WriteString(w, `{"id":1,"method":"x"}`+"\n")
			if !answers.Scan() {
				t.Fatal("no answer")
			}
			synctest.Wait()
		}
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range 20 {
			say()
			if n := runtime.NumGoroutine(); n != before {
				t.Errorf("%d goroutines wait for messages", n-before)
			}
			time.Sleep(300 * time.Millisecond)
		}
		slow = 5 * time.Millisecond
		say() // by who has read it, while another one goes on reading
		for range 20 {
			say()
			if n := runtime.NumGoroutine(); n != before+1 {
				t.Errorf("%d goroutines wait for messages", n-before)
			}
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := runtime.NumGoroutine(); n != before {
			t.Errorf("%d goroutines are kept", n-before)
		}
		say()
		w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestStdioReadsOnBehindASlowRequest has requests that wait for the one that comes behind them. The first may keep it out for
// two milliseconds; those after it, which are probably slow as well, do not.
func TestStdioReadsOnBehindASlowRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		came := make(chan struct{})
		h := &handler{post: func(_ context.Context, m *ingress.Message, reply ingress.Reply) {
			m.Dispatched()
			if strings.Contains(string(m.Raw), "notifications/") {
				came <- struct{}{}
				return
			}
			<-came
			reply.Finish("", 200, m.Raw)
		}}
		r, w := io.Pipe()
		done := make(chan string)
		go func() { done <- run(t, h, r, local) }()
		for i := range 17 {
			start := time.Now()
			io.WriteString(w, `{"id":1,"method":"x"}`+"\n")
			io.WriteString(w, `{"method":"notifications/x"}`+"\n")
			synctest.Wait()
			if took := time.Since(start); took > 2*time.Millisecond || i > 0 && took > 0 {
				t.Errorf("round %d took %s", i, took)
			}
		}
		w.Close()
		if n := strings.Count(<-done, "\n"); n != 17 {
			t.Errorf("%d answers", n)
		}
	})
}

// TestStdioLeavesWhenItIsToldTo has a request under way when no more messages are to be taken: it gets its answer.
func TestStdioLeavesWhenItIsToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &handler{post: func(ctx context.Context, m *ingress.Message, reply ingress.Reply) {
			m.Dispatched()
			time.Sleep(time.Hour)
			reply.Finish("", 200, m.Raw)
		}}
		r, w := io.Pipe()
		var out bytes.Buffer
		leaving := make(chan struct{})
		s := ingress.Stdio{Handler: h, In: r, Out: &out, Leaving: leaving}
		done := make(chan error)
		go func() {
			p := local
			done <- s.Serve(t.Context(), &p)
		}()
		request := `{"id":1,"method":"x"}` + "\n"
		io.WriteString(w, request)
		time.Sleep(time.Minute)
		close(leaving)
		synctest.Wait()
		if _, err := io.WriteString(w, request); err == nil {
			t.Error("messages are still taken")
		}
		if err := <-done; err != nil || out.String() != request {
			t.Errorf("got %q, %v", out.String(), err)
		}
	})
}
