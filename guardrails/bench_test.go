package guardrails_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// clean are messages in which there is nothing to find, of about a size.
var clean = map[string]func(size int) string{
	"rows": func(size int) string {
		var b strings.Builder
		b.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"rows":[`)
		for i := 0; b.Len() < size; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":%d,"state":"open","title":"Improve the layout of the overview page","votes":%d,"labels":["ui","help wanted"],"done":false}`, 1000+i, i%50)
		}
		return b.String() + `]}}}`
	},
	"source": func(size int) string {
		const line = `func (s *server) handle(w writer, r *request) error {\n\tif r == nil {\n\t\treturn errNothing\n\t}\n\treturn s.next.handle(w, r.with(s.name))\n}\n\n`
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(line, size/len(line)+1) + `"}]}}`
	},
	"prose": func(size int) string {
		const line = `The river runs past a small town where people sell bread and fruit on market days, while children play near the old bridge. `
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(line, size/len(line)+1) + `"}]}}`
	},
	"filler": func(size int) string {
		const words = `the quick brown fox reads a short report about the harbour and the weather before lunch while seven grey geese cross the meadow `
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(words, size/len(words)+1)[:size] + `"}]}}`
	},
	"escaped": func(size int) string {
		const row = `{\"id\":17,\"state\":\"open\",\"title\":\"Improve the layout\",\"done\":false},`
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"[` + strings.Repeat(row, size/len(row)+1) + `{}]"}]}}`
	},
}

func TestCleanMessagesCostNoMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector pools forget")
	}
	c := connection(t, "strict")
	screen, _ := c.Gates[0].Gate.(policy.Screen)
	for name, write := range clean {
		f := parse(t, wire.FromUpstream, write(20<<10))
		call := &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: f, Method: "tools/call", Target: "t"}
		judge := func() {
			if v, err := screen.Screen(t.Context(), call, f); err != nil || v.Effect != policy.Allow || len(v.Findings) > 0 {
				t.Fatalf("%s: %v %v", name, v, err)
			}
		}
		judge()
		// The pool may be emptied in between, so a little less than one allocation in ten runs is none.
		if n := testing.AllocsPerRun(200, judge); n > 0.1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkScreenClean(b *testing.B) {
	c := connection(b, "strict")
	screen, _ := c.Gates[0].Gate.(policy.Screen)
	for _, size := range []int{1 << 10, 10 << 10, 100 << 10} {
		for name, write := range clean {
			b.Run(fmt.Sprintf("%s/%dKB", name, size>>10), func(b *testing.B) {
				f := parse(b, wire.FromUpstream, write(size))
				call := &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: f, Method: "tools/call", Target: "t"}
				b.SetBytes(int64(len(f.Raw)))
				b.ReportAllocs()
				for b.Loop() {
					if v, err := screen.Screen(b.Context(), call, f); err != nil || v.Effect != policy.Allow {
						b.Fatal(v, err)
					}
				}
			})
		}
	}
}

// small are messages of nothing but names and values, tens of thousands of them.
var small = map[string]func(i int) string{
	"names":       func(i int) string { return fmt.Sprintf(`{"%s":%d}`, word(i), i%10) },
	"words":       func(i int) string { return `"` + word(i) + `"` },
	"letters":     func(int) string { return `"x"` },
	"digits":      func(int) string { return "7" },
	"numbers":     func(i int) string { return fmt.Sprint(i) },
	"fractions":   func(i int) string { return fmt.Sprintf("%d.%d", i, i%97) },
	"cards":       func(i int) string { return fmt.Sprint(9111111111110000 + i*7919) },
	"phones":      func(i int) string { return fmt.Sprintf(`"%d"`, 4155550000+i) },
	"marked":      func(i int) string { return fmt.Sprintf(`"a%d"`, i) },
	"hexadecimal": func(i int) string { return fmt.Sprintf(`"%08x"`, uint32(i*2654435761)) },
	"objects":     func(int) string { return `{"a":{"b":1}}` },
	"pairs":       func(i int) string { return fmt.Sprintf(`{"name":"%s","value":"%s"}`, word(i), word(i*7)) },
	"rows":        func(i int) string { return fmt.Sprintf(`["%s",%d,"x"]`, word(i), i) },
	"secrets":     func(i int) string { return fmt.Sprintf(`{"token%d":"a%db"}`, i, i) },
}

// word is one of many that mean nothing.
func word(i int) string {
	var b [5]byte
	for j := range b {
		i = i*25214903 + 11
		b[j] = 'a' + byte(i>>16)%26
	}
	return string(b[:])
}

func BenchmarkScreenSmall(b *testing.B) {
	c := connection(b, "strict")
	screen, _ := c.Gates[0].Gate.(policy.Screen)
	for name, one := range small {
		b.Run(name, func(b *testing.B) {
			var raw strings.Builder
			raw.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"columns":["a","b","c"],"it":[` + one(0))
			for i := 1; raw.Len() < 1<<20; i++ {
				raw.WriteString("," + one(i))
			}
			f := parse(b, wire.FromUpstream, raw.String()+`]}}}`)
			call := &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: f, Method: "tools/call", Target: "t"}
			b.SetBytes(int64(len(f.Raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := screen.Screen(b.Context(), call, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
