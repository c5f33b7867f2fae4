package mcpproxy_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// FuzzSealed brings back what was sealed, and what was made of it: only the very string opens, and only for the purpose
// that it was sealed for.
func FuzzSealed(f *testing.F) {
	seal, open, err := mcpproxy.Sealer(rand.NewChaCha8([32]byte{1})) // always the same key, so that the corpus has seals that are true
	if err != nil {
		f.Fatal(err)
	}
	const text, agent, list = "\x00\x01\"next\"", "alice", "tools/list"
	sealed, err := seal([]byte(text), agent, list)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, agent, list)
	f.Add(sealed, "alicet", "ools/list")
	f.Add(append(bytes.Clone(sealed[:len(sealed)-1]), `=="`...), agent, list)
	f.Add([]byte(`"`+"\\u0041"+string(sealed[2:])), agent, list)
	for _, s := range []string{`""`, `"AAAA"`, `null`, `7`, `"`, `{}`, ``, "\"\\ud800\""} {
		f.Add([]byte(s), agent, list)
	}
	f.Fuzz(func(t *testing.T, cursor []byte, agentNow, listNow string) {
		var frame wire.Frame
		message := slices.Concat([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":`), cursor, []byte(`}}`))
		if wire.Parse(&frame, message, wire.FromAgent, &wire.DefaultLimits) != nil {
			return
		}
		brought := frame.Get(wire.ParamsCursor)
		got, ok := open(brought, agentNow, listNow)
		if !ok {
			if bytes.Equal(brought, sealed) && agentNow == agent && listNow == list {
				t.Error("what was sealed does not open")
			}
			return
		}
		var said, was string
		if json.Unmarshal(brought, &said) != nil || json.Unmarshal(sealed, &was) != nil || said != was || agentNow != agent || listNow != list {
			t.Errorf("%q opens for %q and %q", brought, agentNow, listNow)
		}
		if string(got) != text {
			t.Errorf("opens as %q", got)
		}
	})
}

// FuzzEventID holds Last-Event-ID to the ids that streams give out: each event has one.
func FuzzEventID(f *testing.F) {
	for _, id := range []string{"0-0", "1-17", "-1-2", "1--2", "01-2", "+1-2", "1-2-3", "1", "", "-", "99999999999999999999-1", "1-99999999999999999999", "1_0-2"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		stream, seq, ok := mcpproxy.ParseEventID(id)
		if ok && (stream < 0 || seq < 0 || mcpproxy.EventID(stream, seq) != id) {
			t.Errorf("%q is read as %d and %d", id, stream, seq)
		}
		stream, seq = len(id), 7*len(id)
		if a, b, ok := mcpproxy.ParseEventID(mcpproxy.EventID(stream, seq)); !ok || a != stream || b != seq {
			t.Errorf("the id of event %d of stream %d is read as %d of %d", seq, stream, b, a)
		}
	})
}
