package mcpproxy

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// Bounds of what a session keeps for a client that may come back for it.
const (
	keepEvents = 256
	keepBytes  = 1 << 20
)

// streams are the event streams of one session: the answers to its requests, and stream 0, which belongs to no request.
// They remember what was last sent, so that a client whose connection broke can go on where it was (MCP 2025-11-25,
// resumability and redelivery). What was judged under one state of the configuration is not sent again under another.
type streams struct {
	s       *session
	mu      sync.Mutex // guards what follows, and the order of events
	general *outlet
	open    map[int]*outlet
	last    int // number of the newest stream
	events  []event
	size    int // bytes of events
}

// event is one message that was sent on a stream.
type event struct {
	stream, seq int
	revision    string
	frame       []byte
}

// outlet is the agent's end of one stream. It outlives the HTTP request that carries it: where the peer is gone, events
// wait for it to come back. It implements [ingress.Reply].
type outlet struct {
	*streams
	no, seq int
	reply   ingress.Reply // nil while nobody listens
	away    chan struct{} // closed when reply is taken away
	done    chan struct{} // closed at the end of the stream
	ended   bool
}

func (t *streams) init(s *session) {
	t.s, t.open = s, map[int]*outlet{}
	t.general = &outlet{streams: t, done: make(chan struct{})}
	t.open[0] = t.general
}

// answer opens the stream that answers one request.
func (t *streams) answer(reply ingress.Reply, resume bool) *outlet {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	o := &outlet{streams: t, no: t.last, reply: reply, done: make(chan struct{})}
	t.open[o.no] = o
	if resume {
		reply.Resumable(o.eventID())
	}
	return o
}

// close ends stream 0. The others end with the calls that they answer, which have yet to say why.
func (t *streams) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.general.shut()
	t.events, t.size = nil, 0
}

// listening reports whether the client has a stream open.
func (t *streams) listening() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range t.open {
		if o.reply != nil {
			return true
		}
	}
	return false
}

// attach gives a stream a new reply, and takes the old one away. gone is closed when this one is taken away in turn.
func (o *outlet) attach(reply ingress.Reply) (gone <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detach()
	o.reply, o.away = reply, make(chan struct{})
	return o.away
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
	o.reply = nil
	if o.away != nil {
		close(o.away)
		o.away = nil
	}
}

// resume finds the stream that an event id belongs to and what the client has missed of it. It reports false where that
// is not known any more: half of a stream would be worse than none.
func (t *streams) resume(id, revision string) (o *outlet, missed [][]byte, firstSeq int, ok bool) {
	no, seq, ok := parseEventID(id)
	if !ok {
		return nil, nil, 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := seq + 1
	for _, e := range t.events {
		if e.stream != no || e.seq <= seq {
			continue
		}
		if e.seq != seq+1+len(missed) || e.revision != revision {
			return nil, nil, 0, false
		}
		missed = append(missed, e.frame)
	}
	o = t.open[no]
	if o == nil && missed == nil || o != nil && o.seq != seq+len(missed) {
		return nil, nil, 0, false
	}
	return o, missed, next, true
}

// name is eventID for others.
func (o *outlet) name() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.eventID()
}

// eventID names the event that was sent last: the stream, then the event.
func (o *outlet) eventID() string {
	return strconv.Itoa(o.no) + "-" + strconv.Itoa(o.seq)
}

func parseEventID(id string) (stream, seq int, ok bool) {
	a, b, found := strings.Cut(id, "-")
	stream, err := strconv.Atoi(a)
	if err != nil || !found {
		return 0, 0, false
	}
	seq, err = strconv.Atoi(b)
	return stream, seq, err == nil && stream >= 0 && seq >= 0
}

// remember keeps an event for a client that comes back.
func (o *outlet) remember(frame []byte) {
	o.events = append(o.events, event{o.no, o.seq, o.s.p.policy.Load().Revision, bytes.Clone(frame)})
	o.size += len(frame)
	for len(o.events) > keepEvents || o.size > keepBytes && len(o.events) > 0 {
		o.size -= len(o.events[0].frame)
		o.events[0].frame = nil
		o.events = o.events[1:]
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
	return o.seq > 0 || o.reply != nil && o.reply.Streaming()
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
	if o.ended {
		return errEnded
	}
	o.seq++
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
	if o.seq > 0 || o.reply != nil && o.reply.Streaming() {
		o.seq++
		o.remember(frame)
	}
	if o.reply != nil {
		_ = o.reply.Finish(o.eventID(), status, frame) // a peer that is gone may come back for the event
	}
	o.shut()
	return nil
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
	if o.reply != nil && !o.ended {
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
	close(o.done)
	delete(o.open, o.no)
	o.detach()
}

var _ ingress.Reply = (*outlet)(nil)
