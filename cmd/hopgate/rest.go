package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	restEvery = 15 * time.Second // how often memory is looked at
	restBusy  = 1 << 20          // bytes allocated between two looks that mean that work is going on
	restWorth = 16 << 20         // bytes that nobody uses, from which on it pays to give them back
)

// memory is what the process has of it, in bytes.
type memory struct {
	allocated uint64 // in all, ever
	resident  uint64 // what the runtime has from the system, in use or not
}

// readMemory asks the runtime.
func readMemory() memory {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return memory{allocated: s[0].Value.Uint64(), resident: s[1].Value.Uint64() - s[2].Value.Uint64()}
}

// rest gives memory back to the system once load has passed. A process at rest allocates nothing, so the runtime does not
// collect either, and what compactions of the store took would stay resident for minutes.
type rest struct {
	before memory
	floor  uint64 // resident after the last time
}

// look gives memory back if little was allocated since the last look and there is enough that pays.
func (r *rest) look(now memory, giveBack func()) {
	quiet := now.allocated-r.before.allocated < restBusy
	r.before = now
	if !quiet || now.resident < r.floor+restWorth {
		return
	}
	giveBack()
	r.before = readMemory()
	r.floor = r.before.resident
}

// relax gives memory back in quiet moments, until the context ends.
func relax(ctx context.Context) {
	t := time.NewTicker(restEvery)
	defer t.Stop()
	var r rest
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.look(readMemory(), giveBack)
		}
	}
}

// giveBack gives back what is not in use.
func giveBack() {
	debug.FreeOSMemory()
	leaveProgram()
}
