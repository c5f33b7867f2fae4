package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/hopgate/hopgate/store"
)

// catchUp makes the store what the journal adds up to.
func (o *opening) catchUp() error {
	if !o.rebuilt {
		if err := o.agree(); err != nil {
			if err := o.wipe(err); err != nil {
				return err
			}
		}
	}
	if !o.rebuilt && o.engine.Position() == o.end.seq() {
		return nil
	}
	if err := o.replay(); err != nil {
		return fmt.Errorf("replaying the journal: %w", err)
	}
	return nil
}

// agree checks that the store is what the journal added up to when it had the store's position. Badger tells of damage
// by leaving things out without a word, so all live state is held against its digest, and the records must be there from
// the first on, and in the recent segments without a gap.
func (o *opening) agree() error {
	pos := o.engine.Position()
	if pos < o.segs[0].first {
		return fmt.Errorf("%w: the journal begins with record %d, and the store reflects %d", store.ErrDamaged, o.segs[0].first, pos)
	}
	if err := checkDigest(o.engine); err != nil {
		return err
	}
	_, stay, err := o.interrupted()
	if err != nil {
		return err
	}
	recent, err := o.recent()
	if err != nil {
		return err
	}
	next := max(o.segs[recent].first, stay[0].first)
	if b, err := o.engine.Get(appendBodyKey(nil, stay[0].first)); err != nil || b == nil && pos > stay[0].first {
		return fmt.Errorf("%w: record %d is missing", store.ErrDamaged, stay[0].first)
	}
	if err := o.stale(); err != nil {
		return err
	}
	var after []byte
	if next > 0 {
		after = appendBodyKey(nil, next-1)
	}
	for item, err := range o.engine.Scan(bodyPrefix, after, false) {
		if err != nil {
			return err
		}
		if firstOf(item.Key) != next {
			break
		}
		e, err := readExtent(item.Value)
		if err != nil {
			return err
		}
		next += e.records
	}
	if next != pos {
		return fmt.Errorf("%w: record %d is missing", store.ErrDamaged, next)
	}
	return nil
}

// stale checks that the oldest records that the store knows of are in a segment that is there. A power failure may undo
// what the store was told last, which may be that a segment goes.
func (o *opening) stale() error {
	for item, err := range o.engine.Scan(bodyPrefix, nil, false) {
		if err != nil {
			return err
		}
		e, err := readExtent(item.Value)
		if err == nil && !slices.ContainsFunc(o.segs, func(s segment) bool { return s.first == e.segment }) {
			err = fmt.Errorf("%w: record %d was pruned", store.ErrDamaged, e.first)
		}
		return err
	}
	return nil
}

// recent returns the index of the segment from which on records may be in no more than a log of Badger. Of a segment at most a
// fifth is its snapshot, which is not applied.
func (o *opening) recent() (int, error) {
	at := o.behind()
	for size := int64(0); at > 0 && size < store.MostInLogs*5/4; {
		at--
		info, err := os.Stat(filepath.Join(o.dir, o.segs[at].name()))
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return at, nil
}

// replay applies the frames behind the store's position, or all of them to a store that was wiped.
func (o *opening) replay() error {
	pos := o.engine.Position()
	c, err := newCursor(o.dir, o.segs, o.behind())
	if err != nil {
		return err
	}
	defer c.close()
	a, err := o.applier()
	if err != nil {
		return err
	}
	// A segment is removed as a whole, so none shares a block with another.
	c.entered = a.blocks.shut
	for {
		switch err := c.next(); {
		case errors.Is(err, io.EOF):
			return a.apply()
		case err != nil:
			return err
		case o.rebuilt:
		case c.frame.end() < pos, c.frame.end() == pos && c.frame.records > 0:
			continue // applied; of a frame without records the position does not tell
		}
		if err := a.add(&c.frame); err != nil {
			return err
		}
		a.bytes += len(c.frame.buf)
		if a.bytes < applyBytes {
			continue
		}
		a.bytes = 0
		if err := a.apply(); err != nil {
			return err
		}
	}
}

// applier returns the part of an applier that needs no goroutine.
func (o *opening) applier() (*applier, error) {
	d, err := readDigest(o.engine)
	if err != nil {
		return nil, err
	}
	return &applier{engine: o.engine, digest: d, end: o.engine.Position(), pending: map[string]*change{}}, nil
}

// interrupted returns the segments that were declared pruned and are there still, and those that stay.
func (o *opening) interrupted() (gone, stay []segment, err error) {
	b, err := o.engine.Get(prunedKey)
	if err != nil || len(b) != 8 {
		return nil, o.segs, err
	}
	first, n := binary.BigEndian.Uint64(b), 0
	for n < len(o.segs)-1 && o.segs[n+1].first <= first {
		n++
	}
	return o.segs[:n:n], o.segs[n:], nil
}
