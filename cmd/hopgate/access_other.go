//go:build !unix

package main

import "os"

// mayWrite reports why this user cannot change a file. Nothing is started or served here, so that it is there has to do.
func mayWrite(path string) error {
	_, err := os.Stat(path)
	return err
}
