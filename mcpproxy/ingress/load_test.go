package ingress_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// loads is a handler with room for little, whose calls named hang wait until they are let go.
func loads(room int) (h *handler, reached, release chan struct{}) {
	reached, release = make(chan struct{}, 1000), make(chan struct{})
	return &handler{room: room, post: func(ctx context.Context, m *ingress.Message, r ingress.Reply) {
		if strings.Contains(string(m.Raw), "hang") {
			m.Dispatched()
			reached <- struct{}{}
			<-release
		}
		echo(ctx, m, r)
	}}, reached, release
}

// nothingCounts waits until nothing is under way any more.
func nothingCounts(t *testing.T, h *handler) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); h.counted() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes count for ever", h.counted())
		}
	}
}

// big is a message of at least so many bytes.
func big(id, size int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"hang","x":"%s"}`, id, strings.Repeat("x", size))
}

// TestMessagesUnderWayOverHTTPAreBounded has room for two small messages and a large one of 40 KiB.
func TestMessagesUnderWayOverHTTPAreBounded(t *testing.T) {
	h, reached, release := loads(76 << 10)
	url := serve(t, h, withWS)
	post := func(body io.Reader) string {
		t.Helper()
		resp := request(t, url, body, nil)
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprint(resp.StatusCode, string(got))
	}
	answers := make(chan string, 3)
	for i, size := range []int{0, 0, 40 << 10} {
		go func() { answers <- post(strings.NewReader(big(i, size))) }()
		<-reached
	}
	bodies := map[string]io.Reader{
		"small": strings.NewReader(big(7, 0)), "announced": strings.NewReader(big(7, 100<<10)),
		"in chunks": io.MultiReader(strings.NewReader(big(7, 100<<10))), // of unknown length
	}
	for name, body := range bodies {
		if got := post(body); !strings.HasPrefix(got, "429") || !strings.Contains(got, "too many calls are waiting") {
			t.Errorf("%s: %.200s", name, got)
		}
	}
	if got := post(strings.NewReader(`{"jsonrpc":"2.0","id":1,"result":{}}`)); !strings.HasPrefix(got, "200") {
		t.Errorf("an answer, for which a call may wait: %s", got)
	}
	close(release)
	for range 3 {
		if got := <-answers; !strings.HasPrefix(got, "200") {
			t.Errorf("a call that was under way: %.200s", got)
		}
	}
	nothingCounts(t, h)
	if got := post(strings.NewReader(big(7, 60<<10))); !strings.HasPrefix(got, "200") {
		t.Errorf("with room again: %.200s", got)
	}
	nothingCounts(t, h)
}

// TestMessagesUnderWayOnALineAreBounded has two connections of one agent, whose messages count together.
func TestMessagesUnderWayOnALineAreBounded(t *testing.T) {
	h, reached, release := loads(70 << 10)
	url := serve(t, h, withWS)
	one, other := dialWS(t, url, nil), dialWS(t, url, nil)
	one.say(big(1, 30<<10))
	<-reached
	other.say(big(2, 0))
	<-reached
	for id, size := range []int{20 << 10, 200 << 10, 0, 100 << 10} { // the first two of which are read and counted together
		if id == 0 {
			one.say(big(3, size))
			<-reached
			continue
		}
		other.say(big(10+id, size))
		got := other.hear()
		if !strings.Contains(got, "too many calls are waiting") || size == 0 && !strings.Contains(got, fmt.Sprintf(`"id":%d`, 10+id)) {
			t.Errorf("%d: %.300s", size, got)
		}
	}
	other.say(`{"jsonrpc":"2.0","id":1,"result":{"x":1}}`)
	if got := other.hear(); !strings.Contains(got, `"result":{"x":1}`) {
		t.Errorf("an answer, for which a call may wait: %.300s", got)
	}
	close(release)
	for _, c := range []*wsClient{one, one, other} {
		if got := c.hear(); !strings.Contains(got, "hang") {
			t.Errorf("a call that was under way: %.200s", got)
		}
	}
	nothingCounts(t, h)
	other.say(big(9, 60<<10))
	if got := other.hear(); !strings.Contains(got, `"id":9`) || strings.Contains(got, "too many") {
		t.Errorf("with room again: %.200s", got)
	}
	nothingCounts(t, h)
}

// TestALineForWhichThereIsNoRoomIsDropped reads it from standard input, and goes on with the next.
func TestALineForWhichThereIsNoRoomIsDropped(t *testing.T) {
	cases := map[string]struct{ in, refused string }{
		"it fits":             {big(1, 40<<10) + "\n", ""},
		"it does not":         {big(1, 100<<10) + "\n{}\n", "TOO_MANY_CALLS"},
		"nor without its end": {big(1, 100<<10), "TOO_MANY_CALLS"},
		"beyond the limit":    {strings.Repeat("x", 2<<20) + "\n{}\n", "TOO_MANY_CALLS"},
		"two after each other": {
			big(1, 100<<10) + "\n" + big(1, 100<<10) + "\n{}\n", "TOO_MANY_CALLS TOO_MANY_CALLS",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := &handler{room: 64 << 10, post: echo}
			got := run(t, h, strings.NewReader(c.in), local)
			if h.codes() != c.refused || strings.HasSuffix(c.in, "{}\n") != strings.Contains(got, "{}\n") {
				t.Errorf("got %.300q, on record %q", got, h.codes())
			}
			if n := h.counted(); n != 0 {
				t.Errorf("%d bytes count for ever", n)
			}
		})
	}
}
