package ingress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Deadlines and bounds of one HTTP request.
const (
	headTime  = 10 * time.Second // for the head to arrive
	bodyTime  = 30 * time.Second // for the body to arrive
	restTime  = time.Second      // for what is left of the body of a request that is refused
	writeTime = 30 * time.Second // for one message to be taken; a peer that does not read is cut off
	idleTime  = 2 * time.Minute  // between requests
	quietTime = 15 * time.Second // after which a comment keeps a stream from being taken for dead
	maxHead   = 28 << 10         // bytes of a head; net/http adds 4 KB of slack
	believed  = 64 << 10         // bytes of an announced body that there is room for before they come
)

// Config is what HTTP needs. Handler, Clock and Lasting are required.
type Config struct {
	Handler Handler
	Clock   func() time.Time
	Lasting *Lasting // the connections of the listener
	WS      bool     // serve WebSockets
	Base    string   // path of the public address, without a slash at the end; clients of SSE are told of it
	Hosts   []string // names, without port, that the Host header may have, beside loopback names
	Origins []string // web origins that may call, with *.HOST for all below it, beside the one of the listener itself
}

// HTTP serves streamable HTTP at /mcp/{upstream}: the revisions 2025-03-26 to 2025-11-25 with sessions, and 2026-07-28
// without; the transport of 2024-11-05 at /sse/{upstream}; and, where it is configured, WebSockets at /ws/{upstream}. It
// implements [http.Handler].
type HTTP struct{ Config }

// NewHTTP checks the configuration.
func NewHTTP(c Config) (*HTTP, error) {
	if c.Handler == nil || c.Clock == nil || c.Lasting == nil {
		return nil, errors.New("serving HTTP: handler, clock and connections are required")
	}
	for _, o := range c.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme == "" || u.Host == "" {
			return nil, fmt.Errorf("serving HTTP: %q is not an origin such as https://example.com", o)
		}
	}
	return &HTTP{c}, nil
}

// ServeHTTP answers one request.
func (h *HTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	transport, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case name == "" || strings.Contains(name, "/"):
	case transport == "mcp":
		h.serveMCP(w, r, name)
		return
	case transport == "sse":
		h.serveSSE(w, r, name)
		return
	case transport == "ws" && h.WS:
		h.serveWS(w, r, name)
		return
	}
	// Clients probe for OAuth metadata. Any answer but 404 would make some of them ignore their API key.
	http.NotFound(w, r)
}

