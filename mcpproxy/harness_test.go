package mcpproxy_test

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// world is a whole proxy between agents and fake servers. Inside a bubble its connections are pipes and its time is fake;
// what is left running at the end fails the test.
type world struct {
	t        *testing.T
	keys     *keys
	journal  *journal
	observer *observer
	catalog  *catalog
	gate     *gate
	server   *server // behind the upstreams up and other
	proxy    *mcpproxy.Proxy
	servers  map[string]*upstream.Server
	timeout  time.Duration

	ctx     context.Context //nolint:containedctx // of every request of a client, all of which end with the world
	stop    context.CancelFunc
	lasting *ingress.Lasting
	front   *ingress.Server
	back    *http.Server
	net     *pipes // to the front
	inner   *pipes // to the fake server
	dials   []*http.Transport
}

// bubble runs a test in a world with fake time. Inside, the test is the one of the world.
func bubble(t *testing.T, test func(w *world), adjust ...func(*mcpproxy.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, adjust...)
		defer w.close()
		w.serve()
		test(w)
	})
}

// newWorld makes a world whose upstreams are reached over HTTP.
func newWorld(t *testing.T, adjust ...func(*mcpproxy.Config)) *world {
	t.Helper()
	w := &world{
		t: t, keys: &keys{valid: map[string]string{"alice-key": "alice", "bob-key": "bob"}}, observer: &observer{seen: map[policy.Ref]int{}, cuts: map[policy.Ref]policy.Cut{}},
		catalog: &catalog{}, gate: &gate{settled: map[policy.Ref]int{}}, timeout: time.Minute, servers: map[string]*upstream.Server{},
		lasting: ingress.NewLasting(), net: newPipes(), inner: newPipes(),
	}
	w.journal = &journal{begun: map[policy.Ref]*entry{}}
	w.server = newServer()
	w.server.judge = w.journal.permits
	w.ctx, w.stop = context.WithCancel(t.Context())
	var err error
	config := mcpproxy.Config{
		Identity: w.keys, Journal: w.journal, Catalog: w.catalog, Observers: []mcpproxy.Observer{w.observer}, Clock: time.Now,
		Random: rand.Reader, Log: zerolog.Nop(),
	}
	for _, f := range adjust {
		f(&config)
	}
	w.proxy, err = mcpproxy.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// serve starts the fake server and the front.
func (w *world) serve() {
	w.t.Helper()
	w.back = &http.Server{Handler: w.server}
	go w.back.Serve(w.inner)
	for _, name := range []string{"up", "other"} {
		w.servers[name] = w.remote(name)
	}
	w.receive()
}

// receive starts the front alone.
func (w *world) receive() {
	w.t.Helper()
	w.proxy.SetPolicy(w.policy("r1", nil))
	h, err := ingress.NewHTTP(ingress.Config{Handler: w.proxy, Clock: time.Now, Lasting: w.lasting, WS: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.front = ingress.NewServer(w.t.Context(), h, time.Now, 1<<16)
	go w.front.Serve(w.net)
}

// remote is the fake server under a name.
func (w *world) remote(name string) *upstream.Server {
	w.t.Helper()
	return w.upstream(upstream.Config{Name: name, URL: "http://up.test/mcp", Dial: w.inner.dial})
}

func (w *world) upstream(c upstream.Config) *upstream.Server {
	w.t.Helper()
	c.Limits, c.Clock, c.Log = wire.DefaultLimits, time.Now, zerolog.Nop()
	s, err := upstream.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// policy lets alice and bob reach up, and alice other. edit changes it.
func (w *world) policy(revision string, edit func(*mcpproxy.Policy)) *mcpproxy.Policy {
	p := &mcpproxy.Policy{
		Revision: revision, Agents: map[string]mcpproxy.Principal{}, Connections: map[mcpproxy.Way]*policy.Connection{},
		Upstreams: map[string]*upstream.Server{}, Limits: wire.DefaultLimits,
	}
	maps.Copy(p.Upstreams, w.servers)
	for _, way := range []mcpproxy.Way{{Agent: "alice", Upstream: "up"}, {Agent: "bob", Upstream: "up"}, {Agent: "alice", Upstream: "other"}} {
		if p.Upstreams[way.Upstream] == nil {
			continue
		}
		a := &policy.Agent{Name: way.Agent}
		p.Agents[way.Agent] = mcpproxy.Principal{Agent: a}
		p.Connections[way] = &policy.Connection{
			Name: way.Agent + "-" + way.Upstream, Agent: a, Upstream: &policy.Upstream{Name: way.Upstream}, Timeout: w.timeout,
			Limits: wire.DefaultLimits, Revision: revision, Gates: []policy.Named{{Name: "fake", Gate: w.gate}},
		}
	}
	if edit != nil {
		edit(p)
	}
	return p
}

// close ends the world and holds it to what is true of every run.
func (w *world) close() {
	w.t.Helper()
	w.stop()
	for _, d := range w.dials {
		d.CloseIdleConnections()
	}
	if w.front != nil {
		w.front.Close()
	}
	w.lasting.Leave(w.ctx) // waits for what front has handed on
	w.proxy.Close()
	for _, s := range w.servers {
		s.Close()
	}
	if w.back != nil {
		w.back.Close()
		synctest.Wait()
	}
	w.check()
}

// check compares what the journal, the gate, the observer and the server have seen.
func (w *world) check() {
	w.t.Helper()
	w.journal.mu.Lock()
	defer w.journal.mu.Unlock()
	for _, problem := range w.journal.problems {
		w.t.Error(problem)
	}
	for ref, e := range w.journal.begun {
		ends := 0
		if e.allowed {
			ends = 1
		}
		if e.ends != ends {
			w.t.Errorf("%s (%s, %s) ended %d times on record, want %d", e.method, e.direction, e.code, e.ends, ends)
		}
		if got := w.observer.count(ref); got != 1 {
			w.t.Errorf("observers were told %d times of %s (%s, %s)", got, e.method, e.direction, e.code)
		}
	}
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	for ref, n := range w.gate.settled {
		if n != 1 {
			w.t.Errorf("call %s was settled %d times", ref, n)
		}
	}
	for _, problem := range w.server.take() {
		w.t.Error(problem)
	}
}

// revoke takes a key back and expels who uses it.
func (w *world) revoke(key string) {
	w.keys.mu.Lock()
	delete(w.keys.valid, key)
	w.keys.mu.Unlock()
	is := func(id string) bool { return id == "id of "+strings.TrimSuffix(key, "-key") }
	w.proxy.Expel(is, is)
}

// expire lets a key run out and expels who uses it.
func (w *world) expire(key string) {
	w.keys.mu.Lock()
	delete(w.keys.valid, key)
	w.keys.mu.Unlock()
	w.proxy.Expel(
		func(id string) bool { return id == "id of "+strings.TrimSuffix(key, "-key") },
		func(string) bool { return false },
	)
}

// last returns the newest record of a method.
func (w *world) last(method string) entry {
	w.t.Helper()
	all := w.journal.find(method)
	if len(all) == 0 {
		w.t.Fatalf("%q is not on record", method)
	}
	return all[len(all)-1]
}

// reasonTest is why gates of tests refuse.
var reasonTest = &policy.Reason{Code: "TEST", Answer: policy.AnswerNotPermitted}
