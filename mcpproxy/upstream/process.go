package upstream

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// process is a running program: the leader of a group of processes, and our ends of its standard streams.
type process struct {
	in, out, diag *os.File // stdin, stdout, stderr
	pid           int
	exited        chan struct{} // closed when the leader has ended and its group was killed
	state         string        // how it ended; for those who have seen exited closed

	mu     sync.Mutex // guards reaped, and with it the meaning of pid; held while exited is closed, and to break a read off
	reaped bool
}

// newProcess makes a process that is not started, and the command that starts it.
func newProcess(argv, env []string, dir string) (p *process, cmd *exec.Cmd, err error) {
	path := argv[0]
	if !strings.ContainsRune(path, os.PathSeparator) {
		if path, err = exec.LookPath(path); err != nil {
			return nil, nil, err
		}
	}
	p = &process{exited: make(chan struct{})}
	cmd = &exec.Cmd{Path: path, Args: argv, Env: env, Dir: dir}
	if env == nil {
		cmd.Env = []string{} // nil would be all of ours
	}
	var in, out, diag *os.File
	if in, p.in, err = os.Pipe(); err == nil {
		if p.out, out, err = os.Pipe(); err == nil {
			p.diag, diag, err = os.Pipe()
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, diag
	if err != nil {
		p.close(in, out)
		return nil, nil, err
	}
	return p, cmd, nil
}

// close closes our ends of the streams, and others.
func (p *process) close(others ...*os.File) {
	for _, f := range append(others, p.in, p.out, p.diag) {
		if f != nil {
			_ = f.Close() // what was on it is read or lost
		}
	}
}

// end asks the process to end and waits until it has: by the end of its input, after a while by asking, after another by
// force. Where stop is closed it is by force at once.
func (p *process) end(stop <-chan struct{}, grace time.Duration) {
	_ = p.in.Close() // it may be closed already
	for _, insist := range []func(){p.terminate, p.kill} {
		if p.wait(stop, grace) {
			return
		}
		insist()
	}
	<-p.exited
}

// wait waits for the end of the process, and reports whether that has come.
func (p *process) wait(stop <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.exited:
		return true
	case <-t.C:
		return false
	case <-stop:
		p.kill()
		<-p.exited
		return true
	}
}

// soon is how long the calls of a child that says nothing more wait for how it has ended.
const soon = 100 * time.Millisecond

// epitaph is how the process has ended; empty where that is not known soon: it has closed its output and lives.
func (p *process) epitaph() string {
	if !p.wait(nil, soon) {
		return ""
	}
	return p.state
}

const (
	leftover = 200 * time.Millisecond // that the streams of an ended process may be silent and held open by others
	rounds   = 25                     // of leftover at most
)

// outlet reads what a process writes. Another process may hold the stream open for ever after the end of the one that we
// started; the outlet then ends when nothing has come for a while. Deadlines are set on the stream only from that moment, and
// to break a read off.
type outlet struct {
	p      *process
	f      *os.File
	clock  func() time.Time
	rounds int
	silent bool
	rung   bool // a read is to be broken off; guarded by the mutex of p
}

func newOutlet(p *process, f *os.File, clock func() time.Time) *outlet {
	return &outlet{p: p, f: f, clock: clock, rounds: rounds}
}

// ring lets Read, or the next one, return errRung. Any goroutine may call it. Its deadline never comes without the word that
// says whose it is: Read would take it for the end of the process.
func (o *outlet) ring() {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	o.rung = true
	_ = o.f.SetReadDeadline(past) // a file that is closed is not read
}

// unring takes back the deadline of ring, and puts that in its place which there is without. It returns nil where nobody has
// rung.
func (o *outlet) unring() error {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	if !o.rung {
		return nil
	}
	o.rung = false
	var until time.Time
	select {
	case <-o.p.exited:
		if until = past; o.silent {
			until = o.clock().Add(leftover)
		}
	default:
	}
	if err := o.f.SetReadDeadline(until); err != nil {
		return err
	}
	return errRung
}

func (o *outlet) Read(b []byte) (int, error) {
	for {
		n, err := o.f.Read(b)
		if n > 0 {
			o.silent = false
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if err := o.unring(); err != nil {
			return 0, err
		}
		if o.silent || o.rounds == 0 {
			return 0, io.EOF
		}
		o.rounds--
		o.silent = true
		if err := o.f.SetReadDeadline(o.clock().Add(leftover)); err != nil {
			return 0, err
		}
	}
}
