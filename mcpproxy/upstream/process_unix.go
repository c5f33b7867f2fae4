//go:build unix

package upstream

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// startProcess starts a program in a group of its own. It inherits its three streams and no other file.
func startProcess(argv, env []string, dir string) (*process, error) {
	if err := sealFiles(); err != nil {
		return nil, err
	}
	p, cmd, err := newProcess(argv, env, dir)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = groupAttr()
	started := make(chan error)
	go p.live(cmd, started)
	if err := <-started; err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// sealFiles keeps files from our children that are not ours: Go marks those that it opens, and hands on what we have been
// started with.
func sealFiles() error {
	if sealRange() {
		return nil
	}
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return fmt.Errorf("listing open files: %w", err)
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// live starts the command and stays until it has ended, all on one thread: the kernel ties the life of the child to the
// thread that started it (groupAttr), and a thread that a goroutine has left may go at any time.
func (p *process) live(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	for _, theirs := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if f, ok := theirs.(*os.File); ok {
			_ = f.Close() // the child has its own
		}
	}
	if err == nil {
		p.pid = cmd.Process.Pid
	}
	started <- err
	if err != nil {
		return
	}
	p.reap(cmd)
	p.state = cmd.ProcessState.String()
	for _, f := range []*os.File{p.out, p.diag} {
		_ = f.SetReadDeadline(past) // wakes the outlet; a file that is closed needs no waking
	}
	close(p.exited)
}

func (p *process) terminate() { p.signal(unix.SIGTERM) }
func (p *process) kill()      { p.signal(unix.SIGKILL) }

// signal sends a signal to the whole group. Once the leader is reaped its number may be another's.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = unix.Kill(-p.pid, s) // a group that is gone needs no signal
	}
}
