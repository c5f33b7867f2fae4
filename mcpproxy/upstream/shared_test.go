//go:build unix

package upstream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestSharedChildSeesOnlyOurNames(t *testing.T) {
	l := stateless(t, newServer(t, childConfig("serve")))
	raw := `{"jsonrpc":"2.0","id":"mine","method":"echo","params":{"_meta":{"progressToken":"tok","x":1.0},"name":"mine"}}`
	got, err := call(t, l, modern(t, raw))
	want := `{"jsonrpc":"2.0","id":"mine","result":{"got":{"jsonrpc":"2.0","id":1,"method":"echo","params":{"_meta":{"progressToken":1,"x":1.0},"name":"mine"}}}}`
	if err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestSharedChildKeepsRequestsOfOneNameApart(t *testing.T) {
	l := stateless(t, newServer(t, childConfig("serve")))
	raw := func(id, token string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"hold","params":{"_meta":{"progressToken":%s}}}`, id, token)
	}
	a := send(t, l, modern(t, raw(`"\u0031"`, `"t"`)))
	b := send(t, l, modern(t, raw(`"\u0031"`, `"\u0074"`)))
	_, err := all(t, send(t, l, modern(t, writeOrder("1", "5",
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":0.20}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.10,"progressToken":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}}`,
	))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, l, modern(t, `{"jsonrpc":"2.0","id":1,"method":"release"}`)); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[upstream.Stream][]string{
		a: {`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.10,"progressToken":"t"}}`, `{"jsonrpc":"2.0","id":"\u0031","result":{"held":0}}`},
		b: {`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"\u0074","progress":0.20}}`, `{"jsonrpc":"2.0","id":"\u0031","result":{"held":1}}`},
	} {
		got, err := all(t, s)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
}

func TestSharedChildSubscriptions(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	l := stateless(t, s)
	listen := `{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}`
	sub := send(t, l, modern(t, listen))
	other := send(t, l, modern(t, listen))
	note := func(method, id string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%s","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s}}}`, method, id)
	}
	end := `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1}}}`
	log := `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"of the call"}}`
	got, err := all(t, send(t, l, modern(t, writeOrder(`"call"`, "",
		note("subscriptions/acknowledged", "2"), note("subscriptions/acknowledged", "1"), note("tools/list_changed", "1"),
		note("tools/list_changed", "3"), note("tools/list_changed", `"sub"`), log,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`, end,
		`{"jsonrpc":"2.0","id":"x","method":"sampling/createMessage","params":{}}`))))
	if diff := cmp.Diff([]string{log, `{"jsonrpc":"2.0","id":"call","result":{}}`}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = all(t, sub)
	want := []string{
		note("subscriptions/acknowledged", `"sub"`), note("tools/list_changed", `"sub"`),
		strings.ReplaceAll(strings.ReplaceAll(end, `"id":1`, `"id":"sub"`), `Id":1`, `Id":"sub"`),
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, want := range []string{
		note("subscriptions/acknowledged", `"sub"`),
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"sub"}}`,
	} {
		if got := next(t, other); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	// Two tags that name no subscription, and a request where none is allowed.
	if n := s.Counts(); n.Stray != 3 || n.Malformed != 0 {
		t.Errorf("got %+v, want 3 strays", n)
	}
}

func TestSharedChildCancelsByOurName(t *testing.T) {
	l := stateless(t, newServer(t, childConfig("serve")))
	held := send(t, l, modern(t, `{"jsonrpc":"2.0","id":"x","method":"hold"}`))
	if err := held.Cancel(limited(t), ""); err != nil {
		t.Fatal(err)
	}
	want := `{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}}}`
	if got := next(t, held); got != want {
		t.Errorf("the child got %s, want %s", got, want)
	}
}

func TestSharedChildRefusesWhatNamesNoStream(t *testing.T) {
	l := stateless(t, newServer(t, childConfig("serve")))
	for name, raw := range map[string]string{
		"a cancellation": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		"an answer":      `{"jsonrpc":"2.0","id":1,"result":{}}`,
	} {
		if s, err := l.Send(t.Context(), modern(t, raw)); s != nil || !errors.Is(err, upstream.ErrInvalid) {
			t.Errorf("%s: got %v, %v, want ErrInvalid", name, s, err)
		}
	}
}

func TestSharedChildDoesNotWaitForOneConsumer(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	l := stateless(t, s)
	line := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$token,"progress":1}}`
	var lines []string
	for range 200 {
		lines = append(lines, line)
	}
	slow := send(t, l, modern(t, writeOrder("1", "1", append(lines, `{"jsonrpc":"2.0","id":$id,"result":{}}`)...)))
	if _, err := call(t, l, modern(t, `{"jsonrpc":"2.0","id":1,"method":"echo"}`)); err != nil {
		t.Fatal(err)
	}
	got, err := all(t, slow)
	if len(got) != 65 || err != nil {
		t.Errorf("got %d messages, %v, want 64 and the answer", len(got), err)
	}
	if lost := s.Counts().Lost; lost != 136 {
		t.Errorf("%d messages are counted as lost, want 136", lost)
	}
}

func TestRestoredAnswerMayBeLargerThanTheLimit(t *testing.T) {
	c := childConfig("serve")
	c.Limits.Frame = 100
	l := stateless(t, newServer(t, c))
	id := `"` + strings.Repeat("i", 150) + `"`
	got, err := call(t, l, modern(t, `{"jsonrpc":"2.0","id":`+id+`,"method":"release"}`))
	if want := `{"jsonrpc":"2.0","id":` + id + `,"result":{}}`; err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
}
