package e2e

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// stream is a request and what comes for it: events, or one document.
type stream struct {
	t      testing.TB
	head   chan int // the status
	events chan event
	close  context.CancelFunc
}

// event is one event with a message.
type event struct{ id, data string }

// open sends a request and does not wait for what comes.
func (a *agent) open(method, body string, edit func(*http.Request)) *stream {
	a.t.Helper()
	ctx, cancel := context.WithCancel(a.t.Context())
	r, err := http.NewRequestWithContext(ctx, method, a.url, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if r.Header = a.header.Clone(); method == http.MethodGet {
		r.Header.Set("Accept", "text/event-stream")
		r.Header.Del("Content-Type")
	}
	if edit != nil {
		edit(r)
	}
	s := &stream{t: a.t, head: make(chan int, 1), events: make(chan event, 100), close: cancel}
	a.t.Cleanup(cancel)
	go s.read(r)
	return s
}

func (s *stream) read(r *http.Request) {
	defer close(s.events)
	defer close(s.head)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	s.head <- resp.StatusCode
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		raw, _ := io.ReadAll(resp.Body)
		s.events <- event{data: string(raw)}
		return
	}
	lines := bufio.NewReader(resp.Body)
	var e event
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			e.id = strings.TrimSpace(id)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			e.data = strings.TrimSpace(data)
		}
		if line == "\n" && e.data != "" {
			s.events <- e
			e = event{}
		}
	}
}

// status waits for the head of the answer. It can be asked for once.
func (s *stream) status() int {
	s.t.Helper()
	select {
	case code := <-s.head:
		return code
	case <-soon(s.t):
		s.t.Fatal("no answer comes")
		return 0
	}
}

// next returns the next message.
func (s *stream) next() string {
	s.t.Helper()
	return s.event().data
}

func (s *stream) event() event {
	s.t.Helper()
	select {
	case e, ok := <-s.events:
		if !ok {
			s.t.Fatal("the stream has ended")
		}
		return e
	case <-soon(s.t):
		s.t.Fatal("nothing comes")
	}
	return event{}
}

// ended waits for the end of the stream, which has nothing more to tell.
func (s *stream) ended() {
	s.t.Helper()
	select {
	case e, ok := <-s.events:
		if ok {
			s.t.Errorf("got %s, want the end of the stream", e.data)
		}
	case <-soon(s.t):
		s.t.Error("the stream stays open")
	}
}

// closes waits for the end of the stream, whatever comes before.
func (s *stream) closes() {
	s.t.Helper()
	deadline := soon(s.t)
	for {
		select {
		case _, ok := <-s.events:
			if !ok {
				return
			}
		case <-deadline:
			s.t.Error("the stream stays open")
			return
		}
	}
}
