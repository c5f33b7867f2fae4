package ingress

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
)

// park is how a stream of GET, on which mostly nothing is said, is kept without the goroutines and buffers by which net/http
// serves a request: the connection is taken from the server, and the handler returns.
type park struct {
	lasting *Lasting
	gone    context.CancelFunc // is called when the peer has gone
	free    chan struct{}      // closed when the handler may return
}

// open begins an event stream. If it is one to park, and the server gives the connection away, it returns the head that is to
// be sent.
func (r *httpReply) open(h http.Header) (head []byte, err error) {
	if r.park == nil {
		r.w.WriteHeader(http.StatusOK)
		return nil, nil
	}
	conn, _, err := r.ctl.Hijack()
	if errors.Is(err, http.ErrNotSupported) {
		r.w.WriteHeader(http.StatusOK)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\nDate: " + r.clock().UTC().Format(http.TimeFormat) + "\r\n")
	_ = h.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	lasting, gone := r.park.lasting, r.park.gone
	lasting.work.Go(func() { watch(conn, gone) }) // whoever sends this holds the counter above zero
	r.conn, r.w, r.ctl = conn, nil, nil
	r.letGo()
	return b.Bytes(), nil
}

// letGo lets the handler return.
func (r *httpReply) letGo() {
	if r.park != nil {
		close(r.park.free)
		r.park = nil
	}
}

// watch waits until the peer goes, or the connection is closed. A client has nothing more to say on a stream.
func watch(conn net.Conn, gone context.CancelFunc) {
	var b [64]byte
	for {
		if _, err := conn.Read(b[:]); err != nil {
			gone()
			return
		}
	}
}
