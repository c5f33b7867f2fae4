package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// TestARequestThatASocketDoesNotTakeAtOnce is larger than what there is room for on the way: it arrives whole where the server
// reads on, and where it does not, whoever waits can give it up.
func TestARequestThatASocketDoesNotTakeAtOnce(t *testing.T) {
	text := strings.Repeat("0123456789", 200_000)
	raw := strings.Replace(ping, `"method"`, `"params":{"text":"`+text+`"},"method"`, 1)
	for name, reads := range map[string]bool{"the server reads": true, "the server does not read": false} {
		t.Run(name, func(t *testing.T) {
			begun, given := make(chan struct{}), make(chan struct{})
			url := rawListener(t, func(_ int, p *peer) {
				_, _ = p.br.Peek(1)
				close(begun)
				<-given
				if r := p.request(); r != nil {
					if b, _ := io.ReadAll(r.Body); !bytes.Contains(b, []byte(text)) {
						t.Errorf("%d bytes of another content came", len(b))
					}
					p.json(200, pong)
				}
			})
			c := httpConfig(url)
			c.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if tcp, ok := conn.(*net.TCPConn); ok {
					err = errors.Join(err, tcp.SetWriteBuffer(4<<10))
				}
				return conn, err
			}
			l := open(t, newServer(t, c))
			ctx, cancel := context.WithCancel(limited(t))
			defer cancel()
			go func() {
				<-begun
				if reads {
					close(given)
					return
				}
				cancel()
			}()
			s, err := l.Send(ctx, message(t, raw))
			if !reads {
				close(given)
				if !errors.Is(err, upstream.ErrUnavailable) || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if in, err := s.Next(ctx); err != nil || string(in.Frame.Raw) != pong {
				t.Errorf("got %+v, %v", in, err)
			}
		})
	}
}
