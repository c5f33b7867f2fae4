//go:build !unix

package main

import "syscall"

// detached has nothing to detach from.
func detached() *syscall.SysProcAttr { return nil }
