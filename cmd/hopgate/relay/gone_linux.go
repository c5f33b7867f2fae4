package relay

import (
	"net"

	"golang.org/x/sys/unix"
)

// hungUp reports whether both directions of a connection are closed (poll(2), POLLHUP).
func hungUp(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	var fds [1]unix.PollFd
	err = raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		_, _ = unix.Poll(fds[:], 0) // without an answer nothing has happened
	})
	return err != nil || fds[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
