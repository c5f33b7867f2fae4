// Package bridge says in one era of the protocol what was said in the other: until 2025-11-25 there are sessions, in which
// a server asks by requests of its own; from 2026-07-28 on there are none, and a server asks inside its results.
//
// [ToLegacy] is an [upstream.Link] that takes requests of 2026-07-28 to a server that knows sessions alone, [ToModern] one
// that takes a session to a server that knows none. Whoever holds such a link meets a server of its own era.
//
// The package judges nothing, keeps no record, and decides not when a bridge is needed. What neither era can say of the
// other it refuses: nothing is made up but the answers that the protocol lets any peer give.
package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// modernVersion is the revision that servers without sessions are spoken to in.
const modernVersion = mcp.LATEST_PROTOCOL_VERSION

// Members of _meta by which requests of the later era say what sessions have settled (MCP 2026-07-28, basic).
const (
	keyVersion      = mcp.MetaKeyProtocolVersion
	keyCapabilities = mcp.MetaKeyClientCapabilities
	keyInfo         = mcp.MetaKeyClientInfo
	keyLevel        = mcp.MetaKeyLogLevel
	keySubscription = mcp.MetaKeySubscriptionID
	keyServer       = mcp.MetaKeyServerInfo
)

// self is what the bridge calls itself where nobody says who asks.
const self = `{"name":"hopgate","version":"1"}`

// Error codes of the protocol.
const (
	codeNotFound     = "-32601"
	codeParams       = "-32602"
	codeInternal     = "-32603"
	codeResource     = "-32002" // of resources that do not exist, until 2025-11-25
	codeLimit        = "-32000"
	textNoSuchMethod = "Method not found"
	textTask         = "The server has begun a task, which cannot be followed in a session. It may have done what was asked."
)

// Methods that mean something else in the other era.
const (
	methodInitialize  = "initialize"
	methodDiscover    = "server/discover"
	methodListen      = "subscriptions/listen"
	methodSubscribe   = "resources/subscribe"
	methodUnsubscribe = "resources/unsubscribe"
	methodLevel       = "logging/setLevel"
	methodPing        = "ping"
	methodRead        = "resources/read"
	methodProgress    = "notifications/progress"
	methodMessage     = "notifications/message"
	methodCancelled   = "notifications/cancelled"
	methodUpdated     = "notifications/resources/updated"
)

// questions are the methods by which a server asks a client in both eras.
var questions = map[string]bool{"sampling/createMessage": true, "elicitation/create": true, "roots/list": true}

// cached are the methods whose results say in the later era how long they may be kept.
var cached = map[string]bool{
	methodDiscover: true, "tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true, methodRead: true,
}

// repeatable are the methods that change nothing on a server, so that they may be sent again when nobody knows what became
// of them.
var repeatable = map[string]bool{
	methodPing: true, methodDiscover: true, "tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true,
	methodRead: true, "completion/complete": true, "tasks/get": true, "tasks/list": true,
}

// Repeatable reports whether a request may be sent again when nobody knows what became of it.
func Repeatable(method string) bool { return repeatable[method] }

// Config is what a bridge needs.
type Config struct {
	Life   context.Context                              //nolint:containedctx // what the bridge keeps open outlives the requests that need it
	Open   func(context.Context) (upstream.Link, error) // opens a way to the server: for a session, or for none
	Limits wire.Limits                                  // of messages that the bridge makes
	// Params returns the headers that mirror arguments of a tool call (MCP 2026-07-28, streamable HTTP).
	Params func(*wire.Frame) []upstream.Param
}

// errGone says that the bridge was closed.
var errGone = fmt.Errorf("%w: the bridge was closed", upstream.ErrSessionEnded)

// read parses a message that the bridge has made. What it adds counts against no limit.
func (c *Config) read(raw []byte, from wire.Side) (*wire.Frame, error) {
	roomy := c.Limits
	roomy.Frame = max(roomy.Frame, len(raw))
	f := new(wire.Frame)
	if err := wire.Parse(f, raw, from, &roomy); err != nil {
		return nil, fmt.Errorf("%w: translating a message: %w", upstream.ErrInvalid, err)
	}
	return f, nil
}

// incoming makes a message of the server out of its raw JSON.
func (c *Config) incoming(raw []byte) (*upstream.Incoming, error) {
	f, err := c.read(raw, wire.FromUpstream)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", upstream.ErrProtocol, err)
	}
	return &upstream.Incoming{Frame: *f}, nil
}

func method(f *wire.Frame) string { return f.String(wire.Method) }

// result and failure are answers, from raw parts.
func result(id, value []byte) []byte { return answer(id, "result", value) }

func failure(id []byte, code, text string) []byte {
	return answer(id, "error", append(wire.AppendQuote([]byte(`{"code":`+code+`,"message":`), text), '}'))
}

func answer(id []byte, member string, value []byte) []byte {
	return join(`{"jsonrpc":"2.0","id":`, id, `,"`+member+`":`, value, `}`)
}

// join concatenates strings and bytes.
func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

// request and notification are messages of our own.
func request(id []byte, method, params string) []byte {
	return join(`{"jsonrpc":"2.0","id":`, id, `,"method":"`+method+`","params":`+params+`}`)
}

func notification(method, params string) []byte {
	return []byte(`{"jsonrpc":"2.0","method":"` + method + `","params":` + params + `}`)
}

// with puts members in front of those that a raw object has.
func with(object []byte, members string) []byte {
	if members == "" {
		return object
	}
	for range wire.Entries(object) { // there are others
		members += ","
		break
	}
	return join("{"+members, object[1:])
}

