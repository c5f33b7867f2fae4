package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// leaveProgram lets go of the pages of the program's own file that are mapped: what starting took is not needed at rest,
// and what is needed comes back from the page cache. Only mappings are left that nothing was written to, so nothing can
// be lost.
func leaveProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // it saves memory, and does nothing else
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // it was only read
	var from, to uintptr
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "Anonymous:") {
			if to > 0 && strings.HasSuffix(line, " 0 kB") {
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED) // as above
			}
			to = 0
			continue
		}
		var first, behind uintptr
		var rights string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &first, &behind, &rights); n != 3 {
			continue // not the head of a mapping
		}
		from, to = first, behind
		if strings.Contains(rights, "w") || !strings.HasSuffix(line, " "+program) {
			to = 0
		}
	}
}
