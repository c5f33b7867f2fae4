package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Files is the file system under the journal, as far as it writes. Tests put faults in. Names are full paths.
type Files interface { //nolint:interfacebloat // what the journal does with files, and no more
	// Create makes a file with mode 0600, empty, in place of any of the same name.
	Create(name string) (File, error)
	// Append opens a file; what is written goes to its end.
	Append(name string) (File, error)
	// Open opens a file to write at any place of it.
	Open(name string) (File, error)
	// Rename gives a file a name, in place of any file that has it.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(dir string) error
	// Free returns how many bytes this process may still write to the file system of a directory.
	Free(dir string) (uint64, error)
	// Spare opens a directory so many times at once, and returns why it cannot. Nothing stays open.
	Spare(dir string, n int) error
}

// File is an open file of [Files].
type File interface {
	io.WriteCloser
	io.WriterAt // for files of Open
	// Sync makes what was written durable.
	Sync() error
	// SyncData does so too, and need not keep more of the file's metadata than it takes to read it: where the file has
	// not grown, that is none.
	SyncData() error
	// Truncate cuts the file.
	Truncate(size int64) error
	// Linked returns an error where the name under which the file was opened does not lead to it.
	Linked() error
}

// disk is the Files of the operating system. File.Sync is fsync on Linux and F_FULLFSYNC on macOS; SyncData is fdatasync
// on Linux and Sync elsewhere.
type disk struct{}

type diskFile struct{ *os.File }

func (disk) Create(name string) (File, error) { return open(name, os.O_CREATE|os.O_TRUNC) }
func (disk) Append(name string) (File, error) { return open(name, os.O_APPEND) }
func (disk) Open(name string) (File, error)   { return open(name, 0) }

// errUnlinked says that a file is not where it was.
var errUnlinked = errors.New("the file was moved, replaced or removed")

// Linked returns an error where the file's name does not lead to it.
func (f diskFile) Linked() error {
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(f.Name())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errUnlinked
	case err != nil:
		return err
	case !os.SameFile(ours, there):
		return errUnlinked
	}
	return nil
}

func open(name string, how int) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|how, 0o600)
	if err != nil {
		return nil, err // not a nil file in a File
	}
	return diskFile{f}, nil
}

func (disk) Rename(from, to string) error    { return os.Rename(from, to) }
func (disk) Remove(name string) error        { return os.Remove(name) }
func (disk) Free(dir string) (uint64, error) { return free(dir) }
func (disk) Spare(dir string, n int) error   { return spare(dir, n) }

func (disk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// temporary ends the names of files that are not complete yet.
const temporary = ".tmp"

// publish writes a file so that its name never stands for part of it, not even after a power failure.
func publish(files Files, name string, write func(io.Writer) error) error {
	f, err := files.Create(name + temporary)
	if err != nil {
		return fmt.Errorf("creating %s: %w", filepath.Base(name), err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = files.Rename(name+temporary, name)
	}
	if err == nil {
		err = files.SyncDir(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(name), err)
	}
	return nil
}

// removeTemporary removes what an earlier process did not complete.
func removeTemporary(files Files, dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+temporary))
	if err != nil {
		return fmt.Errorf("listing the journal: %w", err)
	}
	for _, name := range names {
		if err := files.Remove(name); err != nil {
			return fmt.Errorf("removing a file that was never completed: %w", err)
		}
	}
	return nil
}
