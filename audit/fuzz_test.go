package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/store"
)

// small returns a closed journal of one segment, signed to its end.
func small(tb testing.TB) *place {
	tb.Helper()
	p := newPlace(tb)
	j := p.open(tb)
	busy(tb, j, 4)
	mustClose(tb, j)
	return p
}

// FuzzVerifySegment holds Verify to finding whatever a segment has become.
func FuzzVerifySegment(f *testing.F) {
	p := small(f)
	name := p.segments(f)[0]
	whole := read(f, name)
	want := p.verify(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(bytes.Clone(whole), 0))
	f.Add([]byte("HOPGATEJ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		write(t, name, b)
		v, err := audit.Verify(t.Context(), p.dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if sound := v.Damage == nil && v.Torn == nil; sound && v.Unsigned() == 0 && (v.Root != want.Root || v.Chain != want.Chain) {
			t.Errorf("%d bytes that are not the journal pass for it", len(b))
		}
	})
}

// FuzzVerifyCheckpoints holds the reader of checkpoints to believing only what was signed.
func FuzzVerifyCheckpoints(f *testing.F) {
	p := small(f)
	whole := read(f, p.file("checkpoints"))
	f.Add(whole)
	f.Add(bytes.Repeat(whole, 2))
	f.Add([]byte("\n\n\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		write(t, p.file("checkpoints"), b)
		v, err := audit.Verify(t.Context(), p.dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if v.Damage == nil && v.Checkpoints > 0 && !bytes.HasPrefix(b, whole) {
			t.Errorf("%d checkpoints are believed in %q", v.Checkpoints, b)
		}
	})
}

// FuzzOpenHostileFrame opens a journal in which somebody who may write has put a frame of their own, well chained. It is
// refused or it is harmless.
func FuzzOpenHostileFrame(f *testing.F) {
	p := newPlace(f)
	mustClose(f, p.open(f))
	whole := read(f, p.segments(f)[0])
	f.Add([]byte("\x00\x00\x00\x02\x00{}"), uint32(1))
	f.Add([]byte("\x00\x00\x00\x38\x00"+`{"kind":"x","seq":0,"time":"2026-01-01T00:00:00.000000Z"}`), uint32(1))
	f.Add([]byte("\x00\x00\x00\x04\x01\x00\x01kv"), uint32(0))
	f.Add([]byte("\x00\x00\x00\x01\x02k"), uint32(0))
	f.Add([]byte("\x00\x00\x00\x02\x01\x00\x09"), uint32(0))
	f.Add([]byte("\xff\xff\xff\xff\x00"), uint32(1))
	f.Fuzz(func(t *testing.T, payload []byte, records uint32) {
		b := append(bytes.Clone(whole), "HgF\x01"...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
		b = binary.BigEndian.AppendUint64(b, 0)
		b = binary.BigEndian.AppendUint32(b, records)
		b = append(b, payload...)
		chain := sha256.Sum256(append(bytes.Clone(whole[len(whole)-32:]), b[len(whole):]...))
		dir := filepath.Join(p.dir, "copy", "journal")
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(filepath.Join(p.dir, "journal")))); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "00000000000000000000.seg"), append(b, chain[:]...))
		p.store = new(store.Memory)
		config := p.config
		config.Dir = filepath.Join(p.dir, "copy")
		j, err := audit.Open(t.Context(), config)
		if err != nil {
			return
		}
		all(t, j)
		mustClose(t, j)
		if v, err := audit.Verify(t.Context(), config.Dir, ""); err != nil || v.Damage != nil || v.Torn != nil {
			t.Errorf("opened, and then: %v, %v, %v", err, v.Damage, v.Torn)
		}
	})
}
