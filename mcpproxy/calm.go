package mcpproxy

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// calmTime is how often a server may tell one client that a list has changed. Each telling makes clients list anew, so a
// storm of them would multiply.
const calmTime = time.Second

// calm merges the news of a changed list: the first goes on at once, and what follows within calmTime goes on as one when
// that has passed. The zero calm is ready.
type calm struct {
	mu   sync.Mutex        // guards busy
	busy map[string][]byte // by method, while its time runs: the newest message that waits, or nil
}

// hold reports whether a message has to wait, and keeps it then. Where it need not, the caller starts the time with rest.
func (k *calm) hold(method string, raw []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, busy := k.busy[method]
	if k.busy == nil {
		k.busy = map[string][]byte{}
	}
	if busy {
		raw = bytes.Clone(raw)
	} else {
		raw = nil
	}
	k.busy[method] = raw
	return busy
}

// rest returns what waits when the time has passed, and lets it run again; where nothing waits, the time is over.
func (k *calm) rest(method string) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	raw := k.busy[method]
	if raw == nil {
		delete(k.busy, method)
	} else {
		k.busy[method] = nil
	}
	return raw
}

// tellsOfChange reports whether a notification says that a list has changed.
func tellsOfChange(method string) bool {
	for i := range lists {
		if lists[i].method == method {
			return true
		}
	}
	return false
}

// calmed reports whether a message of the upstream waits for others of its kind. ctx is the life of whom it is for.
func (in *inbound) calmed(ctx context.Context, f *wire.Frame) bool {
	if in.calm == nil || f.Kind != wire.KindNotification {
		return false
	}
	method := methodName(f)
	if !tellsOfChange(method) {
		return false // nor what only looks like one: a server could make up any number of names
	}
	if in.calm.hold(method, f.Raw) {
		return true
	}
	later := *in
	if later.token = nil; in.session != nil && !in.modern {
		later.reply = in.session.streams.general // the stream that it would have gone on may be over by then
	}
	in.p.spawn(func() { later.trail(ctx, method) })
	return false
}

// trail hands on what has waited, as often as something has.
func (in *inbound) trail(ctx context.Context, method string) {
	tick := time.NewTicker(calmTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		raw := in.calm.rest(method)
		if raw == nil {
			return
		}
		if in.session != nil {
			in.speakFor(in.peer)
		}
		var f wire.Frame
		if err := wire.Parse(&f, raw, wire.FromUpstream, &wire.DefaultLimits); err == nil { // it was parsed before
			in.take(ctx, &f)
		}
	}
}
