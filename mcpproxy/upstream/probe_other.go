//go:build !unix

package upstream

// silent cannot tell here. A call on a connection that the server has closed has an unknown outcome then.
func silent(uintptr) bool { return true }

// push leaves it to the write that may wait.
func push(uintptr, []byte) int { return 0 }

// waits says that [readable] cannot tell here.
const waits = false

// readable cannot tell here, so that the read itself waits.
func readable(uintptr) bool { return true }
