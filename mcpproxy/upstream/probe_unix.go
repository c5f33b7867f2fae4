//go:build unix

package upstream

import (
	"errors"

	"golang.org/x/sys/unix"
)

// silent reports whether a socket that does not block has nothing to read. A byte that it reads is lost, with the
// connection: a server has no reason to speak unasked.
func silent(fd uintptr) bool {
	var b [1]byte
	_, err := unix.Read(int(fd), b[:])
	return errors.Is(err, unix.EAGAIN)
}
