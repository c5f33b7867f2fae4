//go:build unix

package main

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// mayWrite reports why this user cannot change a file, or make files in a folder.
func mayWrite(path string) error {
	if err := unix.Access(path, unix.W_OK); err != nil {
		return &fs.PathError{Op: "access", Path: path, Err: err}
	}
	return nil
}
