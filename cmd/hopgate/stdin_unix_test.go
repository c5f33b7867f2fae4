//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// blocking makes a file of a descriptor whose reads block, as those are that a process is started with.
func blocking(t *testing.T, fd int) *os.File {
	t.Helper()
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "stream")
	t.Cleanup(func() { f.Close() })
	return f
}

func aPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	return blocking(t, fds[0]), blocking(t, fds[1])
}

func TestPolledInputCanBeClosedAndIsLeftAsItWas(t *testing.T) {
	r, w := aPipe(t)
	in, undo := polled(r, w)
	if blocks(r) || !blocks(w) {
		t.Fatal("the input blocks, or what is written does not")
	}
	if _, err := w.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2)
	if n, err := in.Read(b); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	ended := make(chan error)
	go func() {
		_, err := in.Read(b)
		ended <- err
	}()
	undo()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("closing it does not end a read")
	}
	if !blocks(r) {
		t.Error("whoever reads it next does not wait")
	}
}

func TestPolledLeavesOtherInputsAlone(t *testing.T) {
	plain, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours := blocking(t, pair[0])
	defer syscall.Close(pair[1])
	again, err := syscall.Dup(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	nonblocking, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer nonblocking.Close()
	defer w.Close()
	cases := map[string]struct{ in, out any }{
		"no file":                         {strings.NewReader(""), nil},
		"a plain file":                    {plain, nil},
		"a socket that is written to too": {ours, blocking(t, again)},
		"one that does not block":         {nonblocking, w},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			in, _ := c.in.(io.Reader)
			before := blocks(c.in)
			got, undo := polled(in, c.out)
			defer undo()
			if got != in || blocks(c.in) != before {
				t.Error("it is changed")
			}
		})
	}
}