// serveMCP answers one request for /mcp/{upstream}.
func (h *HTTP) serveMCP(w http.ResponseWriter, r *http.Request, name string) {
	p := &Peer{Transport: OverHTTP, Remote: r.RemoteAddr, Upstream: name}
	if reason := h.check(r, p); reason != nil {
		h.refuse(w, r, p, reason)
		return
	}
	guest := h.admit(w, r, p)
	if guest == nil {
		return
	}
	head, reason := readHead(r)
	if reason != nil {
		h.refuse(w, r, p, reason)
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.post(w, r, p, guest, head)
	case http.MethodGet:
		h.get(w, r, p, guest, head)
	case http.MethodDelete:
		if refusal := guest.End(r.Context(), head); refusal != nil {
			write(w, refusal)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header()["Allow"] = []string{"GET, POST, DELETE"}
		h.refuse(w, r, p, reasonMethod)
	}
}

// admit lets the peer of a request in. Where it returns nil the request is answered.
func (h *HTTP) admit(w http.ResponseWriter, r *http.Request, p *Peer) Guest {
	guest, refusal := h.Handler.Admit(r.Context(), p)
	if refusal != nil {
		h.turnAway(w, r, refusal)
		return nil
	}
	if p.Agent == nil || claim(r.Context(), p.Agent.Name) {
		return guest
	}
	if p.Lasting() && r.Method == http.MethodGet {
		guest.End(r.Context(), nil) // the session that it was to begin
	}
	w.Header()["Connection"] = []string{"close"}
	h.refuse(w, r, p, reasonConnections)
	return nil
}

// check looks at what needs no message: whether a web page is behind the request, and who says to be calling.
func (h *HTTP) check(r *http.Request, p *Peer) *policy.Reason {
	if !h.hostAllowed(r.Host) {
		return reasonHost
	}
	if !h.originAllowed(r) {
		return reasonOrigin
	}
	bearer, keys := r.Header["Authorization"], r.Header["X-Api-Key"]
	if len(bearer)+len(keys) > 1 {
		return reasonCredentials
	}
	if len(keys) == 1 {
		p.Credential = Credential(keys[0])
	}
	if len(bearer) == 1 {
		if scheme, token, _ := strings.Cut(bearer[0], " "); strings.EqualFold(scheme, "Bearer") {
			p.Credential = Credential(strings.TrimSpace(token))
		}
	}
	return nil
}

// readHead takes the protocol's headers. Of two headers of one name some programs believe the first and some the last,
// so two are refused.
func readHead(r *http.Request) (*Head, *policy.Reason) {
	head := &Head{}
	for name, values := range r.Header {
		if len(name) < 4 || name[0] != 'M' && name[0] != 'L' {
			continue
		}
		var to *string
		switch name {
		case "Mcp-Session-Id":
			to, head.HasSession = &head.Session, true
		case "Mcp-Protocol-Version":
			to = &head.Protocol
		case "Mcp-Method":
			to = &head.Method
		case "Mcp-Name":
			to, head.HasName = &head.Name, true
		case "Last-Event-Id":
			to = &head.LastEventID
		default:
			if param, ok := strings.CutPrefix(name, "Mcp-Param-"); ok {
				head.Params = append(head.Params, Param{Name: param})
				to = &head.Params[len(head.Params)-1].Value
			}
		}
		if to == nil {
			continue
		}
		if len(values) != 1 {
			return nil, reasonHeader
		}
		*to = values[0]
	}
	return head, nil
}

func (h *HTTP) post(w http.ResponseWriter, r *http.Request, p *Peer, g Guest, head *Head) {
	if reason := acceptable(r, head); reason != nil {
		h.refuse(w, r, p, reason)
		return
	}
	body, _ := bodies.Get().(*bytes.Buffer)
	defer func() {
		if body.Cap() <= keepBody {
			body.Reset()
			bodies.Put(body)
		}
	}()
	load, reason := h.read(w, r, body, g)
	defer load.drop()
	if reason != nil {
		w.Header()["Connection"] = []string{"close"}
		h.refuse(w, r, p, reason)
		return
	}
	if r.TransferEncoding != nil {
		// Where a length stood beside the chunks, nobody may take what follows for another request (RFC 9112, 6.1).
		w.Header()["Connection"] = []string{"close"}
	}
	reply := newReply(w, h.Clock)
	defer reply.close()
	g.Post(r.Context(), &Message{Raw: body.Bytes(), Head: head}, reply)
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepBody is the largest buffer worth keeping: one huge message must not stay in memory for ever.
const keepBody = 256 << 10

// acceptable checks the content types. A page of another site can send a POST without preflight only as one of three
// other types, so this also stands against forged requests.
func acceptable(r *http.Request, head *Head) *policy.Reason {
	if reason := content(r); reason != nil {
		return reason
	}
	json, stream := accepts(r.Header["Accept"], !legacyHeader(head))
	if !json || !stream {
		return reasonAccept
	}
	return nil
}

func content(r *http.Request) *policy.Reason {
	if types := r.Header["Content-Type"]; r.Header["Content-Encoding"] != nil || len(types) != 1 || !jsonType(types[0]) {
		return reasonType
	}
	return nil
}

func jsonType(v string) bool {
	if v == "application/json" {
		return true
	}
	t, params, err := mime.ParseMediaType(v)
	charset, has := params["charset"]
	return err == nil && t == "application/json" && (!has || strings.EqualFold(charset, "utf-8"))
}

// legacyHeader reports whether the header leaves it open that the request is of an era with lenient clients.
func legacyHeader(head *Head) bool { return head.Protocol < "2026" }

// accepts says what an Accept header allows. Only strict clients are held to name both types.
func accepts(header []string, strict bool) (json, stream bool) {
	for _, line := range header {
		for part := range strings.SplitSeq(line, ",") {
			t, _, _ := strings.Cut(part, ";")
			switch strings.TrimSpace(t) {
			case "application/json":
				json = true
			case "text/event-stream":
				stream = true
			case "*/*":
				json, stream = json || !strict, stream || !strict
			}
		}
	}
	return json, stream
}

// read takes the body whole, with a deadline of its own: the server's would cut streams too. The caller drops the load, when
// the message is dealt with.
func (h *HTTP) read(w http.ResponseWriter, r *http.Request, into *bytes.Buffer, g Guest) (*load, *policy.Reason) {
	limit := g.MaxFrame()
	from := &loader{load: load{guest: g}, r: r.Body, left: int64(limit) + 1}
	if r.ContentLength > int64(limit) {
		return &from.load, reasonLarge
	}
	c := http.NewResponseController(w)
	if err := c.SetReadDeadline(h.Clock().Add(bodyTime)); err != nil {
		return &from.load, reasonBody
	}
	if r.ContentLength > 0 {
		n := min(int(r.ContentLength), believed)
		if n > leastLoad && !from.grow(n) {
			return &from.load, reasonBusy
		}
		into.Grow(n + bytes.MinRead)
	}
	n, err := into.ReadFrom(from)
	switch {
	case errors.Is(err, errLoad):
		return &from.load, reasonBusy
	case err != nil:
		return &from.load, reasonBody
	case n > int64(limit):
		return &from.load, reasonLarge
	case !from.grow(leastLoad) && !mayBeAnswer(into.Bytes()): // a call may wait for an answer, and make room then
		return &from.load, reasonBusy
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return &from.load, reasonBody
	}
	return &from.load, nil
}

func (h *HTTP) get(w http.ResponseWriter, r *http.Request, p *Peer, g Guest, head *Head) {
	if _, stream := accepts(r.Header["Accept"], true); !stream {
		h.refuse(w, r, p, reasonAccept)
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:contextcheck,forbidigo // the stream outlives the request where it is parked, and holds nothing of it
	exit, ok := h.Lasting.enter(OverHTTP, cancel)
	if !ok {
		cancel()
		h.refuse(w, r, p, reasonEnding)
		return
	}
	reply := newReply(w, h.Clock)
	free := make(chan struct{})
	reply.park = &park{lasting: h.Lasting, gone: cancel, free: free}
	go g.Listen(ctx, head, reply, func() {
		cancel()
		reply.close()
		exit()
	})
	select {
	case <-free: // nothing of the request is needed any more
	case <-r.Context().Done():
		cancel()
		<-free
	}
}

func (h *HTTP) refuse(w http.ResponseWriter, r *http.Request, p *Peer, reason *policy.Reason) {
	refusal := h.Handler.Refuse(context.WithoutCancel(r.Context()), p, reason, "")
	refusal.Modern = !legacyHeader(&Head{Protocol: r.Header.Get("Mcp-Protocol-Version")})
	h.turnAway(w, r, refusal)
}

// turnAway answers with a refusal before the body is read. net/http reads what is left of it, for which nobody may keep the
// connection.
func (h *HTTP) turnAway(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(h.Clock().Add(restTime)) // a connection that has none is gone
	}
	write(w, refusal)
}

// challenge goes with every 401, whatever it is for (RFC 9110 section 15.5.2).
var challenge = []string{`Bearer realm="hopgate"`}

// write answers with a refusal in one piece.
func write(w http.ResponseWriter, refusal *Refusal) {
	body := refusal.Append(make([]byte, 0, 512))
	w.Header()["Content-Type"] = typeJSON
	if refusal.Status() == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = challenge
	}
	if s := refusal.seconds(); s > 0 && refusal.Status() >= 400 {
		w.Header()["Retry-After"] = []string{fmt.Sprint(s)}
	}
	w.WriteHeader(refusal.Status())
	_, _ = w.Write(body) // the peer may be gone; there is nobody else to tell
}
