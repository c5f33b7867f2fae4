//go:build unix

package upstream_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPoolNoticesThatTheServerHasClosed(t *testing.T) {
	for name, idle := range map[string]func(p *peer){
		"closed":  func(p *peer) { _ = p.Close() },
		"talking": func(p *peer) { p.write("HTTP/1.1 408 Request Timeout\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			done, answered := make(chan struct{}), make(chan struct{})
			defer close(done)
			url := rawListener(t, func(n int, p *peer) {
				for p.request() != nil {
					requests.Add(1)
					p.json(200, pong)
					if n == 0 {
						<-answered
						idle(p)
						<-done
					}
				}
			})
			c := httpConfig(url)
			var first net.Conn // of ours
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if first == nil {
					first = conn
				}
				return conn, err
			}
			l := open(t, newServer(t, c))
			if _, err := call(t, l, message(t, ping)); err != nil {
				t.Fatal(err)
			}
			close(answered)
			arrive(t, first)
			if _, err := call(t, l, message(t, ping)); err != nil {
				t.Error(err)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("the server got %d requests, want 2", n)
			}
		})
	}
}

// arrive waits until there is something to read on a connection, or its end, and leaves it there.
func arrive(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	if err != nil {
		t.Fatal(err)
	}
}
