package wire_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

const knownList = ` {"jsonrpc":"2.0", "id" : 17 ,"result":{"nextCursor":"n","tools":[{"name":"a","tags":["[{\"",{}]},{"name":"b"}],"ttlMs":1},"x":1}`

func known(t *testing.T, message string) *wire.Known {
	t.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(message), wire.FromUpstream, &wire.DefaultLimits); err != nil {
		t.Fatal(err)
	}
	return wire.Remember(&f)
}

// reads holds what k says of a message against what Parse says, and reports whether k knew it.
func reads(t *testing.T, k *wire.Known, message string, lim *wire.Limits) bool {
	t.Helper()
	before := wire.Frame{Raw: []byte("untouched")}
	got := before
	knew := k.Read(&got, []byte(message), wire.FromUpstream, lim)
	if !knew {
		if !reflect.DeepEqual(got, before) {
			t.Errorf("%q is not known, and the frame has changed", message)
		}
		return false
	}
	var want wire.Frame
	if err := wire.Parse(&want, []byte(message), wire.FromUpstream, lim); err != nil {
		t.Fatalf("%q is known, and Parse refuses it: %v", message, err)
	}
	if got.Mark != k.Mark || !k.Is(&want) {
		t.Errorf("%q is known under another mark, or not the same once it is parsed", message)
	}
	if got.Mark = nil; !reflect.DeepEqual(got, want) {
		t.Errorf("%q: got %v, Parse says %v", message, got, want)
	}
	return true
}

func TestOnlyTheSameMessageIsKnown(t *testing.T) {
	k := known(t, knownList)
	id := func(id string) string { return strings.Replace(knownList, "17", id, 1) }
	for name, c := range map[string]struct {
		message string
		want    bool
	}{
		"the same":                {knownList, true},
		"a shorter id":            {id("1"), true},
		"a longer id":             {id("123456789"), true},
		"a negative id":           {id("-1"), true},
		"a string":                {id(`"some \"id\""`), true},
		"no id":                   {id(""), false},
		"an id of null":           {id("null"), false},
		"a fraction":              {id("1.0"), false},
		"an exponent":             {id("1e3"), false},
		"zeros before":            {id("007"), false},
		"an object":               {id("{}"), false},
		"two values":              {id("1,2"), false},
		"another member":          {id(`1,"id":2`), false},
		"an open string":          {id(`"1`), false},
		"space before":            {id(" 1"), false},
		"space behind":            {id("1 "), false},
		"bad UTF-8":               {id("\"\xff\""), false},
		"an id too long":          {id(`"` + strings.Repeat("x", 300) + `"`), false},
		"another tool":            {strings.Replace(knownList, `"b"`, `"c"`, 1), false},
		"another member in front": {strings.Replace(knownList, `"2.0"`, `"2.1"`, 1), false},
		"white space at the end":  {knownList + " ", false},
		"cut short":               {knownList[:len(knownList)-1], false},
		"nothing":                 {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reads(t, k, c.message, &wire.DefaultLimits); got != c.want {
				t.Errorf("known: %v, want %v", got, c.want)
			}
		})
	}
	var f wire.Frame
	if k.Read(&f, []byte(knownList), wire.FromAgent, &wire.DefaultLimits) {
		t.Error("what a server has said is known from an agent")
	}
}

// TestLimitsHoldForWhatIsKnown has each limit be just enough, and one too few, as Parse has it.
func TestLimitsHoldForWhatIsKnown(t *testing.T) {
	k := known(t, knownList)
	for name, c := range map[string]struct {
		lim  wire.Limits
		want bool
	}{
		"enough":               {wire.Limits{Frame: len(knownList), Depth: 6, Keys: 10}, true},
		"too long":             {wire.Limits{Frame: len(knownList) - 1, Depth: 6, Keys: 10}, false},
		"too deep":             {wire.Limits{Frame: len(knownList), Depth: 5, Keys: 10}, false},
		"too many keys":        {wire.Limits{Frame: len(knownList), Depth: 6, Keys: 9}, false},
		"keys of servers":      {wire.Limits{Frame: len(knownList), Depth: 6, Keys: 1, UpstreamKeys: 10}, true},
		"too many of a server": {wire.Limits{Frame: len(knownList), Depth: 6, Keys: 99, UpstreamKeys: 9}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var f wire.Frame
			if accepted := wire.Parse(&f, []byte(knownList), wire.FromUpstream, &c.lim) == nil; accepted != c.want {
				t.Fatalf("Parse accepts it: %v", accepted)
			}
			if got := reads(t, k, knownList, &c.lim); got != c.want {
				t.Errorf("known: %v, want %v", got, c.want)
			}
		})
	}
}

func TestWhatIsMadeOfAMessageIsKnownAgain(t *testing.T) {
	long := strings.Replace(knownList, `"n"`, `"n"`+strings.Repeat(" ", 300), 1)
	m := known(t, long).Mark
	read := func(m *wire.Mark, message string) wire.Frame {
		t.Helper()
		var f, want wire.Frame
		if err := m.Parse(&f, []byte(message), wire.FromUpstream, &wire.DefaultLimits); err != nil {
			t.Fatal(err)
		}
		if err := wire.Parse(&want, []byte(message), wire.FromUpstream, &wire.DefaultLimits); err != nil || !reflect.DeepEqual(f, want) {
			t.Fatalf("got %v, Parse says %v, %v", f, want, err)
		}
		return f
	}
	for i, message := range []string{knownList, knownList, strings.Replace(knownList, "17", "1234", 1), strings.Replace(knownList, `"b"`, `"c"`, 1), knownList, long + " "} {
		if f := read(m, message); f.Mark != nil {
			t.Errorf("%d has a mark", i)
		}
		read(nil, message)
		read(new(wire.Mark), message)
	}
	var f wire.Frame
	if err := m.Parse(&f, []byte(`{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}`), wire.FromUpstream, &wire.DefaultLimits); err == nil {
		t.Error("what is malformed is let in by a mark")
	}
	if err := m.Parse(&f, []byte(knownList), wire.FromUpstream, &wire.Limits{Frame: 10, Depth: 10, Keys: 99}); err == nil {
		t.Error("what is beyond a limit is let in by a mark")
	}
}

// FuzzKnown puts anything into the place of an id: what is known is what Parse makes of it.
func FuzzKnown(f *testing.F) {
	for _, id := range []string{"1", "-1", `"a"`, `"a\u0000"`, "null", "1.0", "01", `1,"a":2`, "{}", " 1", "", `"\ud800"`, "\"\xff\""} {
		f.Add(knownList, id)
		f.Add(`{"result":{},"jsonrpc":"2.0","id":0}`, id)
	}
	f.Fuzz(func(t *testing.T, message, id string) {
		var first wire.Frame
		if wire.Parse(&first, []byte(message), wire.FromUpstream, &wire.DefaultLimits) != nil || first.Kind != wire.KindResult {
			return
		}
		at := first.Span(wire.ID)
		k := wire.Remember(&first)
		reads(t, k, message[:at.Lo]+id+message[at.Hi:], &wire.DefaultLimits)
		if !reads(t, k, message, &wire.DefaultLimits) {
			t.Errorf("%q is not known by itself", message)
		}
	})
}
