package mcpproxy

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/policy"
)

// What a server says of its own accord is heard for as long as an agent listens. A stream or WebSocket that breaks off is
// opened again without waiting for a call, because until then nothing would be heard. A child that has ended is not: what
// ends children may be what they are told, and the next call tells. Nor is a session of streamable HTTP that the server has
// forgotten, because whoever calls is to learn of that; its streams come back by themselves (see upstream).
const (
	firstWait = time.Second
	longWait  = time.Minute     // at most; each vain try doubles the wait
	steady    = 2 * time.Minute // a connection that has lasted for that long is as good as a first one
)

// hearing is an agent that hears stream 0 of its session. While nothing is said there is nothing of it but this value: what
// it waits for is waited for by a fresh goroutine, because one that has carried a message keeps the stack that it needed for
// that. One goroutine at a time has it.
type hearing struct {
	g     *guest
	s     *session
	by    *carrier
	reply ingress.Reply
	over  func()

	pumps  bool // it is the one of the session that listens to the link
	link   upstream.Link
	stream upstream.Stream // nil where there is none now
	silent bool            // the upstream has no stream of its own
	began  time.Time       // when the link was last opened
	tries  int             // to open it again, without one that has lasted
}

// start waits until nobody else listens to the link, because a link has one listener, and hears it until the session or
// the carrier ends. Then finish is called.
func (h *hearing) start() {
	select {
	case <-h.by.ctx.Done():
	case h.s.pumping <- struct{}{}:
		h.pumps = true
	}
	h.run()
}

// run goes on until there is something to wait for, whoever waits calls it again.
func (h *hearing) run() {
	waits := false
	defer func() {
		if !waits {
			h.finish()
		}
	}()
	defer h.g.p.catch()
	waits = h.hear()
}

// hear moves messages from the upstream's own stream to the agent. It reports whether something is waited for.
func (h *hearing) hear() bool {
	ctx := h.by.ctx
	if ctx.Err() != nil {
		return false
	}
	if h.stream == nil && !h.open() {
		return h.await()
	}
	for {
		m, err := h.next()
		switch {
		case err != nil:
			h.close()
			return h.await()
		case m == nil:
			return true
		}
		version, client := h.s.facts()
		in := inbound{
			p: h.g.p, peer: h.g.peer, session: h.s, link: h.link, reply: h.s.streams.general, calm: &h.s.calm, origin: policy.Origin{
				Transport: h.g.peer.Transport, Remote: h.g.peer.Remote, Key: h.g.who.key, Protocol: version, Client: client, Session: h.s.digest,
			},
		}
		in.speakFor(h.g.peer)
		if !in.calmed(h.s.ctx, &m.Frame) {
			in.take(ctx, &m.Frame)
		}
	}
}

// open begins to listen to the link that the session has now.
func (h *hearing) open() bool {
	ctx := h.by.ctx
	h.silent, h.began = false, h.g.p.Clock()
	select {
	case <-h.s.renewed: // the link that it tells of is the one that is listened to now
	default:
	}
	link, err := h.s.reach(ctx)
	if err != nil {
		return false // the next call will meet the same error, and tell of it
	}
	stream, err := link.Listen(ctx)
	if err != nil {
		if h.silent = errors.Is(err, upstream.ErrNoListen); !h.silent && ctx.Err() == nil {
			h.g.p.Log.Info().Err(err).Str("upstream", h.s.upstream).Msg("the upstream's own messages cannot be heard")
		}
		return false
	}
	h.link, h.stream = link, stream
	return true
}

// next returns nil where there is no message now; run is called when there may be one.
func (h *hearing) next() (*upstream.Incoming, error) {
	if p, ok := h.stream.(upstream.Patient); ok {
		return p.Try(h.by.ctx, h.run)
	}
	return h.stream.Next(h.by.ctx)
}

// await goes on when a call has opened another link, or when it is time to open one without a call.
func (h *hearing) await() bool {
	if h.g.p.Clock().Sub(h.began) >= steady {
		h.tries = 0
	}
	var again <-chan time.Time
	stop := func() bool { return true }
	if !h.silent && h.s.reopens() {
		timer := time.NewTimer(pause(h.g.p.Random, h.tries))
		again, stop = timer.C, timer.Stop
		h.tries = min(h.tries+1, 10) // enough to reach the longest wait
	}
	go func() {
		select {
		case <-h.by.ctx.Done():
		case <-h.s.renewed:
			h.tries = 0
		case <-again:
		}
		stop()
		h.run()
	}()
	return true
}

// pause returns how long to wait before a try: no two sessions wait for as long, so that a server that comes back is not
// met by all at once.
func pause(random io.Reader, tries int) time.Duration {
	d := min(firstWait<<tries, longWait)
	var b [4]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return d // no worse than it was
	}
	return d/2 + d/2*time.Duration(binary.BigEndian.Uint32(b[:])>>16)/(1<<16)
}

// reopens reports whether a link of the session that is over is opened again without a call that needs it.
func (s *session) reopens() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == settled && s.server != nil && !s.server.Remote() && !s.server.Child()
}

func (h *hearing) close() {
	if h.stream != nil {
		h.stream.Close()
		h.link, h.stream = nil, nil
	}
}

func (h *hearing) finish() {
	defer h.over()
	if h.s.tied {
		defer h.g.leaveOwn() // the stream stays: a peer that does not read may hold it, and nobody comes back to it
	} else {
		defer h.s.streams.general.leave(h.reply)
	}
	defer h.by.leave()
	if h.pumps {
		defer func() { <-h.s.pumping }()
	}
	defer h.g.p.catch()
	h.close()
}
