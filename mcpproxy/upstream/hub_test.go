package upstream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// waiting are requests under way: two calls and a subscription.
var waiting = []string{
	`{"jsonrpc":"2.0","id":"\u0061","method":"tools/call","params":{"_meta":{"progressToken":"t\u0031"}}}`,
	`{"jsonrpc":"2.0","id":-0,"method":"tools/call","params":{"_meta":{"progressToken":7}}}`,
	`{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen"}`,
}

func TestHubFindsNamesInAnySpelling(t *testing.T) {
	progress := func(token string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s}}`, token)
	}
	result := func(id string) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id) }
	got := upstream.TestOnlyDispatch(false, waiting, []string{
		progress(`"\u0074\u0031"`), progress("7"), progress(`"7"`), result(`"0"`), result(`"a"`), result("0"), result(`"s\u0075b"`),
	})
	want := [][]string{
		{progress(`"t\u0031"`), result(`"\u0061"`)},
		{progress("7"), progress(`"7"`), result("-0")}, // a token that nobody gave is for the newest
		{result(`"sub"`)},
		nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzHub: whatever a child writes, each consumer gets whole messages that are about itself, by the names that it gave.
func FuzzHub(f *testing.F) {
	for _, s := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":3}}}`,
		`{"jsonrpc":"2.0","id":3,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":3}}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}`,
		`{"jsonrpc":"2.0","method":"x","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":3}}}`,
		`{"jsonrpc":"2.0","id":"q","method":"roots/list"}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q"}}`,
		`{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":""}}`,
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, in string, shared bool) {
		for i, texts := range upstream.TestOnlyDispatch(shared, waiting, strings.Split(in, "\n")) {
			answered := false
			for _, text := range texts {
				var m, q wire.Frame
				if err := wire.Parse(&m, []byte(text), wire.FromUpstream, &wire.DefaultLimits); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				if answered || shared && m.Kind == wire.KindRequest || m.Response() && i == len(waiting) {
					t.Errorf("consumer %d must not get %s", i, text)
				}
				if !m.Response() {
					continue
				}
				_ = wire.Parse(&q, []byte(waiting[i]), wire.FromAgent, &wire.DefaultLimits)
				if answered = true; string(m.Get(wire.ID)) != string(q.Get(wire.ID)) {
					t.Errorf("consumer %d gets the answer %s", i, text)
				}
			}
		}
	})
}
