package configs

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// File is a configuration that is sound, and the policy that it compiles to. It is immutable: nothing in it may be changed,
// and everything in it may be read from many goroutines.
type File struct {
	Path        string // as given to [Load]
	Source      []byte // the text that it was read from, references unresolved
	Revision    string // SHA-256 of Source in hexadecimal; it does not cover what references stand for
	Listen      Listen
	Limits      wire.Limits     // of messages on no connection
	Settings    policy.Settings // keys of gates at the top of the file
	Agents      []*Agent        // in the order of the file, like all that follows
	Upstreams   []*Upstream
	Connections []*policy.Connection // one for each pair of agent and upstream
	Own         *policy.Credentials  // of all upstreams
	Store       string               // state directory, absolute; empty for the platform's
	Audit       Audit
	Sessions    Sessions
	Tests       []Test
	Named       []Named // each place in the text once
	Warnings    Diagnostics

	agents      map[string]*Agent
	upstreams   map[string]*Upstream
	connections map[pair]*policy.Connection
	src         *source // for excerpts
}

// pair is what a connection is for.
type pair struct{ agent, upstream string }

// Agent returns the agent of a name, or nil.
func (f *File) Agent(name string) *Agent { return f.agents[name] }

// agentNames and upstreamNames are what is declared, for suggestions.
func (f *File) agentNames() []string {
	names := make([]string, len(f.Agents))
	for i, a := range f.Agents {
		names[i] = a.Name
	}
	return names
}

func (f *File) upstreamNames() []string {
	names := make([]string, len(f.Upstreams))
	for i, u := range f.Upstreams {
		names[i] = u.Name
	}
	return names
}

// Upstream returns the upstream of a name, or nil.
func (f *File) Upstream(name string) *Upstream { return f.upstreams[name] }

// Connection returns the connection from an agent to an upstream, or nil where there is none.
func (f *File) Connection(agent, upstream string) *policy.Connection {
	return f.connections[pair{agent, upstream}]
}

// ShortRevision is the beginning of a revision, enough for people to tell two apart.
func ShortRevision(revision string) string { return revision[:min(len(revision), 6)] }

// Listen says where agents reach Hopgate.
type Listen struct {
	MCP Listener
}

// Listener is one address to listen on.
type Listener struct {
	Addr           string // HOST:PORT; port 0 is any free one
	URL            string // public address without a slash at the end, or empty
	TLS            *TLS   // nil for none
	BehindTLSProxy bool   // plain text beyond loopback is meant
	Hosts          []string
	Origins        []string
	WS             bool       // WebSockets are served too
	At             policy.Pos // zero where the file has none and the default holds
}

// TLS names the files of a TLS identity by absolute paths.
type TLS struct{ Cert, Key string }

// loopback reports whether a host can be reached from this machine alone. Of a name other than localhost it says no, because
// what a name stands for can change.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Auth is how an agent proves who it is.
type Auth string

// Ways to prove it.
const (
	AuthKey   Auth = "key"   // an API key
	AuthLocal Auth = "local" // being the OS user that starts the process, on stdio
)

// SchemaEnum lists the ways.
func (Auth) SchemaEnum() []string { return []string{string(AuthKey), string(AuthLocal)} }

// Agent is a declared agent.
type Agent struct {
	*policy.Agent
	Auth Auth
}

// Upstream is a declared MCP server, and how to reach it: either Command or URL is set.
type Upstream struct {
	*policy.Upstream
	Command  []string   // program and arguments
	Env      []Variable // in the order of the file, each name once
	Dir      string     // working directory, absolute or empty
	SHA256   string     // of the program, in lower-case hex; empty: any program
	Sandbox  *Sandbox   // nil: the program may do what its user may
	Rlimits  Rlimits
	URL      string         // http, https, ws or wss
	SSE      bool           // the server speaks the transport of 2024-11-05
	Networks []netip.Prefix // that the host of URL may have an address in
	Health   Health
	OAuth    *OAuth   // nil: no tokens
	Headers  []Header // in the order of the file, each name once, whatever its case
}

// Variable is one variable of a server's environment.
type Variable struct {
	Name  string
	Value Secret
	At    policy.Pos
}

// Header is one header field of requests to a server.
type Header struct {
	Name  string
	Value Secret
	At    policy.Pos
}

// Digest tells whether two upstreams are reached alike: it covers name, command, what confines it, environment, directory,
// url, transport, networks, health, tokens and headers, with references resolved. It does not cover tasks, which concern policy and not the
// server. It is for comparing and not for showing: who sees it can try guesses of a short secret.
func (u *Upstream) Digest() [sha256.Size]byte {
	h := sha256.New()
	var length [8]byte
	put := func(parts ...string) {
		binary.BigEndian.PutUint64(length[:], uint64(len(parts)))
		h.Write(length[:])
		for _, p := range parts {
			binary.BigEndian.PutUint64(length[:], uint64(len(p)))
			h.Write(length[:])
			h.Write([]byte(p))
		}
	}
	put(u.Name, u.Dir, u.URL, strconv.FormatBool(u.SSE))
	put(u.Command...)
	put("health", fmt.Sprint(u.Health))
	if a := u.OAuth; a != nil {
		put("oauth", fmt.Sprint(a.Login), a.Issuer, a.ClientID, a.Secret.Reveal())
		put(a.Scopes...)
	}
	put("networks", fmt.Sprint(u.Networks))
	put("confined", u.SHA256, fmt.Sprintf("%+v %+v", u.Sandbox, u.Rlimits))
	for _, v := range u.Env {
		put("env", v.Name, v.Value.Reveal())
	}
	for _, v := range u.Headers {
		put("header", v.Name, v.Value.Reveal())
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Audit is what holds for the journal.
type Audit struct {
	Keep   time.Duration // how long records are kept
	Anchor string        // file outside the state directory; empty for the one beside it
}

// Sessions is how long sessions of agents last.
type Sessions struct {
	Idle     time.Duration // without a message and without an open stream
	Lifetime time.Duration // at most
}

// Test is one expectation of the file.
type Test struct {
	Agent    string
	Upstream string
	Method   string          // tools/call, resources/read, prompts/get or tools/list
	Target   string          // name of the tool or prompt, URI of the resource; empty for tools/list
	Args     json.RawMessage // object, or nil
	Time     time.Time
	Score    int      // that the agent is taken to have
	Of       []string // tools/list: what the upstream has
	Allow    bool     // expected
	Code     string   // expected reason where not Allow, empty for any
	Shown    []string // tools/list: what must be shown
	At       policy.Pos
}

// String says what the test is about.
func (t *Test) String() string {
	s := t.Agent + " " + t.Method + " " + t.Upstream
	if t.Target != "" {
		s += "/" + t.Target
	}
	return s
}

// codesOf lists the code of every reason for which a call can be refused before it is sent.
func codesOf(gates []policy.Spec) []string {
	var codes []string
	for _, r := range policy.Reasons() {
		codes = append(codes, r.Code)
	}
	for _, p := range wire.Problems() {
		codes = append(codes, p.Name)
	}
	for _, g := range gates {
		for _, r := range g.Reasons {
			codes = append(codes, r.Code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}
