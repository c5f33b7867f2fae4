package ingress

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Lasting are the connections of one listener that outlast a request: event streams and WebSockets. Handlers of the same
// listener share them, because a connection outlives the configuration that it began under. The methods are safe for
// concurrent use.
type Lasting struct {
	leaving chan struct{} // closed when nothing more is begun

	mu      sync.Mutex // guards what follows
	open    map[*lasting]struct{}
	streams map[string]*stream // of SSE, by session
	left    bool
	work    sync.WaitGroup
}

// lasting is one of the connections.
type lasting struct {
	transport string
	end       context.CancelFunc
}

// NewLasting returns a listener's connections: none so far.
func NewLasting() *Lasting {
	return &Lasting{leaving: make(chan struct{}), open: map[*lasting]struct{}{}, streams: map[string]*stream{}}
}

// enter takes a connection on, which end breaks off. It reports false where none is taken on any more. Whoever enters
// exits.
func (l *Lasting) enter(transport string, end context.CancelFunc) (exit func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left {
		return nil, false
	}
	c := &lasting{transport, end}
	l.open[c] = struct{}{}
	l.work.Add(1)
	return func() {
		l.mu.Lock()
		delete(l.open, c)
		l.mu.Unlock()
		l.work.Done()
	}, true
}

// Leave asks all connections to end: they take no more messages, and end when the running calls have their answers. It
// waits for that; the end of ctx breaks off the rest. Streams that carry no call end at once.
func (l *Lasting) Leave(ctx context.Context) {
	l.mu.Lock()
	if !l.left {
		l.left = true
		close(l.leaving)
	}
	l.mu.Unlock()
	l.cut(OverHTTP) // streams of GET
	done := make(chan struct{})
	go func() {
		l.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	l.cut("")
	<-done
}

// Cut breaks off the connections of one transport: the configuration does not serve it any more.
func (l *Lasting) Cut(transport string) { l.cut(transport) }

func (l *Lasting) cut(transport string) {
	l.mu.Lock()
	all := slices.Collect(maps.Keys(l.open))
	l.mu.Unlock()
	for _, c := range all {
		if transport == "" || c.transport == transport {
			c.end()
		}
	}
}

func (l *Lasting) add(session string, s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams[session] = s
}

func (l *Lasting) remove(session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, session)
}

func (l *Lasting) stream(session string) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams[session]
}
