package guardrails

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// Action is what is done about a finding. The zero Action is none that was written.
type Action uint8

// Actions, in order of strictness.
const (
	_ Action = iota
	Log
	Mask
	Hash
	Tokenize
	Surrogate
	Redact
	Drop
	Hold
	Block
)

var actionNames = []string{"", "log", "mask", "hash", "tokenize", "surrogate", "redact", "drop", "hold", "block"}

func (a Action) String() string { return actionNames[a] }

// UnmarshalText reads an action.
func (a *Action) UnmarshalText(text []byte) error {
	i, err := oneOf(text, actionNames[1:])
	*a = Action(i + 1)
	return err
}

// SchemaEnum returns the values that there are.
func (*Action) SchemaEnum() []string { return actionNames[1:] }

// Unscannable is what is done about what could not be looked at.
type Unscannable struct {
	Do Action
	At policy.Pos
}

// UnmarshalText reads block or log.
func (u *Unscannable) UnmarshalText(text []byte) error {
	i, err := oneOf(text, u.SchemaEnum())
	u.Do = [...]Action{Block, Log}[i]
	return err
}

// SchemaEnum returns the values that there are.
func (*Unscannable) SchemaEnum() []string { return []string{"block", "log"} }

// Way is which messages a rule is for. The zero Way is all.
type Way uint8

const (
	both Way = iota
	args
	result
)

// UnmarshalText reads a way.
func (w *Way) UnmarshalText(text []byte) error {
	i, err := oneOf(text, w.SchemaEnum())
	*w = Way(i)
	return err
}

// SchemaEnum returns the values that there are.
func (*Way) SchemaEnum() []string { return []string{"both", "args", "result"} }

func (w Way) holds(d policy.Direction) bool {
	return w == both || (w == args) == (d == policy.ToUpstream)
}

// Level is how sure a finding must be. The zero Level is medium.
type Level uint8

const (
	medium Level = iota
	low
	high
)

// UnmarshalText reads a level.
func (l *Level) UnmarshalText(text []byte) error {
	i, err := oneOf(text, l.SchemaEnum())
	*l = Level(i)
	return err
}

// SchemaEnum returns the values that there are.
func (*Level) SchemaEnum() []string { return []string{"medium", "low", "high"} }

// least is the confidence that a level asks for, in percent; see [detect.Finding].
func (l Level) least() uint8 { return [...]uint8{medium: 50, low: 0, high: 80}[l] }

// OwnKind is the kind of what a rule of the operator's finds. The zero OwnKind is personal data.
type OwnKind uint8

var ownKinds = []string{"pii", "secret", "injection"}

// UnmarshalText reads a kind.
func (k *OwnKind) UnmarshalText(text []byte) error {
	i, err := oneOf(text, ownKinds)
	*k = OwnKind(i)
	return err
}

// SchemaEnum returns the values that there are.
func (*OwnKind) SchemaEnum() []string { return ownKinds }

func (k OwnKind) kind() detect.Kind {
	return [...]detect.Kind{detect.PII, detect.Secret, detect.Injection}[k]
}

func oneOf(text []byte, words []string) (int, error) {
	if i := slices.Index(words, string(text)); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("%q is none of %s", text, strings.Join(words, ", "))
}
