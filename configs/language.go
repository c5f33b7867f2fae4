package configs

import (
	"github.com/hopgate/hopgate/policy"
)

// The types in this file are the language: their tags are its keys and its reference.

// document is the whole file.
type document struct {
	At          policy.Pos
	Version     count           `yaml:"version,required" doc:"Version of this language. Write version: 1."`
	Listen      listen          `yaml:"listen" doc:"Where agents reach Hopgate."`
	Limits      limits          `yaml:"limits" doc:"Bounds of every message in either direction."`
	Agents      []agent         `yaml:"agents" doc:"Who may call. Keys are minted with 'hopgate agents add' and are not kept here."`
	Teams       []team          `yaml:"teams" doc:"Agents that share limits, by the key team of each."`
	Orgs        []org           `yaml:"orgs" doc:"Organisations: teams that share limits, by the key org of each."`
	Upstreams   []upstream      `yaml:"upstreams" doc:"What may be called: MCP servers, started here or reached over the network."`
	Connections []connection    `yaml:"connections" doc:"Which agent may call which upstream, and for what. Nothing is allowed that no connection grants."`
	Defaults    defaults        `yaml:"defaults" doc:"What holds where nothing else is written."`
	Store       text            `yaml:"store" doc:"State directory: badger:///absolute/path, or a path relative to this file. Default: the platform's state directory."`
	Audit       audit           `yaml:"audit" doc:"The journal of decisions."`
	Sessions    sessions        `yaml:"sessions" doc:"How long sessions of agents last."`
	Tests       []test          `yaml:"tests" doc:"Calls and what must become of them. They run at every load; a failing test refuses the file."`
	Gates       policy.Settings `yaml:",inline" place:"file"`
}

// listen says where agents reach Hopgate.
type listen struct {
	MCP listener `yaml:"mcp" doc:"The MCP endpoint. Default 127.0.0.1:7070."`
}

// listener is one address to listen on.
type listener struct {
	At        policy.Pos
	Addr      text     `yaml:"addr,scalar" doc:"HOST:PORT to listen on. Default 127.0.0.1:7070."`
	URL       text     `yaml:"url" doc:"Public address, where it differs: http(s)://HOST[:PORT][/PATH]."`
	TLS       *tlsPair `yaml:"tls" doc:"Certificate and key. Needed beyond loopback."`
	Plaintext plain    `yaml:"plaintext" doc:"Set to behind-tls-proxy where a proxy in front of this listener ends TLS."`
	Hosts     []text   `yaml:"hosts" doc:"Host headers to accept besides the address itself and url: HOST or HOST:PORT."`
	Origins   []text   `yaml:"origins" doc:"Origins of web pages that may call: SCHEME://HOST[:PORT], with *.HOST for all below it. Default: none."`
	WS        bool     `yaml:"ws" doc:"Serve MCP over WebSocket too, at /ws/{upstream}. It is no transport of the specification. Default false."`
}

// tlsPair are the files of a TLS identity.
type tlsPair struct {
	Cert text `yaml:"cert,required" doc:"File with the certificate chain, PEM."`
	Key  text `yaml:"key,required" doc:"File with the private key, PEM."`
}

// plain is the one reason to listen beyond loopback without TLS.
type plain string

const plainBehindProxy plain = "behind-tls-proxy"

func (plain) SchemaEnum() []string { return []string{string(plainBehindProxy)} }

// limits bound messages. A key that is absent leaves the limit as it is.
type limits struct {
	Frame        *size  `yaml:"frame" doc:"Size of a message, 1KiB to 64MiB. Default 4MiB."`
	Depth        *count `yaml:"depth" doc:"Objects and arrays inside each other, 16 to 1000. Default 256."`
	Keys         *count `yaml:"keys" doc:"Members of all objects of an agent's message together, 64 to 1000000. Default 10000."`
	UpstreamKeys *count `yaml:"upstream_keys" doc:"The same of a server's message, 64 to 5000000: lists of tools are long. Default 200000, or keys where that is more."`
	Name         *count `yaml:"name" doc:"Bytes of the name of a method, tool or prompt, 64 to 1024. Default 128."`
}

