// Package audit says what happened: it keeps the decision journal, finds records in it, and verifies it offline.
//
// A call is on record before it is sent, and what came of it afterwards. No record, no call: an error of
// [Journal.Begin] means that the call must not go out. Records hold who, which, why and how much, and never an
// argument, a result or a secret; of content they hold a commitment.
//
// The journal is also the write-ahead log of all state. What Badger holds is what the journal adds up to, and is
// rebuilt from it. The package does not decide, does not say what state means, and sends records nowhere.
//
// # Files
//
// All lie in the folder journal of the state directory:
//
//	00000000000000000000.seg  a segment, named after the sequence number of its first record
//	checkpoints               signed statements of size and root, one after another
//	key.pub                   what verifies them
//	signing.key               what signs them
//	commitment.key            what commitments of content are made with
//	restored                  there while a restore from a backup has not been accepted
//
// Beside the folder lies the file ballast, and outside the state directory the anchor ([Config]).
//
// # Segments and frames
//
// A segment is a header and frames. Numbers are big endian.
//
//	header   magic "HOPGATEJ", version u32, stream [16], first record u64, created i64 (Unix nanoseconds),
//	         chain [32], the right edge of the tree over all earlier records: [32] for each bit set in first
//	frame    magic "HgF\x01", payload length u32, first record u64, records u32, payload, chain [32]
//	payload  entries: length u32, type u8, bytes
//
// The chain runs through both: after a header it is SHA-256(header), after a frame SHA-256(chain || frame before its own
// chain). The header of the first segment holds SHA-256("hopgate journal v1\n" || stream). One frame is one batch, one
// write and one sync.
//
// The entries are
//
//	0  record: canonical JSON (RFC 8785); SHA-256(type || bytes) is its leaf in the tree of RFC 6962
//	1  put: key length u16, key, value
//	2  delete: key
//	3  open: the record of a call that has begun and not ended, cut short
//
// A segment begins with a snapshot, frames without records: puts of all live state, and the calls that are open. So a
// replay needs one segment, and older ones can go. A segment gets its name only when its snapshot is durable.
//
// The last segment may end in zeros, which frames are written over, since the sync of a file that does not grow takes half
// as long. They are cut off before another segment begins, and at a clean stop. An invalid end of the last segment with
// nothing valid behind it is torn, which a crash explains. Anything else that does not fit is damage.
package audit
