//go:build unix

package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// eachStream runs a test on every leg whose answers share one stream.
func eachStream(t *testing.T, test func(t *testing.T, s *upstream.Server, own bool)) {
	t.Helper()
	servers := map[string]func(t *testing.T) upstream.Config{
		"child": func(*testing.T) upstream.Config { return childConfig("serve") },
		"sse":   func(t *testing.T) upstream.Config { t.Helper(); return newSSE(t).config() },
		"ws":    func(t *testing.T) upstream.Config { t.Helper(); return newWS(t, nil).config() },
	}
	for name, config := range servers {
		t.Run(name, func(t *testing.T) { test(t, newServer(t, config(t)), true) })
		t.Run(name+" shared", func(t *testing.T) { test(t, newServer(t, config(t)), false) })
	}
}

// either opens a link of its own, or one that is shared.
func either(t *testing.T, s *upstream.Server, own bool) upstream.Link {
	t.Helper()
	if own {
		return open(t, s)
	}
	return stateless(t, s)
}

// hold sends a request that the server answers when it is told to, and returns when the server has it.
func hold(t *testing.T, l upstream.Link, id string) upstream.Stream {
	t.Helper()
	before := heldBy(t, l)
	s := send(t, l, request(t, id, "hold"))
	for end := time.Now().Add(patience); heldBy(t, l) == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the request does not come")
		}
	}
	return s
}

