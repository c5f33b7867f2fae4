//go:build unix

package main

import (
	"math"
	"syscall"
)

// descriptors is how many the process may have. The runtime has raised what may be raised.
func descriptors() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return fewDescriptors // nobody is to be let in by what is not known
	}
	return int(min(uint64(l.Cur), math.MaxInt32)) //nolint:unconvert // its type differs between systems
}

// fewDescriptors is what most systems give every process.
const fewDescriptors = 256
