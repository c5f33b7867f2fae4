package detect

import (
	"bytes"
	"testing"
)

func TestSeenMissesNoByte(t *testing.T) {
	for b := range 256 {
		for _, around := range []byte("az AZ,/") {
			for size := 1; size <= 17; size++ {
				for at := range size {
					text := bytes.Repeat([]byte{around}, size)
					text[at] = byte(b)
					if got, want := seen(text), triggers[b]; got != want {
						t.Fatalf("%q: got %#x, want %#x", text, got, want)
					}
				}
			}
		}
	}
}
