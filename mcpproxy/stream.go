package mcpproxy

import (
	"bytes"
	"container/list"
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// Bounds of what is kept for clients that may come back for it.
const (
	keepEvents = 256      // of a session
	keepBytes  = 1 << 20  // of a session
	keepAgent  = 16 << 20 // bytes of all sessions of an agent
)

// backlog is what all sessions of one agent keep, oldest first.
type backlog struct {
	mu     sync.Mutex // guards all, and what the streams of the sessions keep; never held while a peer reads
	size   int
	events list.List // of *event
}

// backlog returns that of an agent.
func (t *sessions) backlog(agent string) *backlog {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.backlogs[agent]
	if b == nil {
		b = new(backlog)
		t.backlogs[agent] = b
	}
	return b
}

// streams are the event streams of one session: the answers to its requests, and stream 0, which belongs to no request.
// They remember what was last sent, so that a client whose connection broke can go on where it was (MCP 2025-11-25,
// resumability and redelivery). What was judged under one state of the configuration is not sent again under another.
type streams struct {
	s         *session
	general   *outlet
	listening atomic.Int32 // replies that outlets have

	*backlog                 // its mutex guards what follows; it is taken after the mutex of an outlet
	open     map[int]*outlet // those that answer requests
	last     int             // number of the newest stream
	events   []*event
	size     int // bytes of events
}

// event is one message that was sent on a stream.
type event struct {
	stream, seq int
	revision    string
	frame       []byte
	of          *streams
	at          *list.Element // of the backlog
}

// outlet is the agent's end of one stream. It outlives the HTTP request that carries it: where the peer is gone, events
// wait for it to come back. It implements [ingress.Reply].
type outlet struct {
	*streams
	no int

	mu    sync.Mutex // guards what follows and the order of events; a peer that does not read holds up this stream alone
	seq   int
	begun bool               // a reply that is gone has begun the stream
	reply ingress.Reply      // nil while nobody listens
	away  context.CancelFunc // is called when reply, which has been attached, is taken away
	ended bool
}

func (t *streams) init(s *session) {
	t.s, t.backlog = s, s.p.sessions.backlog(s.agent)
	t.general = &outlet{streams: t}
}

// answer opens the stream that answers one request.
func (t *streams) answer(reply ingress.Reply, resume bool) *outlet {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	o := &outlet{streams: t, no: t.last, reply: reply}
	t.listening.Add(1)
	if t.open == nil {
		t.open = map[int]*outlet{}
	}
	t.open[o.no] = o
	if resume {
		reply.Resumable(o.eventID())
	}
	return o
}

// forget drops what is kept for a client that comes back.
func (t *streams) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.events) > 0 {
		t.drop()
	}
}

// rest lets go of what is empty.
func (t *streams) rest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	drop(&t.open)
	if len(t.events) == 0 {
		t.events = nil
	}
}

// drop forgets the oldest event.
func (t *streams) drop() {
	e := t.events[0]
	t.events[0] = nil
	t.events = t.events[1:]
	t.size -= len(e.frame)
	t.backlog.size -= len(e.frame)
	t.backlog.events.Remove(e.at)
}

// missed returns what was sent on a stream behind an event; false where a part of that is not known any more, or was
// judged under another state of the configuration. Half of a stream would be worse than none.
func (t *streams) missed(stream, seq int, revision string) (frames [][]byte, open *outlet, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.stream != stream || e.seq <= seq {
			continue
		}
		if e.seq != seq+1+len(frames) || e.revision != revision {
			return nil, nil, false
		}
		frames = append(frames, e.frame)
	}
	if stream == 0 {
		return frames, t.general, true
	}
	return frames, t.open[stream], true
}

// resume sends on a reply what a client has missed of the stream that an event id belongs to, and attaches the reply to
// the stream where that goes on; o is nil where it does not. It reports false where the stream cannot be resumed, and has
// sent nothing then. It calls away when the reply is taken away.
func (t *streams) resume(id, revision string, reply ingress.Reply, away func()) (o *outlet, ok bool) {
	no, seq, ok := parseEventID(id)
	if !ok {
		return nil, false
	}
	if _, o, _ = t.missed(no, seq, revision); o != nil {
		o.mu.Lock() // nothing is sent between what was missed and what follows
		defer o.mu.Unlock()
	}
	frames, _, ok := t.missed(no, seq, revision)
	if o != nil && o.ended {
		o = nil
	}
	if !ok || o == nil && frames == nil || o != nil && o.seq != seq+len(frames) {
		return nil, false
	}
	if reply.Open() != nil {
		return nil, true
	}
	for i, frame := range frames {
		if reply.Send(eventID(no, seq+1+i), frame) != nil {
			return nil, true
		}
	}
	if o == nil {
		reply.End()
		return nil, true
	}
	o.take(reply, away)
	return o, true
}

