package mcpproxy_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// keys tell agents by keys. A key's id is the key without its last four letters.
type keys struct {
	mu    sync.Mutex
	valid map[string]string
	fail  func() // is called first
}

func (k *keys) Verify(key string) (agent, id string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id = "id of " + strings.TrimSuffix(key, "-key")
	if k.fail != nil {
		k.fail()
	}
	if k.valid[key] == "" {
		return "", id, errors.New("unknown key")
	}
	return k.valid[key], id, nil
}

// entry is what the journal has on one call.
type entry struct {
	method, agent, code, detail, raw string
	direction                        policy.Direction
	allowed                          bool
	ref, first                       policy.Ref
	ends                             int
	unsent                           bool
	status                           policy.Status
	origin                           policy.Origin
}

type journal struct {
	mu       sync.Mutex
	fail     func(*policy.Call) error
	failEnd  func()
	begun    map[policy.Ref]*entry
	order    []*entry
	problems []string
}

func (j *journal) Begin(_ context.Context, c *policy.Call, o *policy.Outcome) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if o.Allowed && j.fail != nil {
		if err := j.fail(c); err != nil {
			return err
		}
	}
	if j.begun[c.Ref] != nil {
		j.problems = append(j.problems, "two records of "+c.Method)
	}
	e := &entry{ref: c.Ref, first: c.First, method: c.Method, direction: c.Direction, allowed: o.Allowed, detail: o.Detail, origin: c.Origin}
	if c.Agent != nil {
		e.agent = c.Agent.Name
	}
	if c.Frame != nil {
		e.raw = string(c.Frame.Raw)
	}
	if o.Reason != nil {
		e.code = o.Reason.Code
	}
	if !o.Allowed && o.Reason == nil {
		j.problems = append(j.problems, "a refusal without a reason")
	}
	j.begun[c.Ref] = e
	j.order = append(j.order, e)
	return nil
}

func (j *journal) End(c *policy.Call, o *policy.Outcome, r *policy.Report) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.begun[c.Ref]
	if e == nil || !e.allowed {
		j.problems = append(j.problems, "the end of a call that has not begun: "+c.Method)
		return nil
	}
	e.ends++
	if j.failEnd != nil {
		j.failEnd()
	}
	e.status, e.unsent = r.Status, r.Unsent
	if o.Reason != nil {
		e.code, e.detail = o.Reason.Code, o.Detail
	}
	return nil
}

// permits reports whether a message may go to a server: it is on record as allowed.
func (j *journal) permits(raw string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.order {
		if e.allowed && e.raw == raw {
			return true
		}
	}
	return false
}

// find returns the records of a method, oldest first.
func (j *journal) find(method string) []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []entry
	for _, e := range j.order {
		if e.method == method {
			found = append(found, *e)
		}
	}
	return found
}

type observer struct {
	mu   sync.Mutex
	seen map[policy.Ref]int
	cuts map[policy.Ref]policy.Cut
	fail func() // is called last
}

func (o *observer) Observe(c *policy.Call, out *policy.Outcome, _ *policy.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen[c.Ref]++
	o.cuts[c.Ref] = out.Cut
	if o.fail != nil {
		o.fail()
	}
}

func (o *observer) cut(ref policy.Ref) policy.Cut {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cuts[ref]
}

func (o *observer) count(ref policy.Ref) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[ref]
}

type catalog struct {
	mu      sync.Mutex
	learned []string
	params  []mcpproxy.HeaderParam
	fail    func()
}

func (c *catalog) Learn(call *policy.Call, result *wire.Frame) error {
	if call.Method != "tools/list" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		c.fail()
	}
	c.learned = append(c.learned, call.Upstream+" "+string(result.Get(wire.ResultTools)))
	return nil
}

func (c *catalog) Shown(*policy.Call, *wire.Frame, *wire.Frame) {}

func (c *catalog) HeaderParams(_, tool string) []mcpproxy.HeaderParam {
	if c.fail != nil {
		c.fail()
	}
	if tool != "mirrored" {
		return nil
	}
	return c.params
}

// gate passes everything that no function of a test refuses, and reserves something for each call.
type gate struct {
	check  func(context.Context, *policy.Call) (policy.Verdict, error)
	screen func(context.Context, *policy.Call, *wire.Frame) (policy.Verdict, error)

	mu      sync.Mutex
	settled map[policy.Ref]int
}

func (g *gate) Check(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
	v := policy.Pass
	if g.check != nil {
		var err error
		if v, err = g.check(ctx, c); err != nil {
			return v, err
		}
	}
	ref := c.Ref
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled[ref] = 0
	v.Settle = func(context.Context, *policy.Outcome, *policy.Report) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.settled[ref]++
		return nil
	}
	return v, nil
}

func (g *gate) Screen(ctx context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	if g.screen == nil {
		return policy.Pass, nil
	}
	return g.screen(ctx, c, result)
}

// refusing refuses the calls of one method.
func refusing(method string) func(context.Context, *policy.Call) (policy.Verdict, error) {
	return func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
		if c.Method == method {
			return policy.Refuse(reasonTest, policy.Pos{}, ""), nil
		}
		return policy.Pass, nil
	}
}

// pipes is a network of one address.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }
