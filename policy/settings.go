package policy

// Place is what in a configuration gates may have keys on, besides connections.
type Place uint8

// Places.
const (
	OnFile     Place = iota // the top of the file
	OnAgent                 // an entry of agents
	OnTeam                  // an entry of teams
	OnOrg                   // an entry of orgs
	OnUpstream              // an entry of upstreams
	OnTool                  // an entry of a connection's tools
	OnTask                  // an entry of a connection's tasks
	OnSampling              // what a connection says of requests to the agent's model
)

// Settings are what the keys of gates say at one place: by the name of the gate, a pointer to the type that its Spec has
// for that place. A gate that has no key there has no entry. Settings are immutable.
type Settings map[string]any

// Setting returns what the keys of a gate say, or nil where there are none.
func Setting[C any](s Settings, gate string) *C {
	c, _ := s[gate].(*C)
	return c
}

// Scope is a part of a connection that gates have keys on: the tools, or the task types, whose name fits.
type Scope struct {
	Name     Pattern
	Settings Settings
}

// Scoper is the configuration of a gate that names such parts.
type Scoper interface {
	// Scopes returns the parts in the order of the file. A call belongs to all whose name fits.
	Scopes() (tools, tasks []Scope)
	// Asked returns the keys on the upstream's requests to the agent's model.
	Asked() Settings
}
