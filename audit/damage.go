package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrRollback says that the journal holds less than it once held: less than Badger has applied, or than a signed
	// checkpoint covers. It was cut, or an older copy was put in its place.
	ErrRollback = errors.New("the journal was cut or rolled back")
	// ErrFailed says that the journal could not be written, or not applied to the store. It stays so until the journal
	// is opened again, because after a failed sync nobody knows what the disk holds.
	ErrFailed = errors.New("the journal has failed")
	// ErrSpace says that the disk is full up to the reserve. It ends when there is space again.
	ErrSpace = errors.New("the disk is too full to keep records")
	// ErrDescriptors says that the process has too many files and connections open. It ends when some are closed.
	ErrDescriptors = errors.New("too many files are open to keep records")
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("the journal is closed")
)

// Damage is what a crash does not explain: a changed, missing, inserted or reordered part of the journal.
type Damage struct {
	Segment string `json:"segment"` // file
	Offset  int64  `json:"offset"`  // byte in it
	Seq     uint64 `json:"seq"`     // record that was due there
	What    string `json:"what"`    // what is wrong, without content
}

// Error says what is wrong and where.
func (d *Damage) Error() string {
	return fmt.Sprintf("the journal is damaged: %s, byte %d, before record %d: %s", d.Segment, d.Offset, d.Seq, d.What)
}

// Torn is an unfinished end of a file, as a crash leaves it.
type Torn struct {
	Segment string `json:"segment"` // file
	Offset  int64  `json:"offset"`  // where the unfinished part begins
	Bytes   int64  `json:"bytes"`   // its length
}

// Error says where the end is torn.
func (t *Torn) Error() string {
	return fmt.Sprintf("%s is torn: %d bytes from byte %d on are unfinished", t.Segment, t.Bytes, t.Offset)
}
