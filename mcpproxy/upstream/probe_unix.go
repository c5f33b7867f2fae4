//go:build unix

package upstream

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// silent reports whether a socket that does not block has nothing to read. A byte that it reads is lost, with the
// connection: a server has no reason to speak unasked.
func silent(fd uintptr) bool {
	var b [1]byte
	_, err := unix.Read(int(fd), b[:])
	return errors.Is(err, unix.EAGAIN)
}

// push writes to a socket that does not block, and returns how much it took. The race detector knows the write for one
// that package net's reads come after, as it does not that of package unix.
func push(fd uintptr, b []byte) int {
	n, err := syscall.Write(int(fd), b)
	if err != nil {
		return 0
	}
	return n
}

// waits says that [readable] can tell.
const waits = true

// readable reports whether a read of a socket that does not block would return, and takes nothing off it.
func readable(fd uintptr) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK)
	return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
}
