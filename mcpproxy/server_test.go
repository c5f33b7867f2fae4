package mcpproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// server is an MCP server of all revisions that does what the names of its tools say. It speaks HTTP here and, in a
// process of its own, over standard streams.
type server struct {
	judge func(raw string) bool // whether a message should have come

	mu       sync.Mutex
	got      []string // messages in the order in which they came
	problems []string
	sessions map[string]chan string // what goes out on the GET stream of a session
	streams  chan string            // what goes out on subscriptions
	ended    []string               // sessions that DELETE has ended
	gets     int                    // GET streams that were opened
	nextID   int
	asked    map[string]chan string // by raw id of our requests
	release  chan struct{}          // one token lets one held call go on
	intrude  func(w http.ResponseWriter, r *http.Request, f *wire.Frame) bool
	version  string // that initialize is answered with; empty: the one asked for
}

func newServer() *server {
	return &server{
		sessions: map[string]chan string{}, asked: map[string]chan string{}, release: make(chan struct{}, 1000), streams: make(chan string, 100),
		judge: func(string) bool { return true },
	}
}

// take returns what was wrong with what came.
func (s *server) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problems
}

// messages returns those that came and contain a text.
func (s *server) messages(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, m := range s.got {
		if strings.Contains(m, text) {
			found = append(found, m)
		}
	}
	return found
}

// behave makes the server answer by a function, or with nil as it does by itself again.
func (s *server) behave(intrude func(http.ResponseWriter, *http.Request, *wire.Frame) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intrude = intrude
}

// forget ends all sessions.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.sessions)
}

