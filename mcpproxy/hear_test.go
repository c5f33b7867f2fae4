package mcpproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// feeder is a server of 2024-11-05 that greets, says what a test wants, and hangs up.
type feeder struct {
	mu      sync.Mutex
	down    bool
	flaps   bool // it hangs up as soon as it is greeted
	opened  int  // streams, and tries to open one
	greeted int
	say     chan string // to the stream that is open
	hangUp  chan struct{}
}

func (f *feeder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		raw, _ := io.ReadAll(r.Body)
		var m wire.Frame
		if wire.Parse(&m, raw, wire.FromAgent, &wire.DefaultLimits) != nil {
			return
		}
		w.WriteHeader(http.StatusAccepted)
		f.mu.Lock()
		defer f.mu.Unlock()
		switch m.String(wire.Method) {
		case "initialize":
			f.say <- fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{}},"serverInfo":{"name":"s","version":"1"}}}`, m.Get(wire.ID))
		case "notifications/initialized":
			if f.greeted++; f.flaps {
				close(f.hangUp)
			}
		}
		return
	}
	f.mu.Lock()
	f.opened++
	say, hangUp := make(chan string, 10), make(chan struct{})
	f.say, f.hangUp = say, hangUp
	down := f.down
	f.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, "event: endpoint\ndata: /post\n\n")
	for {
		_ = http.NewResponseController(w).Flush()
		select {
		case text := <-say:
			io.WriteString(w, "data: "+text+"\n\n")
		case <-hangUp:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// breaks changes the server and hangs up.
func (f *feeder) breaks(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.hangUp)
}

// counts returns how many streams were asked for and how many conversations begun.
func (f *feeder) counts() (opened, greeted int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened, f.greeted
}

// heard reads a stream as it comes.
func heard(r *response) <-chan string {
	all := make(chan string, 100)
	go func() {
		defer close(all)
		for m, ok := r.next(); ok; m, ok = r.next() {
			all <- m.data
		}
	}()
	return all
}

// withFeeder runs a test with a session of alice at a server of 2024-11-05.
func withFeeder(t *testing.T, test func(w *world, f *feeder, c *client)) {
	t.Helper()
	bubble(t, func(w *world) {
		f, net := new(feeder), newPipes()
		back := &http.Server{Handler: f}
		defer back.Close()
		go back.Serve(net)
		w.servers["other"] = w.upstream(upstream.Config{Name: "other", URL: "http://other.test/sse", SSE: true, Dial: net.dial})
		w.proxy.SetPolicy(w.policy("r2", nil))
		c := w.agent("alice")
		c.upstream = "other"
		c.initialize("2025-11-25")
		synctest.Wait()
		test(w, f, c)
	})
}

// TestAStreamThatBrokeOffComesBack without a call, once its server can be reached, and is greeted as before.
func TestAStreamThatBrokeOffComesBack(t *testing.T) {
	withFeeder(t, func(w *world, f *feeder, c *client) {
		get := heard(c.listen(""))
		synctest.Wait()
		for i := range 3 {
			f.breaks(func() {})
			time.Sleep(2 * time.Second)
			synctest.Wait()
			f.say <- note(fmt.Sprint(i))
			if got := <-get; got != note(fmt.Sprint(i)) {
				w.t.Errorf("got %s", got)
			}
			if opened, greeted := f.counts(); opened != i+2 || greeted != i+2 {
				w.t.Errorf("%d streams, %d conversations; want %d", opened, greeted, i+2)
			}
			time.Sleep(3 * time.Minute)
		}
		f.breaks(func() { f.down = true })
		time.Sleep(time.Hour)
		if opened, _ := f.counts(); opened < 60 || opened > 140 {
			w.t.Errorf("%d tries in an hour", opened)
		}
		f.mu.Lock()
		f.down = false
		f.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		f.say <- note("back")
		if got := <-get; got != note("back") {
			w.t.Errorf("got %s", got)
		}
	})
}

// TestAServerThatHangsUpAtOnceIsNotRunAfter however often it lets itself be greeted.
func TestAServerThatHangsUpAtOnceIsNotRunAfter(t *testing.T) {
	withFeeder(t, func(w *world, f *feeder, c *client) {
		heard(c.listen(""))
		synctest.Wait()
		f.breaks(func() { f.flaps = true })
		time.Sleep(time.Hour)
		if opened, greeted := f.counts(); greeted < 60 || opened > 140 {
			w.t.Errorf("%d streams and %d conversations in an hour", opened, greeted)
		}
	})
}

// TestAStreamThatNobodyListensToIsNotOpenedAgain by itself: who does not listen misses nothing.
func TestAStreamThatNobodyListensToIsNotOpenedAgain(t *testing.T) {
	cases := map[string]func(w *world, c *client){
		"nobody has listened": func(*world, *client) {},
		"the session has ended": func(w *world, c *client) {
			c.listen("")
			synctest.Wait()
			c.must(http.MethodDelete, "")
		},
		"the key was revoked": func(w *world, c *client) {
			c.listen("")
			synctest.Wait()
			w.revoke("alice-key")
		},
		"the client is gone": func(_ *world, c *client) {
			get := c.listen("")
			synctest.Wait()
			get.body.Close()
		},
	}
	for name, leave := range cases {
		t.Run(name, func(t *testing.T) {
			withFeeder(t, func(w *world, f *feeder, c *client) {
				leave(w, c)
				synctest.Wait()
				before, _ := f.counts()
				f.breaks(func() {})
				time.Sleep(10 * time.Minute)
				if opened, _ := f.counts(); opened != before {
					w.t.Errorf("%d streams were opened", opened-before)
				}
			})
		})
	}
}
