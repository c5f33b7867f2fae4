package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// FuzzParse holds the scanner to what the rest of the program builds on: it never panics; what it accepts is JSON to
// the standard library too, and printing the parts gives the same bytes back; what it refuses has one listed reason.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		call(`{"name":"t","arguments":{"a":[1,2.5e-3,"\ud800",null,true,{"b":{}}]}}`),
		`{"jsonrpc":"2.0","id":"1","result":{"tools":[{"name":"x","inputSchema":{}}],"nextCursor":""}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no","data":{}}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.5}}`,
		`{"jsonrpc":"2.0","id":1,"METHOD":"x"}`, `[]`, "\xff", `{"a":"` + "\xed\xa0\x80" + `"}`,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"m\\u0065thod\":\"p\"}",
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	small := wire.Limits{Frame: 1 << 16, Depth: 40, Keys: 400, Name: 128}
	f.Fuzz(func(t *testing.T, raw []byte, agent bool) {
		side := wire.FromUpstream
		if agent {
			side = wire.FromAgent
		}
		var fr wire.Frame
		err := wire.Parse(&fr, raw, side, &small)
		var fault *wire.Fault
		switch {
		case errors.As(err, &fault):
			if !slices.Contains(wire.Problems(), fault.Problem) {
				t.Errorf("refused for an unlisted reason: %v", err)
			}
			grammar := fault.Problem == wire.NotJSON || fault.Problem == wire.TrailingData
			if grammar && json.Valid(raw) {
				t.Errorf("%v, yet it is JSON: %q", err, raw)
			}
		case err != nil:
			t.Errorf("an error that is no fault: %v", err)
		default:
			accepted(t, &fr, raw)
		}
	})
}

func accepted(t *testing.T, fr *wire.Frame, raw []byte) {
	t.Helper()
	if !json.Valid(raw) {
		t.Fatalf("accepted what is not JSON: %q", raw)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, raw); err != nil {
		t.Fatal(err)
	}
	if got := rebuild(t, nil, bytes.TrimSpace(raw)); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the walkers find %q in %q", got, raw)
	}
	for e := range wire.Entries(bytes.TrimSpace(raw)) {
		name, ok := wire.Unquote(e.Name)
		if ok && string(name) == "method" && !bytes.Equal(e.Value, fr.Get(wire.Method)) {
			t.Errorf("the walk finds method %q, the index %q", e.Value, fr.Get(wire.Method))
		}
	}
	if text, ok := fr.Text(wire.ParamsName); ok {
		var std string
		if err := json.Unmarshal(fr.Get(wire.ParamsName), &std); err != nil || std != string(text) {
			t.Errorf("text %q, the standard library reads %q, %v", text, std, err)
		}
	}
}

// rebuild prints a value from what the walkers yield and nothing else, without white space.
func rebuild(t *testing.T, dst, v []byte) []byte {
	t.Helper()
	switch v[0] {
	case '[':
		dst = append(dst, '[')
		for at, x := range wire.Elements(v) {
			if !bytes.Equal(v[at.Lo:at.Hi], x) {
				t.Errorf("the place of %q is that of %q", x, v[at.Lo:at.Hi])
			}
			dst = append(rebuild(t, dst, x), ',')
		}
		return append(bytes.TrimSuffix(dst, []byte(",")), ']')
	case '{':
		dst = append(dst, '{')
		for e := range wire.Entries(v) {
			whole := v[e.At.Lo:e.At.Hi]
			if !bytes.Equal(v[e.ValueAt.Lo:e.ValueAt.Hi], e.Value) || !bytes.HasPrefix(whole, e.Name) || !bytes.HasSuffix(whole, e.Value) {
				t.Errorf("the places of %q: %q are those of %q and %q", e.Name, e.Value, whole, v[e.ValueAt.Lo:e.ValueAt.Hi])
			}
			dst = append(append(dst, e.Name...), ':')
			dst = append(rebuild(t, dst, e.Value), ',')
		}
		return append(bytes.TrimSuffix(dst, []byte(",")), '}')
	default:
		return append(dst, v...)
	}
}

// FuzzUnquote checks that quoting and unquoting are each other's inverse and agree with the standard library.
func FuzzUnquote(f *testing.F) {
	f.Add("a\"\\\n\u2028😀")
	f.Add("\xff\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, s string) {
		raw := wire.AppendQuote(nil, s)
		var std string
		if err := json.Unmarshal(raw, &std); err != nil {
			t.Fatalf("%q is not JSON: %v", raw, err)
		}
		got, ok := wire.Unquote(raw)
		if !ok || string(got) != std {
			t.Errorf("got %q %v, want %q", got, ok, std)
		}
	})
}
