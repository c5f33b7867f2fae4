//go:build unix

package upstream

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
)

// startProcess starts a program in a group of its own. It inherits its three streams and no other file.
func startProcess(argv, env []string, dir string, rules *sandbox.Rules) (*process, error) {
	if err := sealFiles(); err != nil {
		return nil, err
	}
	p, cmd, err := newProcess(argv, env, dir)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = groupAttr()
	if rules.None() {
		err = p.start(cmd)
	} else {
		err = p.confine(cmd, rules)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// start starts the command and watches over it.
func (p *process) start(cmd *exec.Cmd) error {
	started := make(chan error)
	go p.live(cmd, started)
	return <-started
}

// confine starts the command under rules. It returns when the program itself runs.
func (p *process) confine(cmd *exec.Cmd, rules *sandbox.Rules) error {
	if !filepath.IsAbs(cmd.Path) {
		cmd.Path = filepath.Join(cmd.Dir, cmd.Path)
	}
	stage, err := rules.Wrap(cmd.Path, cmd.Args)
	if err != nil {
		closeStreams(cmd)
		return err
	}
	defer stage.Close()
	cmd.Path, cmd.Args, cmd.ExtraFiles = stage.Path, stage.Args, stage.Files
	if err := p.start(cmd); err != nil {
		return err
	}
	if err := stage.Wait(); err != nil {
		p.kill() // it ends by itself, and sooner so
		<-p.exited
		return err
	}
	return nil
}

// closeStreams closes the child's ends of its streams: a child that was started has its own.
func closeStreams(cmd *exec.Cmd) {
	for _, theirs := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		if f, ok := theirs.(*os.File); ok {
			_ = f.Close() // nothing was written to it here
		}
	}
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
	closeStreams(cmd)
	if err == nil {
		p.pid = cmd.Process.Pid
	}
	started <- err
	if err != nil {
		return
	}
	p.reap(cmd)
	p.state = cmd.ProcessState.String()
	p.mu.Lock()
	defer p.mu.Unlock()
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