// heldBy returns how many requests the server holds.
func heldBy(t *testing.T, l upstream.Link) string {
	t.Helper()
	got, err := call(t, l, request(t, `"how many"`, "count"))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// must returns the answer to a request.
func must(t *testing.T, l upstream.Link, id, method string) string {
	t.Helper()
	got, err := call(t, l, request(t, id, method))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestLateAnswerIsNotThatOfTheNextRequestOfItsID gives a request up, sends another one of the same id, and has the server
// answer both.
func TestLateAnswerIsNotThatOfTheNextRequestOfItsID(t *testing.T) {
	cases := map[string]struct {
		id, again string
		cancels   bool
	}{
		"timed out":        {"7", "7", false},
		"cancelled":        {"7", "7", true},
		"another spelling": {`"\u0061"`, `"a"`, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			eachStream(t, func(t *testing.T, s *upstream.Server, own bool) {
				t.Helper()
				l := either(t, s, own)
				first := hold(t, l, c.id)
				if c.cancels {
					if err := first.Cancel(limited(t), "enough"); err != nil {
						t.Fatal(err)
					}
				}
				first.Close()
				second := hold(t, l, c.again)
				must(t, l, "8", "oldest")
				must(t, l, "9", "release")
				got, err := all(t, second)
				want := `{"jsonrpc":"2.0","id":` + c.again + `,"result":{"held":0}}`
				if len(got) == 0 || got[len(got)-1] != want || err != nil {
					t.Errorf("got %s, %v, want %s", got, err, want)
				}
				if n := s.Counts().Stray; n != 1 {
					t.Errorf("%d messages were nobody's, want the late answer", n)
				}
				if got := must(t, l, c.again, "echo"); own && !strings.Contains(got, `"got":{"jsonrpc":"2.0","id":`+c.again+`,`) {
					t.Errorf("when nothing is owed any more, the server gets another id: %s", got)
				}
			})
		})
	}
}

// TestOwedIDsAlone go under an alias: that of another request, of one that was answered, and of one that was never sent
// reach the server to the byte.
func TestOwedIDsAlone(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	sees := func(raw, want string) {
		t.Helper()
		got, err := call(t, l, message(t, raw))
		if id := `{"jsonrpc":"2.0","id":` + string(message(t, raw).Frame.Get(wire.ID)) + `,"result":{"got":`; err != nil || got != id+want+"}}" {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	echo := func(id string) string {
		return `{ "jsonrpc":"2.0","id": ` + id + ` ,"method":"echo","params":{"_meta":{"progressToken":` + id + `},"x":1.0}}`
	}
	late, stop := context.WithCancel(t.Context())
	stop()
	if _, err := l.Send(late, request(t, "5", "hold")); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	for _, id := range []string{"5", "5", `"\u0035"`} {
		sees(echo(id), echo(id))
	}
	hold(t, l, "7").Close()
	sees(echo("8"), echo("8"))
	sees(echo(`"7"`), echo(`"7"`))
	sees(echo("7"), strings.Replace(echo("7"), `"id": 7 `, `"id": "hopgate-alias-1" `, 1)) // the token stays
	must(t, l, "9", "oldest")
	sees(echo("7"), echo("7"))
}

func TestAliasIsCancelled(t *testing.T) {
	told := func(id, reason string) string {
		return `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"jsonrpc":"2.0","method":"notifications/cancelled",` +
			`"params":{"requestId":` + id + `,"reason":"` + reason + `"}}}}`
	}
	l := open(t, newServer(t, childConfig("serve")))
	listener, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hold(t, l, "7").Close()
	second := hold(t, l, "7")
	other := hold(t, l, "8") // so that what names no request is for the listener
	if err := second.Cancel(limited(t), "ours"); err != nil {
		t.Fatal(err)
	}
	send(t, l, message(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,"reason":"the client's"}}`))
	send(t, l, message(t, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8,"reason":"another"}}`))
	for _, want := range []string{
		told(`"hopgate-alias-1"`, "ours"), told(`"hopgate-alias-1"`, "the client's"), told("8", "another"),
	} {
		if got := next(t, listener); got != want {
			t.Errorf("the server got %s, want %s", got, want)
		}
	}
	if _, err := l.Send(t.Context(), request(t, "7", "echo")); !errors.Is(err, upstream.ErrInvalid) {
		t.Errorf("the id once more: got %v, want ErrInvalid", err)
	}
	must(t, l, "9", "release")
	for s, want := range map[upstream.Stream]string{
		second: `{"jsonrpc":"2.0","id":7,"result":{"held":1}}`, other: `{"jsonrpc":"2.0","id":8,"result":{"held":2}}`,
	} {
		if got := next(t, s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestAliasesAreNobodysIDs has a client use an alias as an id, while the answer to the alias is still to come.
func TestAliasesAreNobodysIDs(t *testing.T) {
	for _, id := range []string{`"hopgate-alias-1"`, `"hopgate\u002dalias-1"`} {
		s := newServer(t, childConfig("serve"))
		l := open(t, s)
		hold(t, l, "7").Close()
		hold(t, l, "7").Close() // as "hopgate-alias-1"
		mine := hold(t, l, id)
		if _, err := l.Send(t.Context(), request(t, `"\u0068opgate-alias-1"`, "echo")); !errors.Is(err, upstream.ErrInvalid) {
			t.Errorf("the id once more: got %v, want ErrInvalid", err)
		}
		must(t, l, "8", "oldest")
		must(t, l, "9", "oldest")
		must(t, l, "10", "release")
		if got, want := next(t, mine), `{"jsonrpc":"2.0","id":`+id+`,"result":{"held":0}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if n := s.Counts().Stray; n != 2 {
			t.Errorf("%d messages were nobody's, want the late answers", n)
		}
	}
}

// TestOwedIDsAreBounded gives up more requests than are remembered. Every request goes under an alias then, until an answer
// has come.
func TestOwedIDsAreBounded(t *testing.T) {
	eachStream(t, func(t *testing.T, s *upstream.Server, own bool) {
		t.Helper()
		if !own {
			return // it remembers none
		}
		l := open(t, s)
		sent := hold(t, l, "-1") // before there are so many
		for i := range upstream.TestOnlyMaxOwed {
			send(t, l, request(t, fmt.Sprint(i), "hold")).Close()
		}
		for _, id := range []string{"1", "999999", `"new"`} {
			got := must(t, l, id, "echo")
			if !strings.HasPrefix(got, `{"jsonrpc":"2.0","id":`+id+`,`) || !strings.Contains(got, `"got":{"jsonrpc":"2.0","id":"hopgate-alias-`) {
				t.Errorf("%s: got %s", id, got)
			}
		}
		for range upstream.TestOnlyMaxOwed {
			send(t, l, request(t, "1", "hold")).Close()
		}
		if owed, aliased := upstream.TestOnlyOwed(l); owed != upstream.TestOnlyMaxOwed || aliased != 0 {
			t.Errorf("%d ids and %d aliases are remembered", owed, aliased)
		}
		all := fmt.Sprintf(`"held":%d}`, 1+2*upstream.TestOnlyMaxOwed)
		for end := time.Now().Add(patience); !strings.Contains(heldBy(t, l), all); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the requests do not come")
			}
		}
		must(t, l, "8", "release")
		if got := next(t, sent); got != `{"jsonrpc":"2.0","id":-1,"result":{"held":0}}` {
			t.Errorf("got %s", got)
		}
		if owed, _ := upstream.TestOnlyOwed(l); owed != 0 {
			t.Errorf("%d ids are owed an answer when all has been answered", owed)
		}
		if got := must(t, l, "1", "echo"); !strings.Contains(got, `"got":{"jsonrpc":"2.0","id":1,`) {
			t.Errorf("got %s", got)
		}
	})
}

// TestSubscriptionUnderAnAlias: what is said of the subscription that had the id before is not said of the next one.
func TestSubscriptionUnderAnAlias(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	l := open(t, s)
	listen := `{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`
	note := func(id string) string {
		return `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`
	}
	send(t, l, modern(t, listen)).Close()
	second := send(t, l, modern(t, listen))
	end := `{"jsonrpc":"2.0","id":%s,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s}}}`
	got, err := all(t, send(t, l, modern(t, writeOrder("1", "", note(`"sub"`), note(`"hopgate-alias-1"`), fmt.Sprintf(end, `"sub"`, `"sub"`),
		fmt.Sprintf(end, `"hopgate-alias-1"`, `"hopgate-alias-1"`)))))
	if len(got) != 1 || err != nil {
		t.Errorf("the call got %s, %v", got, err)
	}
	got, err = all(t, second)
	if want := []string{note(`"sub"`), fmt.Sprintf(end, `"sub"`, `"sub"`)}; !slices.Equal(got, want) || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if n := s.Counts().Stray; n != 2 {
		t.Errorf("%d messages were nobody's, want 2", n)
	}
}
