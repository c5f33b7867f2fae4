// Package guardrails says what may be said: which secrets, personal data, injected instructions and hidden texts may pass
// between an agent and a server, and what is cut out of a message before it goes on.
//
// Every name, string and number of every message is looked at, in both directions, by the detectors of package detect.
// What is done about a finding says a profile, a list of rules in the configuration; secrets are blocked unless a rule
// says otherwise. Redaction replaces bytes where they stand and leaves all others as they are; where it would break what
// it is made in, the message is blocked.
//
// The package does not say who may call what, and sends nothing. Between messages it keeps what a [Vault] holds, and in a
// [Book] who is tainted, the ends of texts that are told in pieces, and the names of tools that servers offer; beside these,
// the output schemas that results must satisfy, and which messages and texts are known to hold nothing. What was found leaves
// it as kind, rule, place and number, never as value.
package guardrails

import (
	"context"
	"sync"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Name is the gate's name.
const Name = "guardrails"

// Spec describes the gate. Its gates share one set of detectors for each configuration, and the vault and the book for
// ever.
func Spec(v *Vault, b *Book) policy.Spec {
	s, seen := &shelf{book: b}, newSchemas()
	return policy.NewSpec(Name, "what may be said", reasons,
		func(c *policy.Connection, own *Keys) (policy.Gate, error) { return build(s, seen, v, c, own) },
	).On(policy.OnFile, func() any { return new(FileKeys) }).
		On(policy.OnTool, func() any { return new(ToolKeys) })
}

// shelf keeps the profiles of the configuration that was compiled last, which all its connections share.
type shelf struct {
	book     *Book
	mu       sync.Mutex // guards what follows
	keys     *FileKeys
	own      *policy.Credentials
	profiles *Profiles
	wrong    error
}

func (s *shelf) of(keys *FileKeys, own *policy.Credentials) (*Profiles, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.profiles == nil && s.wrong == nil || s.keys != keys || s.own != own {
		s.profiles, s.wrong = Compile(keys, own)
		if s.keys, s.own = keys, own; s.wrong == nil {
			s.book.engine.Store(s.profiles.engine)
		}
	}
	return s.profiles, s.wrong
}

// gate is the gate of one connection. It is immutable but for what it has seen of output schemas.
type gate struct {
	engine     *detect.Engine
	seen       *schemas
	vault      *Vault
	book       *Book
	guards     []guard
	suppressed []*suppression
	taint      time.Duration    // of the agent, after injected instructions; 0 for none
	careless   bool             // a tainted agent may act
	sinks      []policy.Pattern // tools that act
	at         policy.Pos
}

// guard is a profile and the calls that it is for.
type guard struct {
	profile *profile
	tool    *policy.Pattern // nil for all calls
}

var _ policy.Screen = (*gate)(nil)

func build(s *shelf, seen *schemas, v *Vault, c *policy.Connection, own *Keys) (policy.Gate, error) {
	all, err := s.of(policy.Setting[FileKeys](c.File, Name), c.Own)
	if err != nil {
		return nil, err
	}
	g := &gate{engine: all.engine, seen: seen, vault: v, book: s.book, at: c.At}
	g.taint, g.careless = own.taintOf(), own.Taint != nil && own.Taint.Off
	var wrong policy.Complaints
	add := func(n *ProfileName, tool *policy.Pattern) {
		name := lightName
		if n != nil {
			name = n.Text
		}
		p, ok := all.profiles[name]
		if !ok {
			wrong = append(wrong, all.unknown(n))
			return
		}
		g.guards = append(g.guards, guard{profile: p, tool: tool})
	}
	add(own.Guard, nil)
	for i := range c.Tools {
		t := policy.Setting[ToolKeys](c.Tools[i].Settings, Name)
		if t != nil && t.Guard != nil {
			add(t.Guard, &c.Tools[i].Name)
		}
		if t != nil && t.Sink {
			g.sinks = append(g.sinks, c.Tools[i].Name)
		}
	}
	list, complaints := suppressions(own.Suppress, all)
	g.suppressed = list
	if wrong = append(wrong, complaints...); len(wrong) > 0 {
		return nil, wrong
	}
	return g, nil
}

// Check judges what an agent sends, and what a server sends without being asked; see [policy.Gate].
func (g *gate) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if v, tainted := g.held(c); tainted {
		return v, nil
	}
	v, err := g.sent(c)
	if err == nil && v.Effect == policy.Allow && len(c.Headers) > 0 {
		v = g.beside(c, v)
	}
	if err != nil || v.Effect != policy.Allow {
		return v, err
	}
	return g.answer(c, v)
}

// sent judges a message as it goes out: with values in the place of tokens, where a rule puts them back.
func (g *gate) sent(c *policy.Call) (policy.Verdict, error) {
	switch r, err := g.restore(c); {
	case err != nil:
		return policy.Verdict{}, err
	case r != nil:
		return r.judge(g, c)
	}
	return g.inspect(c, c.Frame, c.Direction, &sent, nil)
}

// Screen judges what a server answers; see [policy.Screen].
func (g *gate) Screen(_ context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	if c.Method == "tools/list" && c.Direction == policy.ToUpstream {
		g.seen.learn(c.Upstream, result)
		g.book.tools.learn(c.Upstream, result)
	}
	way := policy.ToAgent
	if c.Direction == policy.ToAgent {
		way = policy.ToUpstream
	}
	v, err := g.inspect(c, result, way, &shown, nil)
	if err == nil && v.Effect == policy.Allow {
		v.Findings = append(v.Findings, contrast(c, result)...)
	}
	return v, err
}

// inspect looks at a message and says what becomes of it. spared are values that tokens were put back as.
func (g *gate) inspect(c *policy.Call, f *wire.Frame, way policy.Direction, why *causes, spared [][]byte) (policy.Verdict, error) {
	as, known := g.looked(f, way)
	if known && g.book.quiet.has(as) {
		return g.nothing(c), nil
	}
	s := newScan(g.vault)
	s.spared, s.released = spared, g.vault.handing(c.Ref)
	defer s.free()
	g.hear(s, c, way)
	s.every = inPieces(c)
	s.look(g.engine, f.Raw)
	if known && len(s.found) == 0 && !s.vouched {
		g.book.quiet.add(as)
	}
	part, streams := g.chunk(c, s)
	if streams {
		s.join(g.engine, &part)
	}
	v, err := g.judge(s, c, f, way, why)
	if streams && err == nil && v.Effect == policy.Allow {
		part.keep(g.book, s, c.Time)
	}
	return v, err
}

// hear tells a scan whose text it is to look at: what a server says may not send the agent to the tools of others.
func (g *gate) hear(s *scan, c *policy.Call, way policy.Direction) {
	if way == policy.ToAgent {
		s.scratch.Hear(g.book.tools.all.Load(), c.Upstream)
	}
}

// nothing passes a message in which nothing was found.
func (g *gate) nothing(c *policy.Call) policy.Verdict {
	if c.Trace != nil {
		c.Passed("content", g.guards[0].profile.at, g.guards[0].profile.name+": nothing found")
	}
	return policy.Pass
}

// judge says what becomes of a message that has been looked at.
func (g *gate) judge(s *scan, c *policy.Call, f *wire.Frame, way policy.Direction, why *causes) (policy.Verdict, error) {
	if len(s.found) == 0 {
		return g.nothing(c), nil
	}
	s.decide(g, c, way)
	if c.Trace == nil {
		s.count()
	}
	v, err := s.verdict(g, c, f, way, why)
	if err == nil {
		g.infect(s, c, way, &v)
	}
	return v, err
}
