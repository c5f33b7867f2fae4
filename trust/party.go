package trust

import (
	"fmt"
	"strings"
)

// Party is who has a score: an agent or an upstream.
type Party struct {
	kind byte
	name string
}

// Kinds of parties, as they stand in keys.
const (
	kindAgent    = 'a'
	kindUpstream = 'u'
)

// Agent is the agent of a name.
func Agent(name string) Party { return Party{kindAgent, name} }

// Upstream is the upstream of a name.
func Upstream(name string) Party { return Party{kindUpstream, name} }

// Name is the name in the configuration.
func (p Party) Name() string { return p.name }

// IsUpstream reports whether the party is an upstream.
func (p Party) IsUpstream() bool { return p.kind == kindUpstream }

// String writes a party as agent NAME or upstream NAME.
func (p Party) String() string {
	if p.IsUpstream() {
		return "upstream " + p.name
	}
	return "agent " + p.name
}

// Keys of the state. A party has a record, and a mark that it has one, so that a lost record is not taken for none.
const (
	prefix     = "t/"
	markPrefix = prefix + "m/"
	rulesKey   = prefix + "rules"
)

func (p Party) key() string  { return prefix + string(p.kind) + "/" + p.name }
func (p Party) mark() string { return markPrefix + string(p.kind) + "/" + p.name }

// partyOf reads the party out of a key behind a prefix.
func partyOf(key, before string) (Party, bool) {
	rest, ok := strings.CutPrefix(key, before)
	if !ok || len(rest) < 3 || rest[1] != '/' || rest[0] != kindAgent && rest[0] != kindUpstream {
		return Party{}, false
	}
	return Party{rest[0], rest[2:]}, true
}

// Condition is whether a score can be relied on. Under any but Sound the score is 0.
type Condition uint8

// Conditions. The zero Condition trusts nobody.
const (
	Unknown     Condition = iota // never registered
	Damaged                      // the record is lost or cannot be read
	Stale                        // the clock is behind the record
	Quarantined                  // until an operator releases it
	Sound
)

func (c Condition) String() string {
	return [...]string{"unknown", "damaged", "stale", "quarantined", "sound"}[c]
}

// MarshalText writes the name of the condition.
func (c Condition) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the name of a condition.
func (c *Condition) UnmarshalText(text []byte) error {
	for x := Unknown; x <= Sound; x++ {
		if x.String() == string(text) {
			*c = x
			return nil
		}
	}
	return fmt.Errorf("%q is no condition", text)
}

// Standing is how far a party is trusted at a moment.
type Standing struct {
	Score     int       `json:"score"` // 0 to 1000
	Condition Condition `json:"condition"`
	Params    string    `json:"params,omitempty"` // version of the parameters that the score is made by
}
