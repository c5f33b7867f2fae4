package ingress

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

var (
	typeJSON   = []string{"application/json"}
	typeStream = []string{"text/event-stream"}
	noStore    = []string{"no-store"}
	noBuffer   = []string{"no"}
)

// errGone tells a sender that the peer takes nothing more.
var errGone = errors.New("the peer is gone")

// httpReply answers one request: as one JSON document if the first message is the last, else as an event stream.
type httpReply struct {
	w     http.ResponseWriter
	ctl   *http.ResponseController
	clock func() time.Time

	mu      sync.Mutex // guards what follows and every write: the timer writes too
	park    *park      // nil: the stream is no one to park, or the handler is not needed any more
	session string
	first   string // id of the event with which a stream begins, or empty
	opening string // what a stream begins with, or empty
	stream  bool   // the head of an event stream is sent
	done    bool   // nothing more may be written
	buf     []byte
	timer   *time.Timer
	conn    net.Conn // of a parked stream; w is the server's again then
}

func newReply(w http.ResponseWriter, clock func() time.Time) *httpReply {
	r := &httpReply{w: w, ctl: http.NewResponseController(w), clock: clock}
	r.mu.Lock() // the timer's goroutine sees the timer
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(quietTime, r.comment)
	return r
}

// close stops everything that could still write; after it the ResponseWriter is the server's again.
func (r *httpReply) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer.Stop()
	r.done = true
	if r.conn != nil {
		_ = r.conn.Close() // what was written has gone, or the peer is
	}
	r.letGo()
}

// comment keeps a quiet stream alive. It also turns an answer that takes long into a stream, so that nobody between
// takes the connection for dead.
func (r *httpReply) comment() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return
	}
	if r.begin() != nil || r.write([]byte(": \n\n")) != nil {
		return
	}
	r.timer.Reset(quietTime)
}

// Session names the new session.
func (r *httpReply) Session(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = id
}

// Resumable names the event with which a stream begins.
func (r *httpReply) Resumable(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first = event
}

// Streaming reports whether the head of a stream has been sent.
func (r *httpReply) Streaming() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream
}

// Open sends the head of an event stream.
func (r *httpReply) Open() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return errGone
	}
	if err := r.begin(); err != nil {
		return err
	}
	return r.flush()
}

// Send writes one event.
func (r *httpReply) Send(event string, frame []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return errGone
	}
	if err := r.begin(); err != nil {
		return err
	}
	r.timer.Reset(quietTime)
	return r.event(event, frame)
}

// Finish writes the last message.
func (r *httpReply) Finish(event string, status int, frame []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return errGone
	}
	r.timer.Stop()
	if r.stream {
		err := r.event(event, frame)
		r.done = true
		return err
	}
	r.done = true
	h := r.head()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(frame))}
	if err := r.ctl.SetWriteDeadline(r.clock().Add(writeTime)); err != nil {
		return err
	}
	r.w.WriteHeader(status)
	_, err := r.w.Write(frame)
	return err
}

// End ends the answer without a message.
func (r *httpReply) End() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.done && !r.stream {
		_ = r.begin() // the peer may be gone; there is nobody else to tell
	}
	r.timer.Stop()
	r.done = true
}

// Accept answers 202.
func (r *httpReply) Accept() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done || r.stream {
		return
	}
	r.timer.Stop()
	r.done = true
	r.w.WriteHeader(http.StatusAccepted)
}

// Refuse answers with a refusal.
func (r *httpReply) Refuse(refusal *Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return
	}
	r.timer.Stop()
	if r.stream {
		_ = r.event("", refusal.Append(nil)) // the peer may be gone; the refusal is on record
	} else {
		write(r.w, refusal)
	}
	r.done = true
}

func (r *httpReply) head() http.Header {
	h := r.w.Header()
	h["Cache-Control"] = noStore
	if r.session != "" {
		h["Mcp-Session-Id"] = []string{r.session}
	}
	return h
}

// begin sends the head of an event stream, and the event that lets a client resume before there was a message. It does
// nothing on a stream that has begun.
func (r *httpReply) begin() error {
	if r.stream {
		return nil
	}
	r.stream = true
	h := r.head()
	h["Content-Type"] = typeStream
	h["X-Accel-Buffering"] = noBuffer
	head, err := r.open(h)
	if err != nil {
		return err
	}
	r.buf = append(append(r.buf[:0], head...), r.opening...)
	if r.first != "" {
		r.buf = append(append(append(r.buf, "id: "...), r.first...), "\ndata: \n\n"...)
	}
	if len(r.buf) == 0 {
		return nil
	}
	err = r.write(r.buf)
	r.slim()
	return err
}

// slim lets go of the buffer of a parked stream, on which nothing may be said for long.
func (r *httpReply) slim() {
	if r.conn != nil {
		r.buf = nil
	}
}

// event writes one event and sees it off.
func (r *httpReply) event(id string, frame []byte) error {
	b := r.buf[:0]
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	b = append(b, "event: message\ndata: "...)
	b = appendLine(b, frame)
	r.buf = append(b, '\n', '\n')
	err := r.write(r.buf)
	r.slim()
	return err
}

func (r *httpReply) write(b []byte) error {
	err := r.put(b)
	if err != nil {
		r.done = true
		r.timer.Stop()
	}
	return err
}

// put writes, and sees off what it has written.
func (r *httpReply) put(b []byte) error {
	if r.conn != nil {
		if err := r.conn.SetWriteDeadline(r.clock().Add(writeTime)); err != nil {
			return err
		}
		_, err := r.conn.Write(b)
		return err
	}
	err := r.ctl.SetWriteDeadline(r.clock().Add(writeTime))
	if err == nil {
		_, err = r.w.Write(b)
	}
	if err != nil {
		return err
	}
	return r.flush()
}

func (r *httpReply) flush() error {
	if r.conn != nil {
		return nil
	}
	if err := r.ctl.SetWriteDeadline(r.clock().Add(writeTime)); err != nil {
		return err
	}
	return r.ctl.Flush()
}
