// Package sandbox says what the program of an MCP server may do to the machine that it is started on: which files it may
// read and write, whether it may reach a network, how much it may use, and whether it is the program that was meant.
//
// A program is confined by a stage: this executable once more, which takes rights from itself and becomes the program.
// What the stage cannot take it does not start. Files are confined by Landlock, the network and what would lead out of
// the rest by seccomp, use by setrlimit(2).
//
// The package starts nothing itself, and knows no configuration and no protocol.
package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// stageName is the zeroth argument by which a stage knows what it is.
const stageName = "hopgate: sandbox"

// Files that a stage is started with, by number.
const (
	statusFile  = 3 // takes the reason why the program cannot be started; closed by its start
	programFile = 4 // the program, if it is pinned
)

// Rules are what a program may do. The zero value confines nothing.
type Rules struct {
	Files  *Files `json:",omitempty"` // nil: all that its user may; needs Linux 6.2
	Limits Limits
	Digest string `json:",omitempty"` // SHA-256 of the program in lower-case hex; empty: any
}

// Files are what of the file system and of the network a program may reach, beside the program itself and the files of
// the system that programs need to start and to find names: its libraries, certificates, zones, and harmless devices.
type Files struct {
	Read  []string // files and directories with all below them: read and executed
	Write []string // the same: read and changed, not executed
	Net   bool     // Internet sockets; local sockets are never allowed, since other programs of the user listen on them
}

// Limits bound a program, each of its processes by itself unless said otherwise. Zero is no limit.
type Limits struct {
	Memory    uint64        // bytes of private memory
	Files     uint64        // open files
	Processes uint64        // of the user, in all; nothing to a superuser
	CPU       time.Duration // of computing, in whole seconds
	Size      uint64        // bytes of a file that is written
}

// None reports whether nothing is confined.
func (r *Rules) None() bool { return r.Files == nil && r.Limits == Limits{} && r.Digest == "" }

// ErrDigest says that a program is not the one that was pinned.
var ErrDigest = errors.New("the program is not the one that its digest names")

// Stage is what is started in the place of a program.
type Stage struct {
	Path  string     // of the executable to start
	Args  []string   // its arguments, the zeroth included
	Files []*os.File // handed on from number 3 on; closed by Close

	status *os.File
}

// Wrap makes the stage for a program, whose path is absolute or relative to the directory that it is started in, and its
// arguments, the zeroth included. It checks the digest, and that the rules can be kept here. Whoever called it closes the
// stage.
func (r *Rules) Wrap(path string, args []string) (s *Stage, err error) {
	s = new(Stage)
	defer func() {
		if err != nil {
			s.Close()
			s = nil
		}
	}()
	if err = r.Check(); err != nil {
		return s, err
	}
	if s.Path, err = ourselves(); err != nil {
		return s, err
	}
	var theirs *os.File
	if s.status, theirs, err = os.Pipe(); err != nil {
		return s, fmt.Errorf("making a pipe: %w", err)
	}
	s.Files = append(s.Files, theirs)
	if r.Digest != "" {
		f, err := open(path, r.Digest)
		if err != nil {
			return s, err
		}
		s.Files = append(s.Files, f)
	}
	order, err := json.Marshal(order{Rules: *r, Path: path, Args: args})
	if err != nil {
		return s, fmt.Errorf("writing the rules: %w", err)
	}
	s.Args = []string{stageName, string(order)}
	return s, nil
}

// Close closes the files that were handed on.
func (s *Stage) Close() {
	for _, f := range s.Files {
		_ = f.Close() // nothing was written to it
	}
	s.Files = nil
	if s.status != nil {
		_ = s.status.Close() // it was read
	}
}

// maxStatus bounds what a stage says.
const maxStatus = 4 << 10

// Wait waits until the stage has become the program, and returns what hindered it. To be called once, after the start and
// after Files were closed.
func (s *Stage) Wait() error {
	for _, f := range s.Files {
		_ = f.Close() // the stage has its own
	}
	s.Files = nil
	said, err := io.ReadAll(io.LimitReader(s.status, maxStatus))
	if err == nil && len(said) > 0 {
		err = errors.New(string(said))
	}
	if err != nil {
		return fmt.Errorf("confining the program: %w", err)
	}
	return nil
}

// open opens a program and checks what it is.
func open(path, digest string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the program: %w", err)
	}
	is, err := Digest(f)
	if err == nil && is != digest {
		err = ErrDigest
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	return f, nil
}

// Digest returns the SHA-256 of a program in hexadecimal, as [Rules] has it.
func Digest(program io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, program); err != nil {
		return "", fmt.Errorf("reading the program: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// order is what a stage is told.
type order struct {
	Rules
	Path string
	Args []string
}

// Enter becomes the program where this process was started as a stage. It then returns only where that failed; who waits
// for the program knows the reason already, and all that is left to do is to end. Where this process is no stage it
// returns nil. It is to be called first in main.
func Enter() error {
	if len(os.Args) != 2 || os.Args[0] != stageName {
		return nil
	}
	status := os.NewFile(statusFile, "status")
	var o order
	err := json.Unmarshal([]byte(os.Args[1]), &o)
	if err == nil {
		err = o.become()
	}
	_, _ = io.Copy(status, bytes.NewReader([]byte(err.Error()))) // who would read it has gone, or reads it
	return err
}
