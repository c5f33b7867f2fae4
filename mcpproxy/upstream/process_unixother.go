//go:build unix && !linux

package upstream

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// groupAttr puts a child into a group of its own.
func groupAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func sealRange() bool { return false }

// reap waits for the end of the leader and kills the rest of its group. Between the two the number of an empty group
// could become another's; numbers are not given out again that fast.
func (p *process) reap(cmd *exec.Cmd) {
	_ = cmd.Wait() // how it ended is in its state
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-p.pid, unix.SIGKILL) // nothing may be left
	p.reaped = true
}
