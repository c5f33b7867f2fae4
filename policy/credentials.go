package policy

// Credentials are what Hopgate itself proves with to upstreams that it may talk to them, as the configuration has it. They
// are there for gates that must know such a value when they see it. Nothing prints them: the values are behind a function.
// Credentials are immutable; the nil Credentials are none.
type Credentials struct{ reveal func(yield func(Credential)) }

// Credential is a value that may be a secret. It must go nowhere but into what looks for it.
type Credential struct {
	Name   string // of the variable or the header; empty for a part of a command or an address
	Before string // what stands before it in a command, such as --token
	Value  string
	Likely bool // the configuration treats it like a secret
}

// NewCredentials returns the credentials that a function reveals. It is called once for each configuration, or more often.
func NewCredentials(reveal func(yield func(Credential))) *Credentials { return &Credentials{reveal} }

// Each calls yield with every value, in clear, those that are no secrets too.
func (c *Credentials) Each(yield func(Credential)) {
	if c != nil {
		c.reveal(yield)
	}
}