// attach begins a stream anew with a reply, and takes the old one away. It calls away when this one is taken away in turn.
// It returns an error where the peer is gone.
func (o *outlet) attach(reply ingress.Reply, resume bool, away func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if resume {
		reply.Resumable(o.eventID())
	}
	if err := reply.Open(); err != nil {
		return err
	}
	o.take(reply, away)
	return nil
}

func (o *outlet) take(reply ingress.Reply, away func()) {
	o.detach()
	o.listening.Add(1)
	o.reply, o.away = reply, away
}

// leave is called by the goroutine that has attached a reply, before the reply becomes invalid.
func (o *outlet) leave(reply ingress.Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reply == reply {
		o.detach()
	}
}

func (o *outlet) detach() {
	if o.reply != nil {
		o.begun = o.streaming()
		o.listening.Add(-1)
	}
	o.reply = nil
	if o.away != nil {
		o.away()
		o.away = nil
	}
}

// streaming reports whether the client has, or had, a stream and not just one answer to wait for.
func (o *outlet) streaming() bool {
	return o.begun || o.seq > 0 || o.reply != nil && o.reply.Streaming()
}

// eventID names the event that was sent last.
func (o *outlet) eventID() string { return eventID(o.no, o.seq) }

// eventID names an event: the stream, then the event.
func eventID(stream, seq int) string { return strconv.Itoa(stream) + "-" + strconv.Itoa(seq) }

// parseEventID reads what eventID has written, and nothing else that numbers could be read from.
func parseEventID(id string) (stream, seq int, ok bool) {
	a, b, found := strings.Cut(id, "-")
	stream, err := strconv.Atoi(a)
	if err != nil || !found {
		return 0, 0, false
	}
	seq, err = strconv.Atoi(b)
	return stream, seq, err == nil && stream >= 0 && seq >= 0 && id == eventID(stream, seq)
}

// remember numbers an event and keeps it for a client that comes back.
func (o *outlet) remember(frame []byte) {
	o.seq++
	t := o.streams
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.s.tied || t.s.ctx.Err() != nil {
		return // nobody comes back to a connection that is gone, nor to a session that has ended
	}
	e := &event{stream: o.no, seq: o.seq, revision: t.s.p.policy.Load().Revision, frame: bytes.Clone(frame), of: t}
	e.at = t.backlog.events.PushBack(e)
	t.events = append(t.events, e)
	t.size += len(frame)
	t.backlog.size += len(frame)
	for len(t.events) > keepEvents || t.size > keepBytes && len(t.events) > 0 {
		t.drop()
	}
	for t.backlog.size > keepAgent {
		oldest, _ := t.backlog.events.Front().Value.(*event)
		oldest.of.drop() // each session's oldest comes first
	}
}

// Session names the session in the head of the answer.
func (o *outlet) Session(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reply != nil {
		o.reply.Session(id)
	}
}

// Resumable is the streams' own business.
func (*outlet) Resumable(string) {}

// Streaming reports whether events were sent.
func (o *outlet) Streaming() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.streaming()
}

// Open sends the head of the stream.
func (o *outlet) Open() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reply == nil {
		return nil
	}
	return o.reply.Open()
}

// Send sends an event, or keeps it until the peer comes back. It fails only on a stream that has ended.
func (o *outlet) Send(_ string, frame []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended || o.s.ctx.Err() != nil {
		return errEnded
	}
	o.remember(frame)
	if o.reply != nil && o.reply.Send(o.eventID(), frame) != nil {
		o.detach()
	}
	return nil
}

// Finish sends the last message of the stream.
func (o *outlet) Finish(_ string, status int, frame []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return errEnded
	}
	o.finish(status, frame)
	return nil
}

func (o *outlet) finish(status int, frame []byte) {
	if o.streaming() {
		o.remember(frame)
	}
	if o.reply != nil {
		_ = o.reply.Finish(o.eventID(), status, frame) // a peer that is gone may come back for the event
	}
	o.shut()
}

// End ends the stream without a message.
func (o *outlet) End() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reply != nil && !o.ended {
		o.reply.End()
	}
	o.shut()
}

// Accept confirms a message that has no answer.
func (o *outlet) Accept() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.reply != nil && !o.ended {
		o.reply.Accept()
	}
	o.shut()
}

// Refuse answers with a refusal.
func (o *outlet) Refuse(r *ingress.Refusal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended:
	case o.streaming():
		o.finish(r.Status(), r.Append(nil))
	case o.reply != nil:
		o.reply.Refuse(r)
	}
	o.shut()
}

// shut ends the stream.
func (o *outlet) shut() {
	if o.ended {
		return
	}
	o.ended = true
	o.streams.mu.Lock()
	delete(o.open, o.no)
	o.streams.mu.Unlock()
	o.detach()
}

var _ ingress.Reply = (*outlet)(nil)
