package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// ErrOccupied says that a directory to be filled holds something already.
var ErrOccupied = errors.New("the directory is not empty")

// Backup copies the journal of a state directory, keys included, to another directory, which it makes where it is missing
// and which else must be empty. It may run while a process writes, and copies all that was durable when it began. The
// copy is verified, and an end that was being written is cut off. State is part of the journal, so nothing else is
// needed to have it again.
func Backup(ctx context.Context, dir, to string) (Verification, error) {
	v, err := transfer(ctx, dir, to, false)
	if err != nil {
		return v, fmt.Errorf("backing up the journal: %w", err)
	}
	return v, nil
}

// Restore puts a journal that Backup has copied into a state directory that is empty but for its lock, which the caller
// holds. Whatever the anchor says, the next [Open] finds a rollback: nobody knows what was done since the backup.
func Restore(ctx context.Context, from, dir string) (Verification, error) {
	v, err := transfer(ctx, from, dir, true)
	if err != nil {
		return v, fmt.Errorf("restoring the journal: %w", err)
	}
	return v, nil
}

// transfer copies a journal and verifies the copy, before that gets its name.
func transfer(ctx context.Context, from, to string, restored bool) (v Verification, err error) {
	from = filepath.Join(from, folderName)
	if _, _, err := readPublicKey(from); err != nil {
		return v, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return v, err
	}
	names, err := os.ReadDir(to)
	if err != nil {
		return v, err
	}
	if slices.ContainsFunc(names, func(e fs.DirEntry) bool { return !restored || e.Name() != "lock" }) {
		return v, ErrOccupied
	}
	young := filepath.Join(to, folderName+temporary)
	if err = copyJournal(ctx, from, young); err == nil {
		v, err = trim(ctx, young)
	}
	if err == nil && restored {
		err = publish(disk{}, filepath.Join(young, restoredName), func(io.Writer) error { return nil })
	}
	if err == nil {
		err = disk{}.SyncDir(young)
	}
	if err != nil {
		return v, errors.Join(err, os.RemoveAll(young))
	}
	if err := os.Rename(young, filepath.Join(to, folderName)); err != nil {
		return v, err
	}
	return v, disk{}.SyncDir(to)
}

// copyJournal copies the files of a journal. Where a segment was pruned before its turn came, it begins again.
func copyJournal(ctx context.Context, from, to string) error {
	for {
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		// The checkpoints come before the segments: what they cover is durable, so the segments hold it.
		for _, name := range []string{publicKeyName, signingKeyName, commitmentKeyName, checkpointsName} {
			if err := copyFile(ctx, from, to, name); err != nil {
				return err
			}
		}
		if err := copySegments(ctx, from, to); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// copySegments copies all segments, those too that are begun meanwhile.
func copySegments(ctx context.Context, from, to string) error {
	for copied, known := 0, []segment(nil); ; {
		segs, err := listSegments(from)
		if err != nil {
			return err
		}
		if len(segs) == 0 {
			return &Damage{Segment: segment{}.name(), What: "there are no segments"}
		}
		if len(known) > 0 && segs[len(segs)-1] == known[len(known)-1] {
			return nil
		}
		if len(known) > 0 { // the one that was the last may have grown since
			last := slices.Index(segs, known[len(known)-1])
			if last < 0 {
				return fs.ErrNotExist
			}
			copied = last
		}
		for i := copied; i < len(segs); i++ {
			if err := copySegment(ctx, from, to, segs[:i+1], i == len(segs)-1); err != nil {
				return err
			}
		}
		known = segs
	}
}

// copySegment copies the last of segments. Of one that is being written it copies the sound frames.
func copySegment(ctx context.Context, from, to string, segs []segment, writing bool) error {
	size := int64(math.MaxInt64)
	if writing {
		var err error
		if size, err = soundSize(from, segs); err != nil {
			return err
		}
	}
	return copyPart(ctx, from, to, segs[len(segs)-1].name(), size)
}

// soundSize returns where the sound frames of the last segment end. What lies behind may be changed while it is copied, in
// any order.
func soundSize(dir string, segs []segment) (int64, error) {
	c, err := newCursor(dir, slices.Clone(segs), len(segs)-1)
	if err != nil {
		return 0, err
	}
	defer c.close()
	for {
		err := c.next()
		var torn *Torn
		switch {
		case errors.Is(err, io.EOF), errors.As(err, &torn):
			return c.off, nil
		case err != nil:
			return 0, err
		}
	}
}

func copyFile(ctx context.Context, from, to, name string) error {
	return copyPart(ctx, from, to, name, math.MaxInt64)
}

// copyPart copies so many bytes of a file, or all where it has fewer.
func copyPart(ctx context.Context, from, to, name string, size int64) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	in, err := os.Open(filepath.Join(from, name))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // read only
	out, err := disk{}.Create(filepath.Join(to, name))
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, io.LimitReader(in, size)); err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// trim verifies a copy and cuts off what is torn.
func trim(ctx context.Context, dir string) (Verification, error) {
	for {
		v, err := Verify(ctx, dir, "")
		switch {
		case err != nil:
			return v, err
		case v.Damage != nil:
			return v, v.Damage
		case v.Torn == nil:
			return v, nil
		}
		if err := os.Truncate(filepath.Join(dir, v.Torn.Segment), v.Torn.Offset); err != nil {
			return v, err
		}
	}
}
