package relay

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Protocol is the version of the handshake. Programs that differ in it understand no more of each other than that.
const Protocol = 1

// Orders of a Hello.
const (
	OrderServe = "serve" // carry the messages that follow
	OrderYield = "yield" // end, so that another process can own the state
)

// Hello is what a front-end says first. It holds a credential and is never logged.
type Hello struct {
	Protocol int    `json:"hopgate"`
	Order    string `json:"order"`
	Version  string `json:"version"`         // of the program
	Config   string `json:"config"`          // absolute path
	Again    bool   `json:"again,omitempty"` // the front-end has had another owner before
	Upstream string `json:"upstream,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Dir      string `json:"dir,omitempty"` // working directory, absolute
	Key      string `json:"key,omitempty"`
}

// Welcome is how an owner answers. The front-end is served where Code is 0 and Leaving is not set.
type Welcome struct {
	Protocol int    `json:"hopgate"`
	Version  string `json:"version"` // of the program
	PID      int    `json:"pid"`
	Leaving  bool   `json:"leaving,omitempty"` // the owner ends in a while, and another may take its place
	Code     int    `json:"code,omitempty"`    // exit code for the front-end
	Words    string `json:"words,omitempty"`   // for people
}

// Refusal is an owner's no. Another attempt would meet with the same.
type Refusal struct {
	Code  int    // exit code
	Words string // lines for people, with the last line break
}

func (r *Refusal) Error() string { return "the process that owns the state refuses: " + r.Words }

// ErrNobody says that no owner answers.
var ErrNobody = errors.New("no process that owns the state answers")

// maxHello is the longest line of a handshake.
const maxHello = 64 << 10

// Conn is a connection to a process of the same user. Writes go to UnixConn, reads come from Reader.
type Conn struct {
	*net.UnixConn
	Reader *bufio.Reader
}

// Dial connects to an owner and exchanges the handshake, before ctx ends. ErrNobody says that it is worth trying again.
// Where the Welcome does not say that the front-end is served, the connection is good for nothing but to wait for its end.
func Dial(ctx context.Context, socket string, h *Hello) (*Conn, *Welcome, error) {
	// The kernel does not say that a name is not there when it is too long for a socket, as that of a place may be where no
	// owner has listened yet.
	if _, err := os.Lstat(socket); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %w", ErrNobody, err)
	}
	raw, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EAGAIN):
		return nil, nil, fmt.Errorf("%w: %w", ErrNobody, err)
	case err != nil:
		return nil, nil, err
	}
	c, err := trust(raw)
	if err != nil {
		return nil, nil, errors.Join(err, raw.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // breaks off what follows
	w, err := c.greet(h)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = c.Close() // it holds nothing
		return nil, nil, fmt.Errorf("%w: the handshake failed: %w", ErrNobody, err)
	}
	return c, w, nil
}

func (c *Conn) greet(h *Hello) (*Welcome, error) {
	if err := c.say(h); err != nil {
		return nil, err
	}
	w := new(Welcome)
	return w, c.hear(w)
}

func (c *Conn) say(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}

func (c *Conn) hear(v any) error {
	b, err := c.Reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// Ours returns an error unless a process of our own user is at the other end of a Unix socket.
func Ours(c *net.UnixConn) error {
	uid, err := peer(c)
	if err != nil {
		return fmt.Errorf("asking who is at the other end: %w", err)
	}
	if uid != os.Getuid() {
		return fmt.Errorf("user %d is at the other end, and not user %d", uid, os.Getuid())
	}
	return nil
}

// peer is the user at the other end when it connected.
func peer(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { uid, failed = peerOf(int(fd)) })
	return uid, errors.Join(err, failed)
}

// trust checks that a process of our own user is at the other end.
func trust(raw net.Conn) (*Conn, error) {
	c, ok := raw.(*net.UnixConn)
	if !ok {
		return nil, errors.New("the connection is no Unix socket")
	}
	if err := Ours(c); err != nil {
		return nil, err
	}
	return &Conn{c, bufio.NewReaderSize(c, maxHello)}, nil
}

// Accept checks who has connected and reads what the front-end wants, until the deadline. The caller closes raw where that
// fails, and answers with Answer where it does not.
func Accept(raw net.Conn, deadline time.Time) (*Conn, *Hello, error) {
	c, err := trust(raw)
	if err != nil {
		return nil, nil, err
	}
	h := new(Hello)
	if err := errors.Join(c.SetDeadline(deadline), c.hear(h)); err != nil {
		return nil, nil, fmt.Errorf("reading the handshake: %w", err)
	}
	return c, h, nil
}

// hangUpEvery is how often a connection is asked for its end.
const hangUpEvery = time.Second

// OnHangUp calls f when nobody is at the other end any more, unless ctx ends before. Who only has no more to say is still
// there. Where the platform does not tell the two apart, it waits for ctx.
func (c *Conn) OnHangUp(ctx context.Context, f func()) {
	tick := time.NewTicker(hangUpEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if hungUp(c.UnixConn) {
			f()
			return
		}
	}
}

// Answer ends the handshake.
func (c *Conn) Answer(w *Welcome) error {
	w.Protocol, w.PID = Protocol, os.Getpid()
	return errors.Join(c.say(w), c.SetDeadline(time.Time{}))
}

// Listen listens on a socket in a folder that Folder has made. The socket gets its name only when it takes connections,
// and replaces one that a dead process has left: the caller owns the state, so no live process has the name. Closing the
// listener leaves the name; the caller removes it.
func Listen(socket string) (*net.UnixListener, error) {
	young := socket + ".new"
	if err := os.Remove(young); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: young, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(young, 0o600)
	if err == nil {
		err = os.Rename(young, socket)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(young))
	}
	return l, nil
}

// Folder makes folders for sockets below base, each the owner's alone, and returns the innermost. One that somebody else
// could put sockets into is refused.
func Folder(base string, names ...string) (string, error) {
	for _, name := range names {
		base = filepath.Join(base, name)
		if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("making a folder for sockets: %w", err)
		}
		info, err := os.Lstat(base)
		if err != nil {
			return "", fmt.Errorf("looking at the folder for sockets: %w", err)
		}
		if !info.IsDir() || info.Mode().Perm()&0o077 != 0 || !ours(info) {
			return "", fmt.Errorf("the folder for sockets %s is not ours alone: it must be a directory of mode 0700, owned by user %d", base, os.Getuid())
		}
	}
	return base, nil
}
