//go:build unix

package audit

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// spare takes n descriptors of a directory, 16 at most, and gives them back.
func spare(dir string, n int) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the state directory: %w", err)
	}
	var open [spareCalls]int
	open[0] = fd
	taken := 1
	for taken < min(n, len(open)) && err == nil {
		if fd, err = unix.FcntlInt(uintptr(open[0]), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			open[taken] = fd
			taken++
		}
	}
	for _, fd := range open[:taken] {
		_ = unix.Close(fd) // nothing was done with it
	}
	return err
}