// agent is one entry of agents.
type agent struct {
	Name  name `yaml:",key"`
	At    policy.Pos
	Auth  Auth            `yaml:"auth,required,scalar" doc:"How the agent proves who it is: key (an API key), or local (the OS user on stdio)."`
	Team  *word           `yaml:"team" doc:"Team whose limits the agent shares."`
	Gates policy.Settings `yaml:",inline" place:"agent"`
}

// team is one entry of teams.
type team struct {
	Name  name `yaml:",key"`
	At    policy.Pos
	Org   *word           `yaml:"org" doc:"Organisation whose limits the team shares."`
	Gates policy.Settings `yaml:",inline" place:"team"`
}

// org is one entry of orgs.
type org struct {
	Name  name `yaml:",key"`
	At    policy.Pos
	Gates policy.Settings `yaml:",inline" place:"org"`
}

// upstream is one entry of upstreams.
type upstream struct {
	Name      name `yaml:",key"`
	At        policy.Pos
	Command   []argument      `yaml:"command" doc:"Program and arguments of a server to start, without a shell. A program with a slash in it is relative to this file."`
	Env       []variable      `yaml:"env" doc:"Environment of the server, besides PATH, HOME and LANG."`
	Dir       text            `yaml:"dir" doc:"Working directory of the server, relative to this file."`
	SHA256    digest          `yaml:"sha256" doc:"SHA-256 of the program, as sha256sum prints it. Another program is not started. It does not cover what the program loads."`
	Sandbox   *sandbox        `yaml:"sandbox" doc:"What the server may reach of files and network, beside what programs need to start. Linux only."`
	Rlimits   rlimits         `yaml:"rlimits" doc:"Limits of the system for each process of the server, as setrlimit(2) sets them."`
	URL       text            `yaml:"url" doc:"Address of a server to reach over HTTP, http(s)://HOST[:PORT]/PATH, or over WebSocket, ws(s)://HOST[:PORT]/PATH."`
	Transport transport       `yaml:"transport" doc:"How a server with an http(s) url is spoken to: http, streamable HTTP, which is the default; or sse, the transport of 2024-11-05."`
	Networks  []cidr          `yaml:"networks" doc:"Networks that the host of url may have an address in: 10.0.0.0/8. Public addresses, an address that stands in url, and loopback for localhost need none."`
	Health    *health         `yaml:"health" doc:"When the server counts as failing."`
	Auth      *upstreamAuth   `yaml:"auth" doc:"How Hopgate proves to the server who it is, by tokens of OAuth 2.1. Agents' own credentials are never passed on."`
	Headers   []header        `yaml:"headers" doc:"Headers of every request to the server, such as its credentials."`
	Tasks     []task          `yaml:"tasks" doc:"Types of work and the tools that do it. The first one that names a tool classifies it; the others are unclassified."`
	Gates     policy.Settings `yaml:",inline" place:"upstream"`
}

func (upstream) SchemaOneOf() []string { return []string{"command", "url"} }

func (upstream) SchemaNeeds() map[string][]string {
	return map[string][]string{"env": {"command"}, "dir": {"command"}, "sha256": {"command"}, "sandbox": {"command"}, "rlimits": {"command"}, "networks": {"url"}, "auth": {"url"}, "headers": {"url"}, "transport": {"url"}}
}

// transport is how a server is spoken to whose url leaves that open. Nothing finds it out: what a server answers must not
// decide where credentials go next.
type transport string

const (
	transportHTTP transport = "http"
	transportSSE  transport = "sse"
)

func (transport) SchemaEnum() []string { return []string{string(transportHTTP), string(transportSSE)} }

// variable is one entry of env.
type variable struct {
	Name  variableName `yaml:",key"`
	At    policy.Pos
	Value Secret `yaml:",value"`
}