// without leaves members out of a raw object.
func without(object []byte, names ...string) []byte {
	var parts []wire.Span
	var keep []bool
	for e := range wire.Entries(object) {
		parts, keep = append(parts, e.At), append(keep, !named(e, names))
	}
	return splice(object, wire.Cut(parts, keep))
}

// keyTasks names the extension that the tasks of the later era are (SEP-2663).
const keyTasks = "io.modelcontextprotocol/tasks"

// withoutTasks leaves the tasks of both eras out of raw capabilities of either side. The later era's have neither tasks/result nor
// tasks/list nor questions that belong to a task, and a server begins one unasked; the earlier's begin only where a client
// wants one. What one side declares the other does not know.
func withoutTasks(capabilities []byte) []byte {
	if !isObject(capabilities) {
		return capabilities
	}
	capabilities = without(capabilities, "tasks")
	if e, ok := wire.Lookup(capabilities, "extensions"); ok && isObject(e.Value) {
		capabilities = replace(capabilities, "extensions", without(e.Value, keyTasks))
	}
	return capabilities
}

func named(e wire.Entry, names []string) bool {
	text, _ := wire.Unquote(e.Name)
	return slices.Contains(names, string(text))
}

// splice puts edits into raw JSON. They come from the value itself, so that they fit.
func splice(raw []byte, edits wire.Edits) []byte {
	out, err := edits.Splice(make([]byte, 0, len(raw)+64), raw)
	if err != nil {
		panic("bridge: edits that do not fit: " + err.Error())
	}
	return out
}

// replace puts a value in the place of a member's, or takes the object as it is where it has no such member.
func replace(object []byte, name string, value []byte) []byte {
	e, ok := wire.Lookup(object, name)
	if !ok {
		return object
	}
	return splice(object, wire.Edits{{At: e.ValueAt, New: value}})
}

// isObject reports whether raw JSON is an object.
func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

// key is the value of a JSON-RPC id, whatever its spelling.
func key(raw []byte) string {
	if text, ok := wire.Unquote(raw); ok {
		return "s" + string(text)
	}
	return "n" + string(raw)
}

// ask sends a request of the bridge itself, and returns its answer. What comes before is dropped.
func ask(ctx context.Context, link upstream.Link, out *upstream.Outgoing) (*upstream.Incoming, error) {
	stream, err := link.Send(ctx, out)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for {
		in, err := stream.Next(ctx)
		if err != nil {
			return nil, err
		}
		if in.Frame.Response() {
			return clone(in), nil
		}
	}
}

// clone keeps a message beyond the next one of its stream.
func clone(in *upstream.Incoming) *upstream.Incoming {
	c := *in
	c.Frame.Raw = bytes.Clone(in.Frame.Raw)
	return &c
}

// Discover asks a server whether it knows the later era, and returns what it says of itself. Where it does not, ok is false;
// an error says that nobody knows.
func (c *Config) Discover(ctx context.Context, link upstream.Link, capabilities, info []byte) (discovered []byte, ok bool, err error) {
	f, err := c.read(request([]byte(`"hopgate-discover"`), methodDiscover, `{"_meta":{`+meta(capabilities, info, nil)+`}}`), wire.FromAgent)
	if err != nil {
		return nil, false, err
	}
	in, err := ask(ctx, link, &upstream.Outgoing{Frame: f, Protocol: modernVersion, Modern: true})
	var status *upstream.StatusError
	switch {
	case errors.As(err, &status) && Foreign(status.Code):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case in.Frame.Kind == wire.KindError:
		return nil, false, nil
	}
	if !Knows(&in.Frame) {
		return nil, false, nil
	}
	return bytes.Clone(in.Frame.Get(wire.Result)), true, nil
}

// Knows reports whether the answer to server/discover is that of a server which knows the later era.
func Knows(f *wire.Frame) bool { return namesModern(f.Get(wire.ResultSupportedVersions)) }

// Claims reports whether a server that refuses a version says that it knows the later era. It is not one of the earlier: its
// client may ask again.
func Claims(f *wire.Frame) bool {
	if string(f.Get(wire.ErrorCode)) != "-32022" {
		return false
	}
	supported, _ := wire.Lookup(f.Get(wire.ErrorData), "supported")
	return namesModern(supported.Value)
}

func namesModern(versions []byte) bool {
	for _, v := range wire.Elements(versions) {
		if text, _ := wire.Unquote(v); string(text) == modernVersion {
			return true
		}
	}
	return false
}

// Foreign reports whether a server may say by an HTTP status that it does not know the era of a request: others say that it
// does not know us, or has no time.
func Foreign(status int) bool {
	switch status {
	case 401, 403, 407, 408, 429:
		return false
	}
	return status >= 400 && status < 500
}

// meta are the members of _meta that every request of the later era has. Parts that are nil are left to us.
func meta(capabilities, info, level []byte) string {
	if !isObject(capabilities) {
		capabilities = []byte("{}")
	}
	if !isObject(info) {
		info = []byte(self)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `%q:%q,%q:%s,%q:%s`, keyVersion, modernVersion, keyCapabilities, capabilities, keyInfo, info)
	if level != nil {
		fmt.Fprintf(&b, `,%q:%s`, keyLevel, level)
	}
	return b.String()
}

// one is a stream of a single message.
type one struct{ in *upstream.Incoming }

func (s *one) Next(context.Context) (*upstream.Incoming, error) {
	in := s.in
	if s.in = nil; in == nil {
		return nil, io.EOF
	}
	return in, nil
}

func (*one) Cancel(context.Context, string) error { return nil }

func (*one) Close() {}

// said is a stream of one answer of the bridge's own.
func (c *Config) said(raw []byte) (upstream.Stream, error) {
	in, err := c.incoming(raw)
	if err != nil {
		return nil, err
	}
	return &one{in}, nil
}
