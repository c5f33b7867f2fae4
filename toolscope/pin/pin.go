// Package pin says which definitions of an upstream somebody has agreed to: tools, prompts, resource templates and
// instructions as they were first seen, or as an operator has accepted them since.
//
// A definition is its raw bytes, from the first to the last of the element in the list: order of members, white space and
// members that nobody knows count. What differs from them is withheld until an operator accepts it, and so is what comes
// later than the first list. The package reads no protocol, withholds nothing itself and does not say what a definition
// means; it keeps the bytes, so that a difference can be shown.
package pin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Kind is what a definition defines.
type Kind byte

// Kinds, as they stand in keys.
const (
	Tool         Kind = 't'
	Prompt       Kind = 'p'
	Template     Kind = 'r'
	Instructions Kind = 'i' // of the whole upstream; the name is empty
)

var kinds = map[Kind]string{Tool: "tool", Prompt: "prompt", Template: "template", Instructions: "instructions"}

func (k Kind) String() string { return kinds[k] }

// ID names a definition of an upstream.
type ID struct {
	Kind Kind
	Name string
}

// String writes an ID as operators do: a tool by its name, anything else with its kind before it.
func (id ID) String() string {
	if id.Kind == Tool {
		if _, ambiguous := cutKind(id.Name); !ambiguous {
			return id.Name
		}
	}
	return id.Kind.String() + ":" + id.Name
}

// ParseID reads what String writes.
func ParseID(text string) ID {
	if id, ok := cutKind(text); ok {
		return id
	}
	return ID{Tool, text}
}

func cutKind(text string) (ID, bool) {
	for k, name := range kinds {
		if rest, ok := strings.CutPrefix(text, name+":"); ok {
			return ID{k, rest}, true
		}
	}
	return ID{}, false
}

// Condition is whether a definition may be relied on. Under any but Pinned it is withheld.
type Condition uint8

// Conditions. The zero Condition relies on nothing.
const (
	Unseen    Condition = iota // it was never seen, or is beyond the bounds
	Damaged                    // what is kept of it cannot be read
	New                        // it came later than the first list
	Changed                    // it was seen with other bytes than those that are pinned
	Shadowing                  // its name looks like that of another upstream's tool, which was seen before
	Pinned
)

func (c Condition) String() string {
	return [...]string{"unseen", "damaged", "new", "changed", "shadowing", "pinned"}[c]
}

// Digest is the SHA-256 of a definition's bytes.
type Digest [sha256.Size]byte

// String writes the first half of a digest. An upstream that wants two definitions with the same one has to try 2^64.
func (d Digest) String() string { return hex.EncodeToString(d[:sha256.Size/2]) }

// Item is what is kept of one definition. It is immutable; another one takes its place when something changes.
type Item struct {
	ID      ID
	Pinned  []byte // bytes that are agreed to; nil for none
	Seen    []byte // other bytes that were seen, and wait; nil for none
	Shadows string // the tool of another upstream that its name looks like, as UPSTREAM/TOOL; empty for none, and when accepted
	Times   uint64 // that it has changed since somebody agreed
	Since   int64  // Unix time from which Pinned is agreed to, or from which it waits where nothing is pinned
	Changed int64  // Unix time at which Seen was first seen
	By      string // agent that was shown Seen

	digest  Digest // of Pinned
	damaged bool
}

// Condition says whether the definition may be relied on. It is safe on nil.
func (i *Item) Condition() Condition {
	switch {
	case i == nil:
		return Unseen
	case i.damaged:
		return Damaged
	case i.Pinned == nil:
		return New
	case i.Seen != nil:
		return Changed
	case i.Shadows != "":
		return Shadowing
	}
	return Pinned
}

// Digest is that of the pinned bytes.
func (i *Item) Digest() Digest { return i.digest }

// Waiting are the bytes that an operator is asked to accept: those that were seen last, or where nothing has changed
// those that are pinned.
func (i *Item) Waiting() []byte {
	if i.Seen != nil {
		return i.Seen
	}
	return i.Pinned
}

// Sum is the digest of a definition.
func Sum(definition []byte) Digest { return sha256.Sum256(definition) }

// Bounds of what is kept of one upstream.
const (
	MaxBytes  = 192 << 10 // of one definition
	maxItems  = 4096
	maxTotal  = 16 << 20 // of all definitions, both those pinned and those seen
	maxName   = 16 << 10 // of a name; the longest are URIs
	maxTimes  = 8        // changes of one definition that are kept before an operator looks
	firstTime = 10 * 60  // seconds that a first list of several pages may take
)

// Page is one list, or page of one, as an upstream has sent it.
type Page struct {
	Upstream string
	Agent    string // that it was sent to
	Kind     Kind
	Items    []Definition
	First    bool // nothing of the list came before it
	Last     bool // nothing of the list comes after it
}

// Definition is an element of a page. It is not kept.
type Definition struct {
	Name []byte
	Raw  []byte
}

// News is what a page has changed in what is kept of an upstream.
type News struct {
	Upstream, Agent string
	Kind            Kind
	Pinned          []string // names that were seen for the first time
	New             []string // that came later
	Changed         []string
	Shadowing       []string // as NAME like UPSTREAM/TOOL
	Gone            []string // that are on the list no more
	Beyond          int      // elements beyond the bounds
}

// empty reports whether there is nothing to tell.
func (n *News) empty() bool {
	return len(n.Pinned)+len(n.New)+len(n.Changed)+len(n.Shadowing)+len(n.Gone)+n.Beyond == 0
}

// Withheld reports whether something is withheld that was not before.
func (n *News) Withheld() bool { return len(n.New)+len(n.Changed)+len(n.Shadowing)+n.Beyond > 0 }

// mostNames bounds the names of one sort that a summary tells.
const mostNames = 8

// Summary tells the news in one line.
func (n *News) Summary() string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) == 0 {
			return
		}
		text := fmt.Sprintf("%s %d", what, len(names))
		if what != "pinned" {
			shown := names[:min(len(names), mostNames)]
			text += ": " + strings.Join(shown, ", ")
		}
		parts = append(parts, text)
	}
	add("pinned", n.Pinned)
	add("new", n.New)
	add("changed", n.Changed)
	add("shadowing", n.Shadowing)
	add("gone", n.Gone)
	if n.Beyond > 0 {
		parts = append(parts, fmt.Sprintf("beyond the bounds %d", n.Beyond))
	}
	return n.Kind.String() + ": " + strings.Join(parts, "; ")
}
