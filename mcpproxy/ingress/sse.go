package ingress

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"sync"

	"github.com/hopgate/hopgate/policy"
)

// The transport of 2024-11-05, "HTTP with SSE": GET opens a stream, whose first event names the address that messages are
// posted to; a POST is answered with 202, and the answer to its message comes on the stream. The address has the id of the
// session. It is no credential: each POST presents its own, and is held to be the agent's that has opened the stream.

// sessionKey is the one parameter that an address may have.
const sessionKey = "session"

// stream is an open one. It takes messages until it is closed.
type stream struct {
	ctx   context.Context //nolint:containedctx // the stream's life, which its messages outlive a POST by
	reply *httpReply
	slots chan struct{} // taken by messages that are dealt with

	mu     sync.Mutex // guards closed, and work against being added to when it is
	closed bool
	work   sync.WaitGroup
}

// enter takes a place for a message.
func (s *stream) enter() *policy.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return reasonGone
	}
	select {
	case s.slots <- struct{}{}:
		s.work.Add(1)
		return nil
	default:
		return reasonBusy
	}
}

func (s *stream) exit() {
	<-s.slots
	s.work.Done()
}

// close takes no more messages, and waits for those that there are.
func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.work.Wait()
}

// serveSSE answers one request for /sse/{upstream}.
func (h *HTTP) serveSSE(w http.ResponseWriter, r *http.Request, upstream string) {
	p := &Peer{Transport: OverSSE, Remote: r.RemoteAddr, Upstream: upstream}
	reason := h.check(r, p)
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch _, stray := onlySession(query); {
	case reason != nil:
	case err != nil, stray, r.Method == http.MethodGet && len(query) > 0:
		reason = reasonQuery
	case r.Method == http.MethodGet:
		if header, sent := r.Header["Accept"]; sent {
			if _, stream := accepts(header, false); !stream {
				reason = reasonAcceptStream
			}
		}
	case r.Method != http.MethodPost || len(query) == 0:
		// Clients of later revisions post first, and fall back to GET on this status.
		w.Header()["Allow"] = []string{"GET"}
		reason = reasonMethod
	default:
		p.Session, _ = onlySession(query)
		reason = content(r)
	}
	if reason != nil {
		h.refuse(w, r, p, reason)
		return
	}
	guest := h.admit(w, r, p)
	switch {
	case guest == nil:
	case r.Method == http.MethodGet:
		h.openStream(w, r, p, guest)
	default:
		h.postTo(w, r, p, guest)
	}
}

// onlySession returns the session that a query names, and whether it says anything else.
func onlySession(q url.Values) (id string, stray bool) {
	ids := q[sessionKey]
	if len(q) == 0 {
		return "", false
	}
	if len(q) > 1 || len(ids) != 1 || ids[0] == "" {
		return "", true
	}
	return ids[0], false
}

// openStream carries what the upstream says, and the answers to what is posted, until the client goes or the session ends.
func (h *HTTP) openStream(w http.ResponseWriter, r *http.Request, p *Peer, g Guest) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	exit, ok := h.Lasting.enter(OverSSE, cancel)
	if !ok {
		g.End(ctx, nil)
		h.refuse(w, r, p, reasonEnding)
		return
	}
	defer exit()
	s := &stream{ctx: ctx, reply: newReply(w, h.Clock), slots: make(chan struct{}, inFlight)}
	defer s.reply.close()
	s.reply.opening = "event: endpoint\ndata: " + h.Base + r.URL.EscapedPath() + "?" + sessionKey + "=" + p.Session + "\n\n"
	h.Lasting.add(p.Session, s)
	defer h.Lasting.remove(p.Session)
	var general sync.WaitGroup
	general.Add(1)
	over := func() {
		cancel()
		general.Done()
	}
	go func() {
		if s.reply.Open() == nil {
			g.Listen(ctx, &Head{}, plainReply{s}, over)
			return
		}
		g.End(ctx, nil)
		over()
	}()
	select {
	case <-ctx.Done():
	case <-h.Lasting.leaving:
		s.close()
		cancel()
	}
	s.close()
	general.Wait()
}

// send puts one message on the stream.
func (s *stream) send(frame []byte) error { return s.reply.Send("", frame) }

// give does nothing: each write has a deadline.
func (*stream) give() {}

// postTo takes one message for a stream. It is answered when the message has gone to the upstream, so that what a client
// posts next comes behind it.
func (h *HTTP) postTo(w http.ResponseWriter, r *http.Request, p *Peer, g Guest) {
	body := new(bytes.Buffer)
	load, reason := h.read(w, r, body, g)
	if reason != nil {
		load.drop()
		w.Header()["Connection"] = []string{"close"}
		h.refuse(w, r, p, reason)
		return
	}
	if r.TransferEncoding != nil {
		w.Header()["Connection"] = []string{"close"} // see post
	}
	reason = reasonGone
	s := h.Lasting.stream(p.Session)
	if s != nil {
		reason = s.enter()
	}
	if reason != nil {
		load.drop()
		h.refuse(w, r, p, reason)
		return
	}
	reply := &postReply{plainReply: plainReply{s}, taken: make(chan struct{})}
	go func() {
		defer s.exit()
		defer load.drop()
		defer reply.take(nil)
		g.Post(s.ctx, &Message{Raw: body.Bytes(), gone: func() { reply.take(nil) }}, reply)
	}()
	select {
	case <-reply.taken:
	case <-r.Context().Done():
		return
	}
	if reply.refusal != nil {
		write(w, reply.refusal)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// postReply answers a message that was posted. What answers a request goes to the stream; where a client could not tell
// what is refused, the POST is.
type postReply struct {
	plainReply
	once    sync.Once
	taken   chan struct{} // closed when the POST can be answered
	refusal *Refusal      // set before taken is closed; nil: the message is taken
}

func (r *postReply) take(refusal *Refusal) {
	r.once.Do(func() {
		r.refusal = refusal
		close(r.taken)
	})
}

// Send puts a message on the stream. The POST is answered before, because a client may read the stream only then.
func (r *postReply) Send(event string, frame []byte) error {
	r.take(nil)
	return r.plainReply.Send(event, frame)
}

// Finish puts the last message on the stream.
func (r *postReply) Finish(event string, status int, frame []byte) error {
	r.take(nil)
	return r.plainReply.Finish(event, status, frame)
}

// Accept confirms the message.
func (r *postReply) Accept() { r.take(nil) }

// Refuse refuses the request on the stream, or the POST.
func (r *postReply) Refuse(refusal *Refusal) {
	if refusal.ID == nil {
		r.take(refusal)
		return
	}
	r.take(nil)
	r.plainReply.Refuse(refusal)
}
