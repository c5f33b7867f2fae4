//go:build unix

package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// TestStdioHearsWhatComesBetweenCalls has a child speak when no caller reads any more: at once after an answer, and later.
func TestStdioHearsWhatComesBetweenCalls(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	rest, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	for i := range 60 {
		for j := range 3 {
			if _, err := call(t, l, request(t, fmt.Sprint(3*i+j), "echo")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Duration(i) * 50 * time.Microsecond)
		told := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, i)
		send(t, l, message(t, told))
		if got, want := next(t, rest), `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":`+told+`}}`; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// TestStdioACallerMayGoWhileItReads ends the context of a caller that waits, be it the one that reads or not, and in the
// middle of a line. The others, and those behind it, get their answers.
func TestStdioACallerMayGoWhileItReads(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	for i := range 40 {
		first, second, third := fmt.Sprint(10*i), fmt.Sprint(10*i+1), fmt.Sprint(10*i+2)
		if _, err := call(t, l, request(t, third, "echo")); err != nil {
			t.Fatal(err)
		}
		method := []string{"hold", "half"}[i%2]
		s := send(t, l, request(t, first, method))
		ctx, cancel := context.WithCancel(limited(t))
		left := make(chan error)
		go func() {
			_, err := s.Next(ctx)
			left <- err
		}()
		time.Sleep(time.Duration(i) * 20 * time.Microsecond)
		cancel()
		if err := <-left; !errors.Is(err, upstream.ErrUnknownOutcome) {
			t.Fatalf("got %v", err)
		}
		s.Close()
		if got, err := call(t, l, request(t, second, "release")); err != nil || got != `{"jsonrpc":"2.0","id":`+second+`,"result":{}}` {
			t.Fatalf("round %d: got %s, %v", i, got, err)
		}
	}
}

// TestOutletIsBrokenOffByManyAtOnce has several callers go at one moment. None of them leaves a deadline behind that is taken
// for the end of the process.
func TestOutletIsBrokenOffByManyAtOnce(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	ring, read := upstream.TestOnlyOutlet(out)
	var work sync.WaitGroup
	var over atomic.Bool
	for range 4 {
		work.Go(func() {
			for range 3000 {
				ring()
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	go func() {
		work.Wait()
		over.Store(true)
		ring() // the one before may have been heard
	}()
	for !over.Load() {
		if rung, silent := read(); !rung || silent {
			t.Fatalf("broken off: %t, thought to be silent: %t", rung, silent)
		}
	}
}

// TestStdioCallersReadForEachOther has several callers come and go at once, some of which do not wait for their answers.
func TestStdioCallersReadForEachOther(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			for j := range 200 {
				id := fmt.Sprint(1000*i + j)
				s, err := l.Send(limited(t), request(t, id, "fast"))
				if err != nil {
					t.Error(err)
					return
				}
				ctx := limited(t)
				if j%5 == i%5 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(j)*time.Microsecond)
					defer cancel()
				}
				in, err := s.Next(ctx)
				if err != nil && ctx.Err() == nil || err == nil && !in.Frame.Response() {
					t.Errorf("call %s: got %v", id, err)
				}
				s.Close()
				time.Sleep(time.Duration(j%7) * 100 * time.Microsecond)
			}
		})
	}
	work.Wait()
}

// TestStdioACallerDoesNotWaitForTheListener has a child say more than there is room for while the listener does not read.
func TestStdioACallerDoesNotWaitForTheListener(t *testing.T) {
	c := childConfig("serve")
	c.Timeouts.Stall = time.Hour
	l := open(t, newServer(t, c))
	rest, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer rest.Close()
	other := send(t, l, request(t, "1", "hold"))
	defer other.Close()
	var lines []string
	for range 70 {
		lines = append(lines, `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"x"}}`)
	}
	s := send(t, l, message(t, writeOrder("2", "", lines...)))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	for range 70 {
		next(t, rest)
	}
	if got := next(t, s); got != `{"jsonrpc":"2.0","id":2,"result":{}}` {
		t.Errorf("got %s", got)
	}
}
