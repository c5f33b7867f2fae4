//go:build unix

package relay_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(strangerVar); mode != "" {
		os.Exit(strange(mode))
	}
	goleak.VerifyTestMain(m)
}

// world is a relay between a client and owners that the test plays.
type world struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *bufio.Reader
	raw    io.Reader // below out
	owners chan *owner
	again  chan bool // as Attach was called
	done   chan error
	stop   context.CancelFunc

	mu     sync.Mutex // guards what follows
	refuse error      // what Attach returns
	now    time.Time
}

// owner is the other end of a connection.
type owner struct {
	t    *testing.T
	conn *relay.Conn
}

func newWorld(t *testing.T) *world {
	t.Helper()
	socket := filepath.Join(folder(t), "s")
	l, err := relay.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	in, w := io.Pipe()
	r, out := io.Pipe()
	x := &world{
		t: t, in: w, out: bufio.NewReader(r), raw: r, owners: make(chan *owner, 10), again: make(chan bool, 100), done: make(chan error, 1), now: time.Unix(1e9, 0),
	}
	ctx, stop := context.WithCancel(t.Context())
	x.stop = stop
	run := relay.Relay{In: in, Out: out, Log: zerolog.Nop(), Clock: x.time, Attach: func(ctx context.Context, again bool) (*relay.Conn, error) {
		x.again <- again
		if err := x.refusal(); err != nil {
			return nil, err
		}
		raw, err := net.Dial("unix", socket)
		if err != nil {
			return nil, err
		}
		other, err := l.Accept()
		if err != nil {
			return nil, err
		}
		x.owners <- &owner{t, &relay.Conn{UnixConn: other.(*net.UnixConn), Reader: bufio.NewReader(other)}}
		return &relay.Conn{UnixConn: raw.(*net.UnixConn), Reader: bufio.NewReader(raw)}, nil
	}}
	go func() {
		x.done <- run.Run(ctx)
		out.Close()
	}()
	t.Cleanup(func() {
		w.Close()
		r.Close()
		stop()
		l.Close()
	})
	return x
}

// time is far in the future of every deadline: deadlines are set from it on real connections, and never pass.
func (x *world) time() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now.Add(time.Since(time.Unix(0, 0)))
}

func (x *world) pass(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(d)
}

func (x *world) refusal() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.refuse
}

func (x *world) refuses(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refuse = err
}

func (x *world) owner() *owner {
	x.t.Helper()
	select {
	case o := <-x.owners:
		x.t.Cleanup(func() { o.conn.Close() })
		return o
	case <-time.After(10 * time.Second):
		x.t.Fatal("the relay looks for no owner")
		return nil
	}
}

func (x *world) say(text string) {
	x.t.Helper()
	if _, err := io.WriteString(x.in, text); err != nil {
		x.t.Fatal(err)
	}
}

// hears checks the next line that the client gets.
func (x *world) hears(want string) {
	x.t.Helper()
	got, err := x.out.ReadString('\n')
	if err != nil || got != want {
		x.t.Fatalf("the client gets %.300q, %v; want %.300q", got, err, want)
	}
}

// ends checks how the relay ends.
func (x *world) ends(want error) {
	x.t.Helper()
	select {
	case err := <-x.done:
		if !errors.Is(err, want) {
			x.t.Errorf("it ends with %v, want %v", err, want)
		}
	case <-time.After(10 * time.Second):
		x.t.Fatal("it does not end")
	}
}

func (o *owner) gets(want string) {
	o.t.Helper()
	got, err := o.conn.Reader.ReadString('\n')
	if err != nil || got != want {
		o.t.Fatalf("the owner gets %.300q, %v; want %.300q", got, err, want)
	}
}

func (o *owner) says(text string) {
	o.t.Helper()
	if _, err := io.WriteString(o.conn, text); err != nil {
		o.t.Fatal(err)
	}
}

// ends waits for the end of what the relay sends, and ends as well.
func (o *owner) ends() {
	o.t.Helper()
	if rest, err := io.ReadAll(o.conn.Reader); len(rest) != 0 || err != nil {
		o.t.Errorf("the owner gets %q, %v", rest, err)
	}
	o.conn.Close()
}

const (
	hello    = `{"jsonrpc":"2.0","id":"h","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}` + "\n"
	welcome  = `{"jsonrpc":"2.0","id":"h","result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}` + "\n"
	greeted  = `{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	question = `{"jsonrpc":"2.0","id":7,"method":"roots/list"}` + "\n"
	reply    = `{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}` + "\n"
)

func call(id string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"x"}}` + "\n"
}

func result(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,"result":{}}` + "\n" }

func refused(id, code, retry, text string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":503,"message":"` + text + ` (` + code + `)","data":{"hopgate/denial":{"code":"` + code + `","retry":"` + retry + `"}}}}` + "\n"
}

func lost(id string) string {
	return refused(id, "OWNER_LOST", "unknown", relay.ReasonLost.Answer.Text)
}

func absent(id string) string {
	return refused(id, "NO_OWNER", "after", relay.ReasonNoOwner.Answer.Text)
}

// greet begins a session.
func (x *world) greet() *owner {
	x.t.Helper()
	o := x.owner()
	x.say(hello)
	o.gets(hello)
	o.says(welcome)
	x.hears(welcome)
	x.say(greeted)
	o.gets(greeted)
	return o
}
