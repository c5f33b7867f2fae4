package detect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// payloads are clean texts of 100 KB, as tools return them.
func payloads() map[string][]byte {
	rows, code, log, prose := &strings.Builder{}, &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
	r := rand.New(rand.NewPCG(1, 2))
	rows.WriteString(`{"rows":[`)
	for i := 0; rows.Len() < 100<<10; i++ {
		fmt.Fprintf(rows, `{"id":%d,"sku":"SKU-%05d","title":"blue kettle with lid","price":%d.%02d,"stock":%d,"active":true,"status":"shipped","updated_at":"2026-03-%02dT10:22:04Z"},`, 10000+i, r.IntN(99999), i%90, i%100, r.IntN(500), 1+i%28)
	}
	rows.WriteString(`{"id":1}]}`)
	for i := 0; code.Len() < 100<<10; i++ {
		fmt.Fprintf(code, "func (s *Store) Load%d(ctx context.Context, id int) (*Record, error) {\n\tif id < %d {\n\t\treturn nil, fmt.Errorf(\"no record %%d\", id)\n\t}\n\trow := s.db.QueryRow(ctx, query, id)\n\tvar out Record\n\tif err := row.Scan(&out.Name, &out.Size); err != nil {\n\t\treturn nil, err\n\t}\n\treturn &out, nil\n}\n\n", i, i)
	}
	for i := 0; log.Len() < 100<<10; i++ {
		fmt.Fprintf(log, "2026-03-04T10:22:%02d.%03dZ INFO worker %d finished job in %d ms, queue length %d\n", i%60, i%1000, i%16, r.IntN(900), r.IntN(50))
	}
	words := strings.Fields("the river runs past a small town where people sell bread fruit and cheese on market days while children play near the old bridge until evening comes and lamps are lit along every street")
	for prose.Len() < 100<<10 {
		prose.WriteString(words[r.IntN(len(words))])
		prose.WriteByte(" \n"[r.IntN(20)/19])
	}
	noise := make([]byte, 75<<10)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	return map[string][]byte{
		"rows": []byte(rows.String()), "document": []byte(rows.String()), "source": []byte(code.String()), "logs": []byte(log.String()), "prose": []byte(prose.String()),
		"base64": []byte(base64.StdEncoding.EncodeToString(noise)),
	}
}

// leavesOf takes a JSON text apart as a caller would; other texts are one leaf.
func leavesOf(name string, text []byte) []detect.Leaf {
	if name != "rows" {
		return []detect.Leaf{{Text: text}}
	}
	var leaves []detect.Leaf
	for part := range bytes.SplitSeq(text, []byte(",")) {
		k, v, ok := bytes.Cut(part, []byte(":"))
		if !ok {
			continue
		}
		k = bytes.Trim(k, `{}[]"`)
		leaves = append(leaves, detect.Leaf{Text: bytes.Trim(v, `{}[]"`), Field: k}, detect.Leaf{Text: k, Name: true})
	}
	return leaves
}

func BenchmarkScan(b *testing.B) {
	e, err := detect.New(detect.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range payloads() {
		b.Run(name, func(b *testing.B) {
			s, leaves := detect.NewScratch(), leavesOf(name, text)
			emit := func(_ int, f detect.Finding) {}
			e.Scan(s, leaves, emit)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				e.Scan(s, leaves, emit)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := detect.New(detect.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkYardstick is the standard library over the same rows: what the others are measured against on a machine
// that has other work to do.
func BenchmarkYardstick(b *testing.B) {
	text := payloads()["rows"]
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if !json.Valid(text) {
			b.Fatal("not JSON")
		}
	}
}
