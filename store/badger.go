package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/rs/zerolog"
)

// Constants of the format. Badger panics where a directory was written with a larger memtable than it is opened with,
// so the size is no setting; another one needs another schema.
const (
	memTable = 8 << 20 // bytes
	schema   = 3       // Badger's external magic
)

// baseTable is the size of a table of the lower levels. A compaction builds up to 26 of them at once and takes four times
// their size for each: with 2 MiB, Badger's own choice, that is 200 MB under load.
const baseTable = 1 << 20 // bytes

// MostInLogs is how many bytes may lie in Badger's write-ahead logs alone: of the memtable that is being filled, of the one
// that is being flushed, and of those that wait. What a damaged log has lost is among what was applied last, and no more.
const MostInLogs = 4 * memTable

// positionKey holds what Position returns. It lies outside the keys that a Put may have.
var positionKey = []byte("\x00position")

var _ Engine = (*DB)(nil)

// DB is an [Engine] in a directory, on Badger.
type DB struct {
	b        *badger.DB
	position atomic.Uint64

	mu     sync.Mutex // guards closed, and that users grows only while it is false
	closed bool
	users  sync.WaitGroup
}

// Open opens the state in a directory of its own, which it makes where it is missing. The caller holds the [Lock] of the state
// directory above it. An error that matches [ErrDamaged] is any that a rebuild may cure: Badger does not tell damage
// from other trouble.
func Open(dir string, log zerolog.Logger) (*DB, error) {
	// Badger leaves the modes of its files to the umask, so the directory keeps others out.
	//nolint:gosec // G302 takes the directory for a file
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
		return nil, fmt.Errorf("making the store's directory: %w", err)
	}
	if err := sweep(dir); err != nil {
		return nil, err
	}
	opts := badgerOptions(dir, log)
	if err := checkTables(dir, opts); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	b, err := badger.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("%w: opening Badger: %w", ErrDamaged, err)
	}
	db := &DB{b: b}
	pos, err := db.Get(positionKey)
	if err == nil && pos != nil && len(pos) != 8 {
		err = fmt.Errorf("%w: the position has %d bytes", ErrDamaged, len(pos))
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	if pos != nil {
		db.position.Store(binary.BigEndian.Uint64(pos))
	}
	return db, nil
}

// Wipe removes the state in a directory, so that Open begins with none.
func Wipe(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the store: %w", err)
	}
	return nil
}

// badgerOptions says how Badger is used here: small, quiet, and never durable by itself, which is the journal's part.
//
// Tables are not compressed, because a compressed block that is damaged crashes the process inside Badger 4.9.6 before
// any error can be returned; see checkTables.
func badgerOptions(dir string, log zerolog.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(badgerLog{log}).
		WithSyncWrites(false).
		WithMemTableSize(memTable).
		WithNumMemtables(2).
		WithBaseTableSize(baseTable).
		WithNumCompactors(2).
		WithNumLevelZeroTables(2).
		WithNumLevelZeroTablesStall(5).
		WithValueThreshold(1 << 20).
		WithValueLogFileSize(16 << 20).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithIndexCacheSize(4 << 20).
		WithNumVersionsToKeep(1).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithCompactL0OnClose(false).
		WithExternalMagic(schema)
}

// sweep removes empty log files. A crash between their creation and their first growth leaves them, and Badger then
// refuses to open (dgraph-io/badger issue 2207). They hold nothing.
func sweep(dir string) error {
	for _, pattern := range []string{"*.mem", "*.vlog"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return fmt.Errorf("listing the store: %w", err)
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err == nil && info.Size() == 0 {
				err = os.Remove(name)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("removing an empty log file: %w", err)
			}
		}
	}
	return nil
}

// Position implements [Engine].
func (db *DB) Position() uint64 { return db.position.Load() }

