package upstream

import (
	"errors"
	"math"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupAttr puts a child into a group of its own, and lets the kernel kill it when we die without being able to.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// sealRange marks all files at once, where the kernel can (Linux 5.11).
func sealRange() bool { return unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil }

// reap waits for the end of the leader, kills the rest of its group, and takes the leader off the process table. In this
// order the number of the group cannot have become another's.
func (p *process) reap(cmd *exec.Cmd) {
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		err = unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	}
	if err != nil {
		_ = cmd.Wait() // where the kernel does not let us look first, the order is the other one
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-p.pid, unix.SIGKILL) // nothing may be left
	if err == nil {
		_ = cmd.Wait() // how it ended is in its state
	}
	p.reaped = true
}
