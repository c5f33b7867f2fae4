package mcpproxy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// The protocol has two eras. Until 2025-11-25 a session begins with initialize and the negotiated facts are the
// session's; from 2026-07-28 on each request carries its facts in _meta, and over HTTP repeats some in headers. The era
// is chosen for each request, so that one endpoint serves both.

// modern reports whether a request is of the later era.
func modern(f *wire.Frame, h *ingress.Head) bool {
	return f.Has(wire.MetaProtocolVersion) || h != nil && mcp.IsModernProtocol(h.Protocol)
}

// legacyVersion reports whether a version is one that initialize can negotiate.
func legacyVersion(v string) bool { return mcp.IsValidProtocolVersion(v) && !mcp.IsModernProtocol(v) }

// offerVersion keeps a server from agreeing to a version that is not known here: it is asked for the latest one that
// sessions can have, and what it answers is what the client gets (MCP 2025-11-25, lifecycle, version negotiation).
func (x *exchange) offerVersion() *policy.Reason {
	asked, ok := x.frame.Text(wire.ParamsProtocolVersion)
	if !ok || legacyVersion(string(asked)) {
		return nil // what is no string is the server's to refuse
	}
	return x.replace(wire.Edits{{At: x.frame.Span(wire.ParamsProtocolVersion), New: wire.AppendQuote(nil, mcp.LATEST_LEGACY_PROTOCOL_VERSION)}})
}

// Revisions at which something changes for the proxy.
const (
	revisionBatch  = "2025-03-26" // the only one that has batches
	revisionResume = "2025-11-25" // from here on, clients expect the event that lets them resume
)

// removed are the methods that the earlier era has and the later has not: those that sessions needed, and two of tasks
// (SEP-2663).
var removed = map[string]bool{
	"tasks/result": true, "tasks/list": true,
	"initialize": true, "ping": true, "logging/setLevel": true, "resources/subscribe": true, "resources/unsubscribe": true,
}

// checkModern holds a request to what 2026-07-28 demands of it before it is judged: a version that is known, no method
// of the earlier era, and on HTTP headers that say what the body says, so that nobody who routes or filters by headers
// sees another request than the server does.
func (p *Proxy) checkModern(c *policy.Call, h *ingress.Head) *policy.Reason {
	f := c.Frame
	version, ok := f.Text(wire.MetaProtocolVersion)
	if h != nil && f.Kind == wire.KindRequest && !p.headersMatch(c, h) {
		return reasonHeaders
	}
	switch {
	case !ok && f.Kind == wire.KindNotification:
		return nil // the revision defines no metadata of notifications
	case !ok || !isObject(f.Get(wire.MetaClientCapabilities)) && f.Kind == wire.KindRequest:
		return reasonMeta
	case !mcp.IsValidProtocolVersion(string(version)) || !mcp.IsModernProtocol(string(version)):
		return reasonVersion
	case removed[c.Method]:
		return reasonRemoved
	case h != nil && c.Method == string(mcp.MethodToolsCall) && !p.paramsMatch(c, h):
		return reasonHeaders
	}
	return nil
}

// headersMatch compares the headers that every request has with the body. A body that says no version contradicts none: it
// lacks metadata, for which the revision has another error.
func (p *Proxy) headersMatch(c *policy.Call, h *ingress.Head) bool {
	f := c.Frame
	version, ok := f.Text(wire.MetaProtocolVersion)
	if !ok && c.Method == "initialize" {
		version, ok = f.Text(wire.ParamsProtocolVersion) // which is where the earlier era says it
	}
	if h.Protocol == "" || ok && h.Protocol != string(version) || h.Method != c.Method {
		return false
	}
	field, has := mirrored[c.Method]
	return !has || p.nameMatches(f, field, h)
}

func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

// mirrored are the members that Mcp-Name repeats.
var mirrored = map[string]wire.Member{
	"tools/call": wire.ParamsName, "prompts/get": wire.ParamsName, "resources/read": wire.ParamsURI,
	"tasks/get": wire.ParamsTaskID, "tasks/update": wire.ParamsTaskID, "tasks/cancel": wire.ParamsTaskID,
}

func (p *Proxy) nameMatches(f *wire.Frame, field wire.Member, h *ingress.Head) bool {
	if !h.HasName {
		return false
	}
	want, ok := f.Text(field)
	if !ok {
		return !f.Has(field) // no name in either; the gate says what is missing
	}
	if h.Name == string(want) && !strings.HasPrefix(h.Name, "=?base64?") {
		return plain(h.Name)
	}
	got, ok := decoded(h.Name)
	return ok && got == string(want)
}

// paramsMatch compares the headers that mirror arguments with the arguments, for the tools whose definition is known.
// Other headers of this kind pass as they are: an intermediary must not drop them.
func (p *Proxy) paramsMatch(c *policy.Call, h *ingress.Head) bool {
	if slices.ContainsFunc(h.Params, func(x ingress.Param) bool { return !plain(x.Value) }) {
		return false
	}
	for _, param := range p.Catalog.HeaderParams(c.Upstream, c.Target) {
		value := c.Frame.Get(wire.ParamsArguments)
		for _, name := range param.Path {
			e, _ := wire.Lookup(value, name)
			value = e.Value
		}
		i := slices.IndexFunc(h.Params, func(x ingress.Param) bool { return strings.EqualFold(x.Name, param.Name) })
		switch {
		case i < 0:
			if len(value) > 0 && string(value) != "null" {
				return false
			}
		case !headerEquals(h.Params[i].Value, value):
			return false
		}
	}
	return true
}

// headerEquals compares a header with the raw JSON value that it mirrors: a string, an integer or a boolean.
func headerEquals(header string, value []byte) bool {
	got, ok := decoded(header)
	if !ok || len(value) == 0 {
		return false
	}
	if value[0] == '"' {
		text, ok := wire.Unquote(value)
		return ok && string(text) == got
	}
	return bytes.Equal(value, []byte(got))
}

// decoded returns what a header stands for. What is not ASCII has to come encoded, because readers differ in how they
// take other bytes (MCP 2026-07-28, streamable HTTP, value encoding).
func decoded(header string) (string, bool) {
	if !plain(header) {
		return "", false
	}
	return mcp.DecodeHeaderValue(header)
}

func plain(header string) bool {
	return !strings.ContainsFunc(header, func(r rune) bool { return r > '~' })
}

// supported is the data of the error that refuses a version.
func supported(requested []byte) []byte {
	d := []byte(`{"supported":[`)
	for i, v := range mcp.ValidProtocolVersions {
		if i > 0 {
			d = append(d, ',')
		}
		d = wire.AppendQuote(d, v)
	}
	d = append(d, `],"requested":`...)
	return append(append(d, requested...), '}')
}

// required is the data of the error that names a capability which the client lacks.
func required(capability string) []byte {
	d := wire.AppendQuote([]byte(`{"requiredCapabilities":{`), capability)
	return append(d, `:{}}}`...)
}

// target returns what a call is aimed at: a tool, a prompt or a resource.
func target(method string, f *wire.Frame) string {
	switch method {
	case "tools/call", "prompts/get":
		return f.String(wire.ParamsName)
	case "resources/read", "resources/subscribe", "resources/unsubscribe", "notifications/resources/updated":
		return f.String(wire.ParamsURI)
	case "completion/complete":
		if f.Has(wire.RefName) {
			return f.String(wire.RefName)
		}
		return f.String(wire.RefURI)
	}
	return ""
}
