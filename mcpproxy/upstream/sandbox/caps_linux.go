package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// renounce gives up for ever what this thread may do beyond other users' threads. A superuser without it is still the
// owner of what is root's, and may no longer look into the memory of others or at files that are not root's.
func renounce() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("renouncing privileges: %w", err)
	}
	for c := range uintptr(64) {
		if set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err != nil || set == 0 {
			continue // the kernel does not know it, or it is gone
		}
		// Only a superuser would get it back from this set when the program starts.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && unix.Geteuid() == 0 {
			return fmt.Errorf("renouncing capability %d: %w", c, err)
		}
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return fmt.Errorf("renouncing capabilities: %w", err)
	}
	return nil
}
