//go:build unix

package main

import "syscall"

// detached lets a process live on when the terminal or the session of its parent ends.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
