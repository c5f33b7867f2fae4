package ingress_test

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/policy"
)

// handler is a Handler whose guest is made of functions. It notes what the transport refused.
type handler struct {
	post   func(context.Context, *ingress.Message, ingress.Reply)
	listen func(context.Context, *ingress.Head, ingress.Reply)
	limit  int
	room   int // bytes of messages at once; 0: any

	mu       sync.Mutex
	held     int
	refused  []string
	peers    []ingress.Peer
	sessions int
}

var errStranger = &policy.Reason{Code: "STRANGER", Answer: policy.AnswerUnauthenticated}

func (h *handler) Admit(_ context.Context, p *ingress.Peer) (ingress.Guest, *ingress.Refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers = append(h.peers, *p)
	if p.Lasting() && p.Session == "" && p.Transport != ingress.OverStdio {
		h.sessions++
		p.Session = fmt.Sprint("s", h.sessions)
	}
	if p.Credential.Reveal() != "good" && !p.Local {
		return nil, &ingress.Refusal{Reason: errStranger}
	}
	p.Agent = &policy.Agent{Name: "a"}
	return guest{h}, nil
}

func (h *handler) Refuse(_ context.Context, _ *ingress.Peer, r *policy.Reason, _ string) *ingress.Refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = append(h.refused, r.Code)
	return &ingress.Refusal{Reason: r}
}

func (h *handler) codes() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.refused, " ")
}

type guest struct{ *handler }

// Hold has room for so many bytes, where the handler says how many.
func (g guest) Hold(n, _ int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room > 0 && g.held+n > g.room {
		return false
	}
	g.held += n
	return true
}

func (g guest) Free(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held -= n
}

func (g guest) MaxFrame() int {
	if g.limit == 0 {
		return 1 << 20
	}
	return g.limit
}

func (g guest) Post(ctx context.Context, m *ingress.Message, r ingress.Reply) { g.post(ctx, m, r) }

func (g guest) Listen(ctx context.Context, h *ingress.Head, r ingress.Reply, over func()) {
	defer over()
	if g.listen == nil {
		<-ctx.Done()
		return
	}
	g.listen(ctx, h, r)
}

func (g guest) End(context.Context, *ingress.Head) *ingress.Refusal { return nil }

// counted is what the messages count as that are under way.
func (h *handler) counted() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held
}
