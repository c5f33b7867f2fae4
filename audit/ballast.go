package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	// Ballast is the name of the ballast in a state directory.
	Ballast = "ballast"
	// ballastRoom is how many times the reserve must be free, apart from the ballast, for the ballast to be made.
	ballastRoom = 2
)

// Recover removes the ballast of a state directory, so that there is space again where the disk is full, and returns how
// many bytes that were, 0 where there was none. It may be called while a process writes. The ballast is made anew at a
// start that finds room.
func Recover(dir string) (freed int64, err error) {
	for _, name := range []string{Ballast, Ballast + temporary} { // a crash may have left it half made
		name = filepath.Join(dir, name)
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			return freed, fmt.Errorf("releasing the ballast: %w", err)
		}
		freed += info.Size()
	}
	return freed, nil
}

// ballast makes the ballast where it is configured, missing, and there is room. A start does not fail for it.
func (c *Config) ballast() {
	name := filepath.Join(c.Dir, Ballast)
	if _, err := os.Lstat(name); !c.Ballast || !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if free, err := c.Files.Free(c.Dir); err != nil || free < (ballastRoom+1)*c.Reserve {
		return
	}
	if err := load(name, int64(c.Reserve)); err != nil { // far below 2^63
		c.Log.Warn().Err(err).Msg("there is no ballast to release when the disk is full")
	}
}

// load makes a file that takes up space.
func load(name string, size int64) error {
	f, err := os.OpenFile(name+temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = allocate(f, size); errors.Is(err, errors.ErrUnsupported) {
		err = fill(f, size)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(name+temporary, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(name+temporary))
	}
	return nil
}

// fill writes bytes that no file system can store in fewer.
func fill(f *os.File, size int64) error {
	noise, b := rand.NewChaCha8([32]byte{}), make([]byte, 256<<10)
	for size > 0 {
		b = b[:min(int64(len(b)), size)]
		_, _ = noise.Read(b) // it returns no error
		if _, err := f.Write(b); err != nil {
			return err
		}
		size -= int64(len(b))
	}
	return nil
}
