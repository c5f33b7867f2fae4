package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncData makes what was written durable.
func (f diskFile) SyncData() error {
	for {
		err := unix.Fdatasync(int(f.Fd())) // a file that is opened to write is never in non-blocking mode
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
