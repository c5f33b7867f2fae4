package store

import "testing"

// FuzzCheckTable holds the reader of Badger's tables to never panicking on what passes for one.
func FuzzCheckTable(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 0x10, 0xc7, 0xe1, 0xbd, 0xfe, 0x0f, 0, 0, 0, 6})
	f.Fuzz(func(_ *testing.T, b []byte) { _ = checkTable(b) })
}
