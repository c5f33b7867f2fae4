package detect

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestListsOfDependenciesAreReadWhole has files that agents read every day, of more digests than a scan may look at closely.
func TestListsOfDependenciesAreReadWhole(t *testing.T) {
	files := map[string]func(i int, short, long []byte) string{
		"go.sum": func(i int, short, _ []byte) string {
			line := fmt.Sprintf("github.com/maker%d/part-%d/v%d v%d.%d.%d", i%7, i, i%5+2, i%5+2, i%11, i%13)
			digest := base64.StdEncoding.EncodeToString(short)
			between := fmt.Sprintf("golang.example/x/part%d v0.0.0-201801%02d%02d4157-%x", i%9, i%28+1, i%24, short[:6])
			return line + " h1:" + digest + "\n" + between + "/go.mod h1:" + digest + "\n" + line + "/go.mod h1:" + digest + "\n"
		},
		"yarn.lock": func(i int, _, long []byte) string {
			return fmt.Sprintf("part-%d@^%d.%d.0:\n  version \"%d.%d.%d\"\n  resolved \"https://registry.example/part-%d/-/part-%d-%d.%d.%d.tgz\"\n  integrity sha512-%s\n\n",
				i, i%9, i%11, i%9, i%11, i%13, i, i, i%9, i%11, i%13, base64.StdEncoding.EncodeToString(long))
		},
		"package-lock.json": func(i int, _, long []byte) string {
			return fmt.Sprintf("    \"node_modules/part-%d\": {\n      \"version\": \"%d.%d.%d\",\n      \"integrity\": \"sha512-%s\",\n      \"license\": \"MIT\"\n    },\n",
				i, i%9, i%11, i%13, base64.StdEncoding.EncodeToString(long))
		},
		"Cargo.lock": func(i int, short, _ []byte) string {
			return fmt.Sprintf("[[package]]\nname = \"part%d\"\nversion = \"%d.%d.%d\"\nsource = \"registry+https://registry.example/index\"\nchecksum = \"%s\"\n\n",
				i, i%9, i%11, i%13, hex.EncodeToString(short))
		},
		"requirements.txt": func(i int, short, _ []byte) string {
			return fmt.Sprintf("part%d==%d.%d.%d \\\n    --hash=sha256:%s\n", i, i%9, i%11, i%13, hex.EncodeToString(short))
		},
		"pnpm-lock.yaml": func(i int, _, long []byte) string {
			return fmt.Sprintf("  part-%d@%d.%d.%d:\n    resolution: {integrity: sha512-%s}\n    engines: {node: '>=%d'}\n\n",
				i, i%9, i%11, i%13, base64.StdEncoding.EncodeToString(long), i%20+4)
		},
	}
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, entry := range files {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for i := range 1000 {
				short, long := sha256.Sum256([]byte(name+fmt.Sprint(i))), sha512.Sum512([]byte(name+fmt.Sprint(i)))
				text.WriteString(entry(i, short[:], long[:]))
			}
			for _, n := range []int{2_000, 20_000, text.Len()} {
				e.Scan(NewScratch(), []Leaf{{Text: []byte(text.String()[:n])}}, func(_ int, f Finding) {
					t.Errorf("in %d bytes: %s at %d by %s, %v: %.80q", n, f.Entity, f.Start, f.Rule, f.Via, text.String()[f.Start:f.End])
				})
			}
		})
	}
}
