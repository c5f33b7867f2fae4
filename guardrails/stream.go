package guardrails

import (
	"bytes"
	"sync"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// A server may tell a text piece by piece, in log messages or reports of progress. So the end of each piece is
// remembered for the one that follows it on the same stream, and what lies across the cut is found in the later piece.

const (
	streamTime = 5 * time.Minute // after which a piece goes on no more
	maxStreams = 4096            // that are remembered; the one that goes first is any
)

// streams are the ends of what was told last. The zero value is ready.
type streams struct {
	mu   sync.Mutex // guards ends
	ends map[streamKey]end
}

// streamKey tells streams apart.
type streamKey struct{ connection, session, method, token string }

// end is the end of a text that was told.
type end struct {
	text []byte
	at   time.Time
}

func (t *streams) last(k streamKey, now time.Time) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.ends[k]; ok && now.Sub(e.at) < streamTime {
		return e.text
	}
	return nil
}

func (t *streams) keep(k streamKey, text []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ends == nil {
		t.ends = map[streamKey]end{}
	}
	if _, ok := t.ends[k]; !ok && len(t.ends) >= maxStreams {
		for old := range t.ends {
			delete(t.ends, old)
			break
		}
	}
	t.ends[k] = end{text, now}
}

// chunk is a message that is a piece of a stream.
type chunk struct {
	key         streamKey
	before      []byte // end of the piece before; nil for none
	first, last int    // leaves of the text that begins the piece and of the one that ends it
}

// inPieces holds for messages that may be pieces of a stream. Of those, every leaf is read.
func inPieces(c *policy.Call) bool {
	return c.Direction == policy.ToAgent && (c.Method == "notifications/message" || c.Method == "notifications/progress")
}

// chunk returns what a message is of a stream; false where it is of none.
func (g *gate) chunk(c *policy.Call, s *scan) (chunk, bool) {
	if !inPieces(c) {
		return chunk{}, false
	}
	k := chunk{key: streamKey{connection: c.Connection.Name, session: c.Origin.Session, method: c.Method}, first: -1}
	for i := range s.leaves {
		l, p := &s.leaves[i], &s.places[i]
		at := s.raw[p.at.Lo:p.at.Hi]
		switch name := s.nameOf(i); {
		case p.form == formSeam || p.form == formName || p.in <= 0:
		case string(name) == "progressToken" || string(name) == "logger":
			k.key.token = string(at)
		case p.form != formText || len(l.Text) == 0 || string(name) == "level":
		default:
			if k.last = i; k.first < 0 {
				k.first = i
			}
		}
	}
	if k.first < 0 {
		return chunk{}, false
	}
	k.before = g.book.streams.last(k.key, c.Time)
	return k, true
}

// nameOf returns the name of the member that a leaf is the value of, as it is written.
func (s *scan) nameOf(leaf int) []byte {
	if k := s.places[leaf].key; k.Present() {
		return s.raw[k.Lo+1 : k.Hi-1]
	}
	return nil
}

// join finds what lies across the cut between a piece and the one before.
func (s *scan) join(e *detect.Engine, k *chunk) {
	if len(k.before) == 0 {
		return
	}
	head := s.leaves[k.first].Text
	cut := len(k.before)
	text := append(bytes.Clone(k.before), head[:min(len(head), seamReach)]...)
	known := len(s.found)
	e.Scan(s.scratch, []detect.Leaf{{Text: text}}, func(_ int, f detect.Finding) {
		if f.Start >= cut || f.End <= cut || f.Kind == detect.Unread {
			return
		}
		f.Start, f.End = 0, f.End-cut
		for i := range s.found[:known] {
			if x := &s.found[i]; x.leaf == k.first && x.Kind == f.Kind && x.Start < f.End {
				return
			}
		}
		s.found = append(s.found, sighting{Finding: f, leaf: k.first, goesOn: true})
	})
}

// keep remembers the end of a piece that the agent gets.
func (k *chunk) keep(b *Book, s *scan, now time.Time) {
	tail := s.leaves[k.last].Text
	if k.first == k.last && len(tail) < seamReach { // one that is short goes on in the next together with what was before
		tail = append(bytes.Clone(k.before[max(0, len(k.before)+len(tail)-seamReach):]), tail...)
	}
	b.streams.keep(k.key, bytes.Clone(tail[max(0, len(tail)-seamReach):]), now)
}
