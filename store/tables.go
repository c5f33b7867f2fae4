package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/table"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkTables verifies every table that Badger will open. Badger does so too, but from goroutines of its own, where a
// damaged table ends the process instead of the call (a nil dereference in Table.VerifyChecksum and log.Fatal in
// Table.initIndex, 4.9.6), and no restart would ever come past it.
func checkTables(dir string, opts badger.Options) error {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the manifest: %w", err)
	}
	manifest, _, err := badger.ReplayManifestFile(f, opts.ExternalMagicVersion, opts)
	_ = f.Close() // read only
	if err != nil {
		return fmt.Errorf("reading the manifest: %w", err)
	}
	var buf bytes.Buffer // of one table after another
	for id := range manifest.Tables {
		name := table.NewFilename(id, dir)
		err := readTable(&buf, name)
		if err == nil {
			err = checkTable(buf.Bytes())
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// readTable reads a file in place of what the buffer holds.
func readTable(buf *bytes.Buffer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	buf.Reset()
	buf.Grow(int(info.Size()) + bytes.MinRead) // so that it is read in one go
	_, err = buf.ReadFrom(f)
	return err
}

// checkTable verifies one table: blocks, index, length of the index, checksum of the index, length of that checksum.
func checkTable(b []byte) (err error) {
	defer func() {
		if recover() != nil { // flatbuffers reads without bounds of its own
			err = errors.New("the index is malformed")
		}
	}()
	body, sum, err := cutSum(b)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	index, err := cutLast(body)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	if crc32.Checksum(index, castagnoli) != sum {
		return errors.New("the index does not match its checksum")
	}
	root := fb.GetRootAsTableIndex(index, 0)
	for i := range root.OffsetsLength() {
		var at fb.BlockOffset
		lo, hi := 0, -1
		if root.Offsets(&at, i) {
			lo, hi = int(at.Offset()), int(at.Offset())+int(at.Len())
		}
		if hi < lo || hi > len(b) {
			return fmt.Errorf("block %d lies outside the table", i)
		}
		block, sum, err := cutSum(b[lo:hi])
		if err != nil {
			return fmt.Errorf("block %d: %w", i, err)
		}
		if crc32.Checksum(block, castagnoli) != sum {
			return fmt.Errorf("block %d does not match its checksum", i)
		}
	}
	return nil
}

// cutSum splits off the checksum at the end of b: a protobuf message with field 2, a varint (Badger's pb.Checksum,
// whose field 1 is absent for CRC-32C), and the length of that message.
func cutSum(b []byte) (body []byte, sum uint32, err error) {
	message, err := cutLast(b)
	if err != nil {
		return nil, 0, err
	}
	body = b[:len(b)-4-len(message)]
	if len(message) == 0 { // a sum of zero
		return body, 0, nil
	}
	v, n := binary.Uvarint(message[1:])
	if message[0] != 2<<3 || n != len(message)-1 || v > 1<<32-1 {
		return nil, 0, errors.New("the checksum is malformed")
	}
	return body, uint32(v), nil
}

// cutLast returns the bytes before the length that ends b.
func cutLast(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errors.New("too short")
	}
	b, length := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if uint64(length) > uint64(len(b)) {
		return nil, errors.New("a length leads outside")
	}
	return b[len(b)-int(length):], nil
}
