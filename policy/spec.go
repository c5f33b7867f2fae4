package policy

import (
	"fmt"
	"maps"
	"strings"
)

// Spec describes a gate to everything that must know of it without knowing it: the decoder and the schema of the
// configuration, the catalogue of reasons, explain and metrics.
type Spec struct {
	Name    string // lower case; the gate's name in records
	Summary string // half a sentence: what the gate asks
	Reasons []*Reason
	config  func() any
	places  map[Place]func() any
	build   func(*Connection, any) (Gate, error)
}

// NewSpec describes a gate whose configuration is C, a struct whose fields are keys of a connection in the YAML. The
// package configs says which types such fields may have. build makes the gate of one connection, of which Gates is not
// set yet; it returns a nil Gate where the connection sets none of its keys and the gate then has nothing to say. Errors
// in what an admin wrote are returned as [Complaints].
func NewSpec[C any](name, summary string, reasons []*Reason, build func(*Connection, *C) (Gate, error)) Spec {
	return Spec{
		Name: name, Summary: summary, Reasons: reasons,
		config: func() any { return new(C) },
		build: func(c *Connection, cfg any) (Gate, error) {
			own, ok := cfg.(*C)
			if !ok {
				return nil, fmt.Errorf("building gate %s from %T: not its own configuration", name, cfg)
			}
			return build(c, own)
		},
	}
}

// Config returns a pointer to a new zero configuration of the gate, to decode into.
func (s Spec) Config() any { return s.config() }

// Build makes the gate of a connection from what Config returned and a decoder filled.
func (s Spec) Build(c *Connection, cfg any) (Gate, error) { return s.build(c, cfg) }

// On returns a Spec whose gate has keys at a place besides connections, read into what config returns: a pointer to a new
// struct of the kind that NewSpec describes.
func (s Spec) On(p Place, config func() any) Spec {
	s.places = maps.Clone(s.places)
	if s.places == nil {
		s.places = map[Place]func() any{}
	}
	s.places[p] = config
	return s
}

// ConfigOn returns a pointer to a new zero configuration of the gate at a place, or nil where it has no keys there.
func (s Spec) ConfigOn(p Place) any {
	if config, ok := s.places[p]; ok {
		return config()
	}
	return nil
}

// Complaint is one thing wrong in a configuration.
type Complaint struct {
	At   Pos
	Text string // what is wrong; no secrets
	Hint string // what to do, or empty
}

// Complaints are all the things wrong in one part of a configuration.
type Complaints []Complaint

func (c Complaints) Error() string {
	var b strings.Builder
	for i, x := range c {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", x.At, x.Text)
	}
	return b.String()
}