// Apply implements [Engine].
func (db *DB) Apply(pos uint64, puts []Put) error {
	if pos < db.position.Load() {
		return ErrBackwards
	}
	for i := range puts {
		if err := puts[i].Check(); err != nil {
			return fmt.Errorf("applying to the store: %w", err)
		}
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.users.Done()
	txn := db.b.NewTransaction(true)
	defer func() { txn.Discard() }()
	for i := range puts {
		if err := set(&txn, db.b, puts[i]); err != nil {
			return fmt.Errorf("applying to the store: %w", err)
		}
	}
	// The position comes last: where the changes fill several transactions, it is true only with the last of them.
	at := Put{Key: positionKey, Value: binary.BigEndian.AppendUint64(nil, pos)}
	err := set(&txn, db.b, at)
	if err == nil {
		err = txn.Commit()
	}
	if err != nil {
		return fmt.Errorf("applying to the store: %w", err)
	}
	db.position.Store(pos)
	return nil
}

// set puts a change into a transaction. Where that is full it is committed and a new one takes its place.
func set(txn **badger.Txn, b *badger.DB, p Put) error {
	write := func() error {
		if p.Value == nil {
			return (*txn).Delete(p.Key)
		}
		return (*txn).Set(p.Key, p.Value)
	}
	err := write()
	if !errors.Is(err, badger.ErrTxnTooBig) {
		return err
	}
	if err := (*txn).Commit(); err != nil {
		return err
	}
	*txn = b.NewTransaction(true)
	return write()
}

// Get implements [Reader].
func (db *DB) Get(key []byte) ([]byte, error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.users.Done()
	txn := db.b.NewTransaction(false)
	defer txn.Discard()
	item, err := txn.Get(key)
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	value, err := item.ValueCopy(make([]byte, 0, item.ValueSize()))
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	return value, nil
}

// Scan implements [Reader].
func (db *DB) Scan(prefix, after []byte, reverse bool) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := db.enter(); err != nil {
			yield(Item{}, err)
			return
		}
		defer db.users.Done()
		txn := db.b.NewTransaction(false)
		defer txn.Discard()
		opts := badger.DefaultIteratorOptions
		opts.PrefetchValues = false // they lie beside the keys
		opts.Prefix, opts.Reverse = prefix, reverse
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Seek(start(prefix, after, reverse)); it.Valid(); it.Next() {
			if key := it.Item().Key(); key[0] == 0 || bytes.Equal(key, after) {
				continue
			}
			if !yieldItem(it.Item(), yield) {
				return
			}
		}
	}
}

func yieldItem(item *badger.Item, yield func(Item, error) bool) (more bool) {
	err := item.Value(func(v []byte) error {
		more = yield(Item{Key: item.Key(), Value: v}, nil)
		return nil
	})
	if err != nil {
		yield(Item{}, fmt.Errorf("reading the store: %w", err))
		return false
	}
	return more
}

// start returns where a scan begins: at the end of the prefix nearest to its first key, or at after where that is
// further.
func start(prefix, after []byte, reverse bool) []byte {
	if !reverse {
		return slices.MaxFunc([][]byte{prefix, after}, bytes.Compare)
	}
	// No key is longer than MaxKey, so this lies behind all keys with the prefix.
	last := append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, MaxKey)...)
	if after != nil && bytes.Compare(after, last) < 0 {
		return after
	}
	return last
}

// enter counts a caller in, so that Close does not unmap what the caller reads. The caller calls users.Done.
func (db *DB) enter() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	db.users.Add(1)
	return nil
}

// Close implements [Engine].
func (db *DB) Close() error {
	db.mu.Lock()
	closed := db.closed
	db.closed = true
	db.mu.Unlock()
	if closed {
		return nil
	}
	db.users.Wait()
	if err := db.b.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// badgerLog hands Badger's words to our log, one level lower than Badger thinks of them: the journal heals what it
// laments.
type badgerLog struct{ log zerolog.Logger }

func (l badgerLog) Errorf(format string, args ...any)   { l.say(zerolog.WarnLevel, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.say(zerolog.InfoLevel, format, args) }
func (l badgerLog) Infof(format string, args ...any)    { l.say(zerolog.DebugLevel, format, args) }
func (l badgerLog) Debugf(format string, args ...any)   { l.say(zerolog.TraceLevel, format, args) }

func (l badgerLog) say(level zerolog.Level, format string, args []any) {
	if e := l.log.WithLevel(level); e.Enabled() {
		e.Str("text", fmt.Sprintf(format, args...)).Msg("badger")
	}
}
