package audit

import "fmt"

// A sync of a file that has grown is one of the file system's own journal too, and takes twice as long as one of bytes that
// were there before. So the last segment ends in zeros, over which frames are written. They are cut off when it ends.
const zeroBytes = 256 << 10 // of zeros that are written at a time

var zeros [zeroBytes]byte

// append makes the bytes of a frame durable behind those before. No two frames wait for one sync: the zeros let a power
// failure keep the second and lose the first.
func (w *writer) append(frame []byte) error {
	off := w.snapshot + w.size
	if _, err := w.file.WriteAt(frame, off); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	w.size += int64(len(frame))
	if end := off + int64(len(frame)); end > w.zeroed {
		w.zeroed = end
		room := min(w.most()-w.size, zeroBytes)
		if room > 0 {
			// Where the disk has no room for zeros, it may have some for what is to come, and that tells.
			n, _ := w.file.WriteAt(zeros[:room], end)
			w.zeroed += int64(n)
		}
	}
	if err := w.file.SyncData(); err != nil {
		return fmt.Errorf("syncing the journal: %w", err)
	}
	return nil
}

// most is how many bytes a segment has behind its snapshot before it ends. Where there is much state, a snapshot does not
// cost more than a quarter of what it stands before.
func (w *writer) most() int64 { return max(w.limits.segment, 4*w.snapshot) }

// seal cuts off the zeros behind the last segment. Nothing comes behind it before that is durable.
func (w *writer) seal() error {
	end := w.snapshot + w.size
	if w.zeroed == end {
		return nil
	}
	if err := w.file.Truncate(end); err != nil {
		return fmt.Errorf("ending a segment: %w", err)
	}
	w.zeroed = end
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("ending a segment: %w", err)
	}
	return nil
}

// blank reports whether bytes are all zero.
func blank(b []byte) bool {
	for ; len(b) > len(zeros); b = b[len(zeros):] {
		if string(b[:len(zeros)]) != string(zeros[:]) {
			return false
		}
	}
	return string(b) == string(zeros[:len(b)])
}
