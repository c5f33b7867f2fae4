package audit

import (
	"crypto/sha256"
	"io"
	"iter"
	"path/filepath"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// snapshot begins a segment: the header, then frames with all live state and the calls that are open.
type snapshot struct {
	files  Files
	dir    string
	header header
	state  iter.Seq2[store.Item, error]
	open   map[policy.Ref]openCall

	chain hash  // after write: behind the last frame
	size  int64 // after write
	frame frame
	out   io.Writer
}

func (s *snapshot) segment() segment {
	return segment{first: s.header.tree.size, created: s.header.created}
}

// write makes the segment. It exists under its name whole or not at all.
func (s *snapshot) write() error {
	return publish(s.files, filepath.Join(s.dir, s.segment().name()), func(w io.Writer) error {
		s.out = w
		raw := s.header.encode()
		if _, err := w.Write(raw); err != nil {
			return err
		}
		s.chain, s.size = sha256.Sum256(raw), int64(len(raw))
		s.frame.begin(s.chain, s.header.tree.size)
		for item, err := range s.state {
			if err != nil {
				return err
			}
			s.frame.put(store.Put(item))
			if err := s.flush(maxBatch); err != nil {
				return err
			}
		}
		now := newStamp(s.header.created)
		for ref, c := range s.open {
			var e entry
			e.encode(&Record{Kind: KindIntent, Ref: ref.String(), Agent: c.agent, Connection: c.connection, Upstream: c.upstream})
			start := s.frame.open(entryOpen)
			s.frame.buf = e.appendTo(s.frame.buf, s.header.tree.size, now)
			s.frame.shut(start)
			if err := s.flush(maxBatch); err != nil {
				return err
			}
		}
		return s.flush(0) // a segment has at least one frame, which seals the header
	})
}

// flush writes the frame where it holds at least so many bytes, and begins the next.
func (s *snapshot) flush(size int) error {
	if len(s.frame.buf) < size {
		return nil
	}
	s.chain = s.frame.seal()
	s.size += int64(len(s.frame.bytes()))
	_, err := s.out.Write(s.frame.bytes())
	s.frame.begin(s.chain, s.header.tree.size)
	return err
}
