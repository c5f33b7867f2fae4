// Package policy is the vocabulary of a decision: agents, connections, calls, verdicts and reasons. It holds the one
// place where gates are asked and where a fault becomes a refusal.
//
// It knows no gate by name, keeps no state, and does no I/O.
package policy

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Pos is where in the configuration something stands. The zero Pos is nowhere.
type Pos struct {
	File      string
	Line, Col int // from 1
}

func (p Pos) String() string {
	if p.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Agent is an untrusted principal that the configuration declares. It is immutable.
type Agent struct {
	Name     string
	Team     *Team // nil for none
	Settings Settings
	At       Pos
}

// Team is agents that share limits. It is immutable.
type Team struct {
	Name     string
	Org      *Org // nil for none
	Settings Settings
	At       Pos
}

// Org is an organisation: teams that share limits. It is immutable.
type Org struct {
	Name     string
	Settings Settings
	At       Pos
}

// Upstream is what policy knows of an MCP server. It is immutable.
type Upstream struct {
	Name     string
	Tasks    []Task // in the order of the file; the first that matches a tool classifies it
	Settings Settings
	At       Pos
}

// Task is a type of work and the tools that do it, as the configuration classifies them.
type Task struct {
	Name  string
	Tools []Pattern
}

// Unclassified is the task type of a tool that no task of its upstream names.
const Unclassified = "unclassified"

// Task returns the task type of a tool.
func (u *Upstream) Task(tool string) string {
	for i := range u.Tasks {
		for _, p := range u.Tasks[i].Tools {
			if p.Match(tool) {
				return u.Tasks[i].Name
			}
		}
	}
	return Unclassified
}

// Connection is one agent's way to one upstream, with every limit that applies to it. Nothing is allowed that no
// connection grants. It is immutable: a reload makes new ones, and a call is judged by the one that it started with.
type Connection struct {
	Name     string
	Agent    *Agent
	Upstream *Upstream
	Gates    []Named       // in the order in which they are asked
	Timeout  time.Duration // how long the upstream may be silent during a call, which ends after 12 times that
	Limits   wire.Limits   // of messages in either direction
	Tools    []Scope       // parts that gates have keys on, in the order of the file
	Tasks    []Scope
	Sampling Settings     // of the upstream's requests to the agent's model
	File     Settings     // of the whole file
	Own      *Credentials // of the whole file
	Revision string       // digest of the configuration that it was compiled from
	At       Pos
}

// Named is a gate in its place.
type Named struct {
	Name    string
	Gate    Gate
	Observe bool // record refusals, do not act on them; faults still refuse
}

// Observes reports whether the connection does not act on refusals of a gate.
func (c *Connection) Observes(gate string) bool {
	for i := range c.Gates {
		if g := &c.Gates[i]; g.Name == gate {
			return g.Observe
		}
	}
	return false
}

// Direction is the way a call goes.
type Direction uint8

// Directions.
const (
	ToUpstream Direction = iota
	ToAgent
)

func (d Direction) String() string { return [...]string{"to-upstream", "to-agent"}[d] }

// Call is one message to judge: a request, or a notification, which is a call without a reply. Gates do not change it.
// It is valid until the message is dealt with; nothing may keep it longer.
type Call struct {
	Ref        Ref
	Time       time.Time
	Agent      *Agent      // nil: nobody; refused
	Connection *Connection // nil: none grants the way; refused
	Upstream   string      // name, as the agent asked for it
	Direction  Direction
	Frame      *wire.Frame // the message; what is judged here is what is sent
	Headers    []Header    // what goes on beside the message, as it came
	Method     string
	Target     string // decoded name of the tool or prompt, or URI of the resource; empty for other methods
	Task       string // type of the tool
	Round      int    // above 0: a retry with answers to what the upstream asked (MCP 2026-07-28, multi round-trip requests), of a call that is on record and was charged
	First      Ref    // of a retry: the call that it is a round of; 0 otherwise
	During     Ref    // of a message that an upstream sends while it works on a call: that call; 0 otherwise
	Origin     Origin
	Trace      func(Step) // set for calls that nobody makes, by explain and tests: gates judge them and use nothing up; see Passed
	Assumed    *Facts     // read where Trace is set, and nowhere else: what gates take for known of such a call; nil for nothing
}

// Header is a header of an agent's request that repeats nothing of the message and goes on with it.
type Header struct {
	Name  string
	Value string // as it came
	Text  string // what it stands for, where Value encodes it
}

// Origin says how a call came in. All of it is for the record; only Key is proof of anything.
type Origin struct {
	Transport string // http, stdio, sse or ws
	Protocol  string // revision of the protocol, empty before it is known
	Remote    string // address, or the user of the process on stdio
	Client    string // name that the client gives itself
	Key       string // id of the credential
	Session   string // digest of the session id, empty where there is none
}

// Step is one check that a call has passed or failed, told to explain.
type Step struct {
	Gate, Check string
	Passed      bool
	Detail      string
	At          Pos
}

// Passed tells explain of a check that held. It costs a comparison where nobody asks.
func (c *Call) Passed(check string, at Pos, detail string) {
	if c.Trace != nil {
		c.Trace(Step{Check: check, Passed: true, Detail: detail, At: at})
	}
}

// Ref is the random name of a call, by which agent, operator and record speak of the same one. It has 60 bits.
type Ref uint64

// NewRef draws a Ref from a source of randomness.
func NewRef(random io.Reader) (Ref, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0, fmt.Errorf("drawing a reference: %w", err)
	}
	return Ref(binary.LittleEndian.Uint64(b[:]) >> 4), nil
}

// refAlphabet is Crockford's: no letter is taken for another when read aloud.
const refAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ParseRef reads a Ref as String writes it and as people do: in either case, with or without dashes, with O for 0 and I or L
// for 1.
func ParseRef(text []byte) (r Ref, ok bool) {
	digits := 0
	for _, c := range text {
		switch {
		case c == '-':
			continue
		case c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		}
		switch c {
		case 'O':
			c = '0'
		case 'I', 'L':
			c = '1'
		}
		digit := strings.IndexByte(refAlphabet, c)
		if digit < 0 {
			return 0, false
		}
		r = r<<5 | Ref(digit)
		digits++
	}
	return r, digits == 12
}

// String writes a Ref as 7F3K-Q2XM-9RTA.
func (r Ref) String() string {
	return string(r.Append(make([]byte, 0, 14)))
}

// Append appends the text of a Ref.
func (r Ref) Append(dst []byte) []byte {
	for i := 11; i >= 0; i-- {
		dst = append(dst, refAlphabet[r>>(5*i)&31])
		if i == 8 || i == 4 {
			dst = append(dst, '-')
		}
	}
	return dst
}
