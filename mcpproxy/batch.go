package mcpproxy

import (
	"bytes"
	"context"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Batches exist in one revision of the protocol, 2025-03-26. Each member is a message of its own: judged, recorded and
// sent by itself. Only the answers travel together.

// maxBatch bounds the members of a batch.
const maxBatch = 100

// batches reports whether the session that a message belongs to is of the revision that has batches. A batch has none
// inside.
func (g *guest) batches(h *ingress.Head, reply ingress.Reply) bool {
	s, r := g.session(h)
	if _, inside := reply.(*part); inside || r != nil {
		return false
	}
	version, _ := s.facts()
	return version == revisionBatch
}

// batch deals with the members at the same time, and answers when all of them are dealt with.
func (g *guest) batch(ctx context.Context, m *ingress.Message, reply ingress.Reply) {
	var members [][]byte
	for _, raw := range wire.Elements(bytes.TrimSpace(m.Raw)) {
		members = append(members, raw)
	}
	if len(members) == 0 || len(members) > maxBatch {
		g.fault(ctx, nil, &wire.Fault{Problem: wire.Batch}, m.Head, reply)
		return
	}
	var work sync.WaitGroup
	answers := make([][]byte, len(members))
	messages, parts := m.Members(members), make([]part, len(members))
	for i := range messages {
		work.Go(func() {
			parts[i] = part{whole: reply, answer: &answers[i]}
			g.Post(ctx, &messages[i], &parts[i])
			messages[i].Dispatched() // where it was refused
		})
	}
	work.Wait()
	defer func() {
		for i := range parts {
			g.room.answers.give(parts[i].holds)
		}
	}()
	var all []byte
	for _, a := range answers {
		if a != nil {
			all = append(append(all, ','), a...)
		}
	}
	if all == nil {
		reply.Accept()
		return
	}
	all[0] = '['
	_ = reply.Finish("", 200, append(all, ']')) // a peer that is gone needs no answer; the record has them
}

// part is the reply to one member of a batch. What comes before the answer goes out at once.
type part struct {
	whole  ingress.Reply
	answer *[]byte
	holds  int // bytes of the answer that count in the agent's room until the batch is answered
}

// Session does nothing: a session does not begin in a batch.
func (*part) Session(string) {}

// Resumable does nothing: the answers wait for each other.
func (*part) Resumable(string) {}

// Streaming reports whether the batch has become a stream.
func (p *part) Streaming() bool { return p.whole.Streaming() }

// Open starts the stream.
func (p *part) Open() error { return p.whole.Open() }

// Send puts a message on the stream of the batch.
func (p *part) Send(event string, frame []byte) error { return p.whole.Send(event, frame) }

// Finish keeps the answer for the others.
func (p *part) Finish(_ string, _ int, frame []byte) error {
	*p.answer = bytes.Clone(frame)
	return nil
}

// End leaves the member without an answer.
func (*part) End() {}

// Accept leaves the member without an answer.
func (*part) Accept() {}

// Refuse keeps the refusal for the others. A notification has no answer.
func (p *part) Refuse(r *ingress.Refusal) {
	if r.ID != nil || r.Method == "" {
		*p.answer = r.Append(nil)
	}
}
