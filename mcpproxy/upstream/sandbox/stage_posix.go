//go:build linux || darwin

package sandbox

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// become takes away what the rules do not grant, and becomes the program. It returns only where that failed.
func (o *order) become() error {
	runtime.LockOSThread() // Landlock and seccomp hold for a thread, and for what it becomes
	unix.CloseOnExec(statusFile)
	path := o.Path
	if o.Digest != "" {
		var err error
		if path, err = pinned(path); err != nil {
			return err
		}
	}
	if o.Files != nil {
		if err := o.Files.confine(o.Path); err != nil {
			return err
		}
	}
	environ := os.Environ()
	if err := o.Limits.set(); err != nil { // last: they hold for us too
		return err
	}
	if err := syscall.Exec(path, o.Args, environ); err != nil {
		return fmt.Errorf("starting the program: %w", err)
	}
	return nil
}

// pinned is where the program lies whose digest was checked. A file that is executed by the system is the open one,
// whatever has its name now. A script is opened by its interpreter, which wants the name.
func pinned(path string) (string, error) {
	f := os.NewFile(programFile, "program")
	head := make([]byte, 2)
	if _, err := f.ReadAt(head, 0); err != nil {
		return "", fmt.Errorf("reading the program: %w", err)
	}
	unix.CloseOnExec(programFile)
	if bytes.Equal(head, []byte("#!")) {
		return path, nil
	}
	return opened(programFile, path), nil
}

// set sets the limits of this process.
func (l *Limits) set() error {
	for _, x := range []struct {
		what  string
		which int
		most  uint64
	}{
		{"processes", processes, l.Processes},
		{"memory", memory, l.Memory},
		{"open files", unix.RLIMIT_NOFILE, l.Files},
		{"computing", unix.RLIMIT_CPU, uint64(math.Ceil(l.CPU.Round(time.Millisecond).Seconds()))},
		{"files that are written", unix.RLIMIT_FSIZE, l.Size},
	} {
		if x.most == 0 {
			continue
		}
		if err := lower(x.which, x.most); err != nil {
			return fmt.Errorf("limiting %s: %w", x.what, err)
		}
	}
	if err := lower(unix.RLIMIT_CORE, 0); err != nil { // a core file would hold what the agent sent
		return fmt.Errorf("limiting core files: %w", err)
	}
	return nil
}

// lower sets a limit unless it is lower already. The standard library's call is used because it puts the limit of open
// files back at exec that the Go runtime has raised, unless it was set by that call.
func lower(which int, most uint64) error {
	var now syscall.Rlimit
	if err := syscall.Getrlimit(which, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return syscall.Setrlimit(which, &syscall.Rlimit{Cur: most, Max: most})
}
