package mcpproxy

import (
	"context"
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

// pumpAll pumps from one link of the session after another. A session has one pump at a time, because a link has one
// listener.
func (g *guest) pumpAll(ctx context.Context, s *session, to ingress.Reply) {
	select {
	case <-ctx.Done():
		return
	case s.pumping <- struct{}{}:
	}
	defer func() { <-s.pumping }()
	for tries := 0; ; {
		began := g.p.Clock()
		silent := g.pump(ctx, s, to)
		if g.p.Clock().Sub(began) >= steady {
			tries = 0
		}
		var again <-chan time.Time
		var timer *time.Timer
		if !silent && s.reopens() {
			timer = time.NewTimer(pause(g.p.Random, tries))
			again = timer.C
			tries = min(tries+1, 10) // enough to reach the longest wait
		}
		select {
		case <-ctx.Done():
		case <-s.renewed: // a call has opened another link
			tries = 0
		case <-again:
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return
		}
	}
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

// pump moves messages from the upstream's own stream to the agent until the stream or ctx ends. It reports whether the
// upstream has none.
func (g *guest) pump(ctx context.Context, s *session, to ingress.Reply) (silent bool) {
	link, err := s.reach(ctx)
	if err != nil {
		return false // the next call will meet the same error, and tell of it
	}
	stream, err := link.Listen(ctx)
	if err != nil {
		silent = errors.Is(err, upstream.ErrNoListen)
		if !silent && ctx.Err() == nil {
			g.p.Log.Info().Err(err).Str("upstream", s.upstream).Msg("the upstream's own messages cannot be heard")
		}
		return silent
	}
	defer stream.Close()
	version, client := s.facts()
	in := inbound{p: g.p, peer: g.peer, session: s, link: link, reply: to, calm: &s.calm, origin: policy.Origin{
		Transport: g.peer.Transport, Remote: g.peer.Remote, Key: g.who.key, Protocol: version, Client: client, Session: s.digest,
	}}
	for {
		m, err := stream.Next(ctx)
		if err != nil {
			return false
		}
		in.speakFor(g.peer)
		if !in.calmed(s.ctx, &m.Frame) {
			in.take(ctx, &m.Frame)
		}
	}
}