// note remembers a message. What Hopgate says of its own accord needs no record: that nobody waits for an answer any
// more, that a question of the server was refused, and what it takes to find out which era a server is of.
func (s *server) note(raw string, f *wire.Frame) {
	own := strings.Contains(raw, "no answer awaited") || strings.Contains(raw, `"id":"hopgate-discover"`) || strings.Contains(raw, `"id":"hopgate-hello"`) || f.Kind == wire.KindError
	s.mu.Lock()
	s.got = append(s.got, raw)
	s.mu.Unlock()
	if !own && !s.judge(raw) {
		s.mu.Lock()
		s.problems = append(s.problems, "the server got what is not on record: "+raw)
		s.mu.Unlock()
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("Mcp-Session-Id")
	switch r.Method {
	case http.MethodGet:
		s.mu.Lock()
		s.gets++
		out := s.sessions[id]
		s.mu.Unlock()
		if out == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		head(w)
		s.pour(w, r, out)
		return
	case http.MethodDelete:
		s.mu.Lock()
		s.ended = append(s.ended, id)
		delete(s.sessions, id)
		s.mu.Unlock()
		return
	}
	raw, _ := io.ReadAll(r.Body)
	var f wire.Frame
	if err := wire.Parse(&f, raw, wire.FromAgent, &wire.DefaultLimits); err != nil {
		s.mu.Lock()
		s.problems = append(s.problems, fmt.Sprintf("the server got %q: %v", raw, err))
		s.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.note(string(raw), &f)
	s.mu.Lock()
	intrude := s.intrude
	known := s.sessions[id] != nil
	s.mu.Unlock()
	switch {
	case intrude != nil && intrude(w, r, &f):
		return
	case id != "" && !known:
		w.WriteHeader(http.StatusNotFound)
		return
	case f.Kind != wire.KindRequest:
		s.hear(&f)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if f.String(wire.Method) == "initialize" {
		s.mu.Lock()
		s.nextID++
		id = fmt.Sprintf("up-%d", s.nextID)
		s.sessions[id] = make(chan string, 1000)
		s.mu.Unlock()
		w.Header().Set("Mcp-Session-Id", id)
	}
	s.respond(w, r, &f)
}

// respond answers as a stream where the tool has more to say than the answer.
func (s *server) respond(w http.ResponseWriter, r *http.Request, f *wire.Frame) {
	if f.String(wire.Method) == "subscriptions/listen" {
		head(w)
		s.act(r.Context(), f, func(m string) { event(w, m) })
		s.pour(w, r, s.streams)
		return
	}
	switch f.String(wire.ParamsName) {
	case "progress", "ask", "hold", "chat", "log":
		head(w)
		s.act(r.Context(), f, func(m string) { event(w, m) })
		return
	}
	s.act(r.Context(), f, func(m string) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, m)
	})
}

func head(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
}

func event(w http.ResponseWriter, m string) {
	fmt.Fprintf(w, "data: %s\n\n", m)
	w.(http.Flusher).Flush()
}

// pour streams what a test puts into a channel.
func (s *server) pour(w http.ResponseWriter, r *http.Request, out chan string) {
	for {
		select {
		case m := <-out:
			event(w, m)
		case <-r.Context().Done():
			return
		}
	}
}

// hear takes an answer or a notification.
func (s *server) hear(f *wire.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.asked[string(f.Get(wire.ID))]; c != nil && f.Response() {
		select {
		case c <- string(f.Raw):
		default:
			s.problems = append(s.problems, "a second answer: "+string(f.Raw))
		}
	}
}

// act deals with a request.
func (s *server) act(ctx context.Context, f *wire.Frame, emit func(string)) {
	id, token := f.Get(wire.ID), f.Get(wire.MetaProgressToken)
	result := func(r string) { emit(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, r)) }
	switch f.String(wire.Method) {
	case "initialize":
		v := f.String(wire.ParamsProtocolVersion)
		if s.version != "" {
			v = s.version
		}
		result(`{"protocolVersion":"` + v + `","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"fake","version":"1"}}`)
		return
	case "subscriptions/listen":
		emit(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":%s}}}`, id))
		return
	case "tools/list":
		result(`{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`)
		return
	}
	switch f.String(wire.Method) {
	case "resources/read":
		result(fmt.Sprintf(`{"contents":[{"uri":%s,"text":""}]}`, f.Get(wire.ParamsURI)))
		return
	case "tasks/result":
		result(fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, f.Get(wire.ParamsTaskID)))
		return
	}
	switch f.String(wire.ParamsName) {
	case "task": // of which the arguments say whose it is
		of, _ := wire.Lookup(f.Get(wire.ParamsArguments), "of")
		text, _ := wire.Unquote(of.Value)
		result(fmt.Sprintf(`{"task":{"taskId":"task-%s","status":"working","createdAt":"2026-01-01T00:00:00Z","ttl":1000}}`, text))
	case "echo", "mirrored":
		result(fmt.Sprintf(`{"content":[],"structuredContent":{"got":%s}}`, f.Get(wire.ParamsArguments)))
	case "progress":
		for i := range 2 {
			emit(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, token, i))
		}
		result(`{"content":[]}`)
	case "chat": // says the argument, then holds
		text, _ := wire.Unquote(f.Get(wire.ParamsArguments)[5 : len(f.Get(wire.ParamsArguments))-1]) // {"m":"..."}
		emit(string(text))
		if s.held(ctx) {
			result(`{"content":[]}`)
		}
	case "log": // says the argument
		m, _ := wire.Lookup(f.Get(wire.ParamsArguments), "m")
		text, _ := wire.Unquote(m.Value)
		emit(string(text))
		result(`{"content":[]}`)
	case "ask":
		s.mu.Lock()
		s.nextID++
		ask := fmt.Sprintf(`"ask-%d"`, s.nextID)
		c := make(chan string, 1)
		s.asked[ask] = c
		s.mu.Unlock()
		emit(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"metadata":%s}}`, ask, f.Get(wire.ParamsArguments)))
		select {
		case answer := <-c:
			result(`{"content":[],"structuredContent":` + answer + `}`)
		case <-ctx.Done():
		}
	case "hold":
		if s.held(ctx) {
			result(`{"content":[]}`)
		}
	case "holderror":
		if s.held(ctx) {
			emit(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"hidden"}}`, id))
		}
	case "error":
		emit(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32000,"message":"no"}}`, id))
	case "told": // of cancellations
		result(`{"content":[],"structuredContent":{"told":[` + strings.Join(s.messages("cancelled"), ",") + `]}}`)
	case "toolerror":
		result(`{"content":[],"isError":true}`)
	case "die":
		if os.Getenv(modeVar) != "" {
			os.Exit(7)
		}
		panic(http.ErrAbortHandler)
	default:
		result(`{}`)
	}
}

// held waits until a test lets one call go on.
func (s *server) held(ctx context.Context) bool {
	select {
	case <-s.release:
		return true
	case <-ctx.Done():
		return false
	}
}

// wiretap notes the headers of the last message.
func wiretap(to *http.Header) func(http.ResponseWriter, *http.Request, *wire.Frame) bool {
	return func(_ http.ResponseWriter, r *http.Request, _ *wire.Frame) bool {
		*to = r.Header.Clone()
		return false
	}
}
