package ingress

import (
	"errors"
	"io"
)

// leastLoad is what a message counts as at least, whatever its size: about what it takes in other memory while it is dealt
// with. So much of it is read before it counts, because to refuse a message by its id it has to be read.
const leastLoad = 16 << 10

// errLoad tells of a message for which its agent has no room.
var errLoad = errors.New("too much under way")

// load is what one message counts as among those of its agent, from when it is read until it is dealt with. The zero load
// counts nothing.
type load struct {
	guest   Guest
	counted int
}

// grow makes the message count as n bytes, or what it counts as already. It reports false where there is no room.
func (l *load) grow(n int) bool {
	if n <= l.counted {
		return true
	}
	if !l.guest.Hold(n-l.counted, l.counted) {
		return false
	}
	l.counted = n
	return true
}

// drop ends what the message counts as. It may be called again.
func (l *load) drop() {
	if l.counted > 0 {
		l.guest.Free(l.counted)
		l.counted = 0
	}
}

// loader reads a message of at most so many bytes, which counts as it comes.
type loader struct {
	load
	r    io.Reader
	n    int
	left int64
}

func (l *loader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.n += n
	l.left -= int64(n)
	if l.n > leastLoad && !l.grow(l.n) {
		return n, errLoad
	}
	return n, err
}
