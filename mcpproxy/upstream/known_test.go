package upstream_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// TestAnAnswerThatIsKnown has a server say again what it said: it is known over HTTP, as JSON and as an event, for whatever
// id; and an answer to another request is none all the same.
func TestAnAnswerThatIsKnown(t *testing.T) {
	var f wire.Frame
	if err := wire.Parse(&f, []byte(pong), wire.FromUpstream, &wire.DefaultLimits); err != nil {
		t.Fatal(err)
	}
	k := wire.Remember(&f)
	for name, c := range map[string]struct {
		id, answer string
		stream     bool
		known, ok  bool
	}{
		"JSON":               {"1", pong, false, true, true},
		"an event":           {"1", pong, true, true, true},
		"another id":         {`"a"`, strings.Replace(pong, `:1,`, `:"a",`, 1), false, true, true},
		"an id spelled anew": {`"a"`, strings.Replace(pong, `:1,`, `:"\u0061",`, 1), false, true, true},
		"another result":     {"1", strings.Replace(pong, `{}`, `{"a":1}`, 1), false, false, true},
		"somebody else's":    {"2", pong, false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake(t, func(p *peer) {
				for p.request() != nil {
					if c.stream {
						p.write(crlf("HTTP/1.1 200 OK\nContent-Type: text/event-stream\nConnection: close\n\n") + "data: " + c.answer + "\n\n")
						return
					}
					p.json(200, c.answer)
				}
			})
			out := message(t, strings.Replace(ping, `:1,`, `:`+c.id+`,`, 1))
			out.Known = []*wire.Known{k}
			in, err := send(t, open(t, newServer(t, fake.Config)), out).Next(limited(t))
			if (err == nil) != c.ok {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			if (in.Frame.Mark == k.Mark) != c.known || string(in.Frame.Get(wire.ID)) != c.id {
				t.Errorf("known: %v, want %v; the id is %s", in.Frame.Mark == k.Mark, c.known, in.Frame.Get(wire.ID))
			}
		})
	}
}
