package guardrails

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// pieces makes messages of short values: words, and values cut in pieces that follow each other, or nearly.
type pieces struct {
	r    *rand.Rand
	rest []string // of the value being told
}

func (p *pieces) one(of ...string) string { return of[p.r.IntN(len(of))] }

func (p *pieces) leaf() string {
	if len(p.rest) == 0 && p.r.IntN(2) == 0 {
		for w := p.one("jane.roe"+"@"+"corp-mail.io", "4111"+"111111111111", "AKIA"+"IOSFODNN7EXAMPLQ", "a1b2c3d4e5", "+1 415 555 0132", "GB82"+"WEST12345698765432", "2001:db8::1", "M1234567", "SW1A1AA"); w != ""; {
			n := min(1+p.r.IntN(9), len(w))
			p.rest, w = append(p.rest, w[:n]), w[n:]
		}
	}
	if len(p.rest) == 0 || p.r.IntN(4) == 0 {
		return p.one(`"x"`, "7", `"ab"`, `"12"`, `"phone"`, `"last_name"`, "12345", `"a1"`, `"Smith"`, `"1.2"`, "21e8", "-1.5")
	}
	part := p.rest[0]
	p.rest = p.rest[1:]
	return fmt.Sprintf("%q", part)
}

func (p *pieces) value(depth int) string {
	var parts []string
	switch kind := p.r.IntN(6); {
	case depth > 3 || kind < 2:
		return p.leaf()
	case kind < 4:
		for range 1 + p.r.IntN(6) {
			parts = append(parts, p.value(depth+1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	names := []string{"k", "n", "text", "data", "value", "name", "password", "phone", "it", "label", "columns", "rows", "pin", "last_name", "ssn"}
	p.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:1+p.r.IntN(4)] {
		parts = append(parts, fmt.Sprintf("%q:%s", name, p.value(depth+1)))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// TestWhatIsLeftOutHidesNothing finds the same in a message whether clean leaves are read or not.
func TestWhatIsLeftOutHidesNothing(t *testing.T) {
	e, err := detect.New(detect.Options{Known: []detect.Known{{Name: "canary", Value: []byte("a1b2c3d4e5")}}})
	if err != nil {
		t.Fatal(err)
	}
	look := func(raw string, every bool) (found []string, leaves int) {
		s := newScan(nil)
		defer s.free()
		s.every = every
		s.look(e, []byte(raw))
		for i := range s.found {
			x := &s.found[i]
			found = append(found, fmt.Sprint(s.places[x.leaf].at, x.Start, x.End, x.Rule))
		}
		slices.Sort(found)
		return found, len(s.leaves)
	}
	p := &pieces{r: rand.New(rand.NewPCG(4, 7))}
	told, fewer := 0, 0
	for range 3000 {
		raw := `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":[` + p.value(0) + "," + p.value(0) + "," + p.value(0) + `]}}`
		want, all := look(raw, true)
		got, some := look(raw, false)
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", raw, got, want)
		}
		if len(want) > 0 {
			told++
		}
		if some < all {
			fewer++
		}
	}
	if told < 1000 || fewer < 1000 {
		t.Errorf("something is in %d messages, and something is left out of %d", told, fewer)
	}
}