// header is one entry of headers.
type header struct {
	Name  headerName `yaml:",key"`
	At    policy.Pos
	Value Secret `yaml:",value"`
}

// task is one entry of tasks.
type task struct {
	Name  name `yaml:",key"`
	At    policy.Pos
	Tools []policy.Pattern `yaml:",value"`
}

// connection is one entry of connections.
type connection struct {
	Name name `yaml:",key"`
	At   policy.Pos
	From []policy.Pattern `yaml:"from,required" doc:"Agents: names, or * patterns over those declared."`
	To   []policy.Pattern `yaml:"to,required" doc:"Upstreams: names, or * patterns over those declared."`
	Own  connectionKeys   `yaml:",inline"`
}

// connectionKeys are the keys of a connection that it may take from defaults.
type connectionKeys struct {
	Timeout *duration   `yaml:"timeout" doc:"How long the upstream may be silent during a call, 1s to 24h. Default 5m. A call ends after 12 times that, however much is heard of it."`
	Mode    mode        `yaml:"mode" doc:"enforce, or observe: record what would be refused and let it pass. Faults refuse either way. Default enforce."`
	Limits  limits      `yaml:"limits" doc:"Bounds of messages of this connection. They may only be tighter than those of the file."`
	Gates   gateConfigs `yaml:",inline"`
}

// mode is what becomes of a refusal.
type mode string

const (
	modeEnforce mode = "enforce"
	modeObserve mode = "observe"
)

func (mode) SchemaEnum() []string { return []string{string(modeEnforce), string(modeObserve)} }

// defaults is what holds where nothing else is written.
type defaults struct {
	Connection connectionKeys `yaml:"connection" doc:"Keys that a connection takes from here where it does not set them itself. Each is taken whole."`
}

// audit is the section on the journal.
type audit struct {
	Keep   *duration `yaml:"keep" doc:"How long records are kept, at least 1d. Default 180d."`
	Anchor text      `yaml:"anchor" doc:"File outside the state directory by which an older copy of that is found out; absolute, or relative to this file. Default: beside the state directory, with .anchor behind its name."`
}

// sessions is the section on sessions of agents.
type sessions struct {
	Idle     *duration `yaml:"idle" doc:"How long a session over HTTP lasts without a message and without an open stream, 1s to 7d. Default 30m."`
	Lifetime *duration `yaml:"lifetime" doc:"How long a session lasts at most, 1s to 90d. Default 1d."`
}

// test is one entry of tests.
type test struct {
	At     policy.Pos
	Agent  word       `yaml:"agent,required" doc:"Who calls. A name that is not declared stands for a stranger."`
	Call   *target    `yaml:"call" doc:"A tool: UPSTREAM/TOOL."`
	Reads  *target    `yaml:"reads" doc:"A resource: UPSTREAM/URI, like files/file:///srv/docs/a.txt."`
	Prompt *target    `yaml:"prompt" doc:"A prompt: UPSTREAM/PROMPT."`
	Lists  *word      `yaml:"lists" doc:"An upstream, whose tools are listed."`
	Args   jsonObject `yaml:"args" doc:"Arguments of the tool or prompt."`
	Time   *instant   `yaml:"at" doc:"When it happens (RFC 3339). Default: 2026-01-05T12:00:00Z, a Monday."`
	Trust  *count     `yaml:"trust" doc:"Score that the agent is taken to have, 0 to 999. Default 999."`
	Of     []word     `yaml:"of" doc:"The tools that the upstream has."`
	Expect []word     `yaml:"expect,required" doc:"allow, deny, or deny CODE; for lists the names of the tools that are shown."`
}

func (test) SchemaOneOf() []string { return []string{"call", "reads", "prompt", "lists"} }

func (test) SchemaNeeds() map[string][]string {
	return map[string][]string{"args": {"call", "prompt"}, "of": {"lists"}, "lists": {"of"}}
}
