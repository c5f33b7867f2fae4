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
	plain   [256]atomic.Pointer[plain] // by hash: calls name the same tools again and again
}

// plain is a text in which an engine finds nothing.
type plain struct {
	text   string
	engine *detect.Engine
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
	known := &b.plain[maphash.String(b.seed, text)%uint64(len(b.plain))]
	if k := known.Load(); k != nil && k.engine == e && k.text == text {
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
			known.Store(&plain{text, e})
		}
		return text
	}
	return string(append(out, text[done:]...))
}
