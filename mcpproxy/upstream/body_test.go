package upstream_test

import (
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestEndOfAChunkIsTakenWithTheChunk(t *testing.T) {
	for name, c := range map[string]struct {
		raw      string
		read     int
		buffered int
		rest     string
		fails    bool
	}{
		"all of a chunk was read":       {"3\r\n: a\r\n2\r\nbc\r\n0\r\n\r\n", 3, 12, "bc", false},
		"some of a chunk was read":      {"3\r\n: a\r\n0\r\n\r\n", 2, 8, "a", false},
		"something else ends the chunk": {"3\r\n: axx0\r\n\r\n", 3, 7, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			buffered, rest, err := upstream.TestOnlySettle(c.raw, c.read)
			if buffered != c.buffered || rest != c.rest || (err != nil) != c.fails {
				t.Errorf("%d bytes are left, then come %q and %v", buffered, rest, err)
			}
		})
	}
}
