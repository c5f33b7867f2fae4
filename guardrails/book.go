package guardrails

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// Book is what the gates of all connections share and outlive a configuration with. It may be used by many goroutines.
type Book struct {
	engine  atomic.Pointer[detect.Engine] // of the configuration that was compiled last; nil before the first
	streams streams
	tools   offers
	taints  taints
	quiet   quiet
	seed    maphash.Seed
	plain   atomic.Pointer[plain]
}

// plain are texts in which an engine finds nothing: calls name the same tools again and again. Those of another engine are
// forgotten with it, because engines are large.
type plain struct {
	engine *detect.Engine
	texts  [256]atomic.Pointer[string] // by hash
}

// plainTo returns the texts in which an engine finds nothing.
func (b *Book) plainTo(e *detect.Engine) *plain {
	p := b.plain.Load()
	if p == nil || p.engine != e {
		p = &plain{engine: e}
		b.plain.Store(p)
	}
	return p
}

// NewBook returns a book in which nothing is written.
func NewBook() *Book { return &Book{seed: maphash.MakeSeed()} }

// shortest is the length of a text, in bytes, below which nothing is looked for in it: no detector finds anything there.
const shortest = 8

// Veil returns a text as it may stand on record: what is a secret in it, or personal data, is written as what it is:
// file:///home?user=[email]. Names of tools, URIs and clients come from agents and servers, who may put anything into them.
func (b *Book) Veil(text string) string {
	e := b.engine.Load()
	if len(text) < shortest || e == nil {
		return text
	}
	texts := &b.plainTo(e).texts
	known := &texts[maphash.String(b.seed, text)%uint64(len(texts))]
	if k := known.Load(); k != nil && *k == text {
		return text
	}
	s := newScan(nil)
	defer s.free()
	s.text = append(s.text[:0], text...)
	s.leaves = append(s.leaves[:0], detect.Leaf{Text: s.text})
	var out []byte
	done := 0
	e.Scan(s.scratch, s.leaves, func(_ int, f detect.Finding) {
		if f.Confidence < medium.least() || f.Kind == detect.Unread || f.Start < done {
			return
		}
		out = append(append(append(append(out, text[done:f.Start]...), '['), nameOf(f.Entity)...), ']')
		done = f.End
	})
	if done == 0 {
		if len(text) <= seamReach { // long ones are not worth the memory
			kept := text // else every text would be moved to where it can be kept
			known.Store(&kept)
		}
		return text
	}
	return string(append(out, text[done:]...))
}
