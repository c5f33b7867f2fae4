package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrLocked says that another process owns the state directory. The error that wraps it names the process where it is
// known.
var ErrLocked = errors.New("the state directory is in use")

const lockName = "lock"

// Owner is the claim of this process to a state directory.
type Owner struct {
	f   *os.File
	dir *os.File // nil where it cannot be locked
}

// Lock claims a state directory for this process, and makes it where it is missing. The claim ends with Close or with
// the process; child processes do not inherit it. A directory that others may write to is refused, because they could
// put their own files in place of ours.
//
// The directory is locked beside the lock file: somebody who takes that for stale and removes it makes no second owner.
func Lock(dir string) (*Owner, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the state directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("looking at the state directory: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return nil, fmt.Errorf("state directory %s has mode %04o: others may write to it; run chmod 700 on it", dir, perm)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file: %w", err)
	}
	if err := flock(f, true); err != nil {
		defer func() { _ = f.Close() }() // nothing was written
		if errors.Is(err, ErrLocked) {
			return nil, lockedBy(f)
		}
		return nil, fmt.Errorf("locking the state directory: %w", err)
	}
	folder, err := lockFolder(dir)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := errors.Join(f.Truncate(0), writeAll(f, pid)); err != nil {
		return nil, fmt.Errorf("writing the lock file: %w", errors.Join(err, (&Owner{f, folder}).Close()))
	}
	return &Owner{f, folder}, nil
}

// lockFolder returns nothing where the file system locks no directories, as NFS does not; the lock file has to do there.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the state directory: %w", err)
	}
	switch err := flock(f, true); {
	case errors.Is(err, ErrLocked):
		return nil, errors.Join(err, f.Close())
	case err != nil:
		return nil, f.Close()
	}
	return f, nil
}

// Close gives the claim up. The lock file stays: removing it would let two processes lock two files of one name.
func (o *Owner) Close() error {
	var err error
	if o.dir != nil {
		err = o.dir.Close()
	}
	if err = errors.Join(err, o.f.Close()); err != nil {
		return fmt.Errorf("unlocking the state directory: %w", err)
	}
	return nil
}

// Held reports whether a process, this one included, owns a state directory. It claims nothing for longer than the
// question takes, and answers false where it cannot tell.
func Held(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	return errors.Is(flock(f, false), ErrLocked)
}

func writeAll(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// lockedBy reads who wrote the lock file. The number is a hint: it may be gone, and another process may bear it.
func lockedBy(f *os.File) error {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || convErr != nil {
		return ErrLocked
	}
	return fmt.Errorf("%w by process %d", ErrLocked, pid)
}
