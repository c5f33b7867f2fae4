package wire_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// payloads are the shapes that pass through a proxy: a call, and 64 KB each of one long string, of rows and of source
// code in a string.
func payloads() map[string][]byte {
	rows := &strings.Builder{}
	for i := 0; rows.Len() < 64<<10; i++ {
		fmt.Fprintf(rows, `{"id":%d,"name":"customer %d","email":"c%d@example.com","balance":%d.25,"active":true},`, i, i, i, i*7)
	}
	source := &strings.Builder{}
	for i := 0; source.Len() < 64<<10; i++ {
		fmt.Fprintf(source, `func f%d(a, b int) (int, error) {\n\tif a < b {\n\t\treturn 0, errors.New(\"too small\")\n\t}\n\treturn a - b, nil\n}\n\n`, i)
	}
	result := func(content string) []byte {
		return []byte(`{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"` + content + `"}],"isError":false}}`)
	}
	return map[string][]byte{
		"call190": []byte(`{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"get_weather","arguments":{"location":"Seattle, WA","units":"metric","days":3},"_meta":{"progressToken":12}}}`),
		"text64K": result(strings.Repeat("The quick brown fox jumps over the lazy dog. ", 64<<10/45)),
		"rows64K": []byte(`{"jsonrpc":"2.0","id":17,"result":{"content":[],"structuredContent":{"rows":[` + strings.TrimSuffix(rows.String(), ",") + `]}}}`),
		"code64K": result(source.String()),
	}
}

func BenchmarkParse(b *testing.B) {
	for name, raw := range payloads() {
		b.Run(name+"/wire", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			var f wire.Frame
			for b.Loop() {
				if err := wire.Parse(&f, raw, wire.FromUpstream, &wire.DefaultLimits); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/json.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if !json.Valid(raw) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// BenchmarkParseKeys is about one object of many members, which is what the search for doubles could be slow on.
func BenchmarkParseKeys(b *testing.B) {
	for _, n := range []int{10_000, wire.DefaultLimits.UpstreamKeys - 4} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			raw := []byte(`{"jsonrpc":"2.0","id":1,"result":{` + strings.TrimSuffix(manyKeys(n), ",") + `}}`)
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			var f wire.Frame
			for b.Loop() {
				if err := wire.Parse(&f, raw, wire.FromUpstream, &wire.DefaultLimits); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/member")
		})
	}
}
