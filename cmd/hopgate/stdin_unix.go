//go:build unix

package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// polled returns in as a stream that the runtime waits for together with all others, where it is a pipe or a socket, and
// what undoes that. Any other is returned as it is. A read that blocks keeps a thread, and to notice, hand on and wake
// threads costs as much as a small call itself.
//
// Whether reads block belongs to the stream, not to our descriptor of it: one that others write through, which would fail
// then, is left as it is, and whoever reads it behind us finds it as it was.
func polled(in io.Reader, others ...any) (stream io.Reader, undo func()) {
	undo = func() {}
	f, ok := in.(*os.File)
	if !ok {
		return in, undo
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 || !blocks(f) {
		return in, undo
	}
	own := -1
	withFd(f, func(fd int) { own, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) })
	if own < 0 || err != nil {
		return in, undo
	}
	var blocked []bool
	for _, o := range others {
		blocked = append(blocked, blocks(o))
	}
	err = unix.SetNonblock(own, true)
	for i, o := range others {
		if err == nil && blocked[i] && !blocks(o) {
			err = unix.SetNonblock(own, false)
			ok = false
		}
	}
	if err != nil || !ok {
		_ = unix.Close(own) // in is as it was
		return in, undo
	}
	made := os.NewFile(uintptr(own), f.Name())
	return made, func() {
		withFd(f, func(fd int) { _ = unix.SetNonblock(fd, false) }) // it is for others, if there are any
		_ = made.Close()                                            // it may be closed already
	}
}

// blocks reports whether reading and writing wait. What is no file does not.
func blocks(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	yes := false
	withFd(f, func(fd int) {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		yes = err == nil && flags&unix.O_NONBLOCK == 0
	})
	return yes
}

// withFd lets do have the descriptor of a file, and leaves the file as it is, which Fd does not.
func withFd(f *os.File, do func(fd int)) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { do(int(fd)) }) // a file that is closed has none
	}
}
