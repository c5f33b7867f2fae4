package toolscope

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// UpstreamKeys are the keys of an upstream that this gate reads.
type UpstreamKeys struct {
	Pin PinMode `yaml:"pin" doc:"What is pinned as it is first seen: off (default), tools, or all: prompts, resource templates and instructions too. What changes or comes later is withheld until 'hopgate upstreams accept'."`
}

// PinMode is which definitions of an upstream are pinned. The zero PinMode pins none.
type PinMode uint8

// Modes.
const (
	PinOff PinMode = iota
	PinTools
	PinAll
)

var pinModes = []string{"off", "tools", "all"}

// UnmarshalText reads off, tools or all.
func (m *PinMode) UnmarshalText(text []byte) error {
	for i, name := range pinModes {
		if string(text) == name {
			*m = PinMode(i)
			return nil
		}
	}
	return fmt.Errorf("%q is neither off, tools nor all", text)
}

func (m PinMode) String() string { return pinModes[m] }

// SchemaEnum returns the values that there are.
func (*PinMode) SchemaEnum() []string { return pinModes }

// PinsOf returns which definitions of an upstream are pinned.
func PinsOf(u *policy.Upstream) PinMode {
	if keys := policy.Setting[UpstreamKeys](u.Settings, gateName); keys != nil {
		return keys.Pin
	}
	return PinOff
}

// pins reports whether definitions of a kind are pinned.
func (m PinMode) pins(k pin.Kind) bool { return m == PinAll || m == PinTools && k == pin.Tool }

// OpenPins reads the definitions that the state holds; see [pin.Open].
func OpenPins(state store.Reader, clock func() time.Time, tell func(pin.News) error) (*pin.Book, error) {
	return pin.Open(state, clock, appendLook, tell)
}

// Learn takes in what an upstream answers, as it was sent: into the catalog what tools there are, and into the book what
// is pinned. It keeps nothing of its arguments. After an error nothing of the answer may reach the agent.
func Learn(cat *Catalog, pins *pin.Book, c *policy.Call, result *wire.Frame) error {
	p := pin.Page{Upstream: c.Upstream, Agent: c.Agent.Name, First: !c.Frame.Has(wire.ParamsCursor), Last: !result.Has(wire.ResultNextCursor)}
	mode := PinsOf(c.Connection.Upstream)
	var member wire.Member
	key := "name"
	switch c.Method {
	case "tools/list":
		return learnTools(cat, pins, c, result, &p, mode)
	case "prompts/list":
		p.Kind, member = pin.Prompt, wire.ResultPrompts
	case "resources/templates/list":
		p.Kind, member, key = pin.Template, wire.ResultTemplates, "uriTemplate"
	case "initialize", "server/discover":
		p.Kind, p.First, p.Last = pin.Instructions, true, true
		if raw := result.Get(wire.ResultInstructions); raw != nil {
			p.Items = []pin.Definition{{Raw: raw}}
		}
		if !mode.pins(p.Kind) {
			return nil
		}
		return pins.See(&p)
	default:
		return nil
	}
	if !mode.pins(p.Kind) {
		return nil
	}
	p.Items = slices.Collect(definitions(result.Get(member), key))
	return pins.See(&p)
}

// learnTools takes in a list of tools, which is known of upstreams that are not pinned as well. One that says nothing new,
// and is the same as before, is not read.
func learnTools(cat *Catalog, pins *pin.Book, c *policy.Call, result *wire.Frame, p *pin.Page, mode PinMode) error {
	s := cat.shelf(c.Upstream)
	by, keeps := basisOf(result, s, pins, mode)
	keeps = keeps && p.First && p.Last
	if keeps {
		if _, known := s.said.of(&by); known {
			return nil
		}
	}
	cat.Learn(c.Upstream, result)
	if again := cat.listings.page(c, result); again != nil {
		s.blur(again)
	}
	p.Kind = pin.Tool
	p.Items = slices.Collect(definitions(result.Get(wire.ResultTools), "name"))
	if mode.pins(pin.Tool) {
		if err := pins.See(p); err != nil {
			return err
		}
		keeps = keeps && pins.Settled(p)
	} else {
		pins.Notice(p)
	}
	if now, _ := basisOf(result, s, pins, mode); keeps && now == by {
		s.said.keep(by, struct{}{})
	}
	return nil
}

// definitions yields the elements of a list that a call could name.
func definitions(array []byte, key string) iter.Seq[pin.Definition] {
	return func(yield func(pin.Definition) bool) {
		for _, raw := range wire.Elements(array) {
			e, _ := wire.Lookup(raw, key)
			if name, ok := wire.Unquote(e.Value); ok && len(name) > 0 && !yield(pin.Definition{Name: name, Raw: raw}) {
				return
			}
		}
	}
}

// pinned is what a gate asks of the book.
type pinned struct {
	mode   PinMode
	book   *pin.Book
	inputs *inputs
}

// item says why a definition may not be relied on, and returns it where it is pinned. It returns neither where nothing is
// pinned of its kind.
func (s *scope) item(k pin.Kind, name string) (*pin.Item, refusal) {
	if !s.pinned.mode.pins(k) || s.pinned.book.Assumes() {
		return nil, refusal{}
	}
	it := s.pinned.book.Find(s.upstream.Name, pin.ID{Kind: k, Name: name})
	var why *policy.Reason
	switch condition := it.Condition(); condition {
	case pin.Pinned:
		return it, refusal{}
	case pin.Unseen:
		why = reasonUnseen
	case pin.New:
		why = reasonNew
	case pin.Shadowing:
		why = reasonShadow
	case pin.Damaged:
		return nil, refusal{why: reasonChanged, at: s.upstream.At, detail: "what is kept of the definition cannot be read"}
	default:
		why = reasonChanged
	}
	return nil, refusal{why: why, at: s.upstream.At}
}

// tool says why a tool that the connection grants is withheld all the same, because of its definition. Calls and lists
// both ask it.
func (s *scope) tool(name, task string, c *policy.Call) (*pin.Item, refusal) {
	it, why := s.item(pin.Tool, name)
	if it == nil {
		return nil, why
	}
	if wrong := s.pinned.inputs.of(it).wrong; wrong != nil {
		return nil, refusal{why: reasonInputSchema, at: s.upstream.At, detail: wrong.Error()}
	}
	if s.tasks != nil && mild(task) && writes(it.Pinned) {
		if at, ok := s.doesTask(taskWrite); !ok {
			return nil, refusal{why: reasonTask, at: at, detail: "the pinned annotations say that the tool writes"}
		}
	}
	passed(c, "pin", s.upstream.At, "the definition is the pinned one")
	return it, refusal{}
}

// Task types whose names say what they do to a system; the score of an agent goes by the same names.
const (
	taskRead  = "read"
	taskWrite = "write"
)

// mild reports whether a task type promises that nothing is changed, or promises nothing.
func mild(task string) bool { return task == taskRead || task == policy.Unclassified }

// writes reports whether the annotations of a tool say that it changes something. They can only take away: what says
// that it reads is granted nothing for it (MCP 2025-11-25, tools: annotations are untrusted unless the server is).
func writes(definition []byte) bool {
	annotations, _ := wire.Lookup(definition, "annotations")
	reads, _ := wire.Lookup(annotations.Value, "readOnlyHint")
	destroys, _ := wire.Lookup(annotations.Value, "destructiveHint")
	return string(reads.Value) == "false" || string(destroys.Value) == "true" && string(reads.Value) != "true"
}

// Withheld says why a connection shows a tool to nobody, as the code of a reason; it is empty where the tool is listed.
// It asks what calls and lists ask.
func Withheld(c *policy.Connection, tool string) string {
	s := scopeOf(c)
	if s == nil {
		return policy.ReasonFault.Code
	}
	if _, r := s.callable(tool, s.upstream.Task(tool), s.seen.tool(tool), nil); !r.none() {
		return r.why.Code
	}
	return ""
}

// fits holds the arguments of a call against the pinned input schema.
func (s *scope) fits(it *pin.Item, c *policy.Call) policy.Verdict {
	if it == nil {
		return policy.Pass
	}
	f, err := s.pinned.inputs.of(it).check(c.Frame.Get(wire.ParamsArguments))
	switch {
	case err != nil:
		return policy.Refuse(reasonInputs, s.upstream.At, err.Error())
	case f != nil:
		v := policy.Refuse(reasonInputs, s.upstream.At, f.detail)
		v.Tell = f.tell
		return v
	}
	passed(c, "schema", s.upstream.At, "the arguments satisfy the pinned input schema")
	return policy.Pass
}

// silenced returns the edit that empties instructions which are not the pinned ones.
func (s *scope) silenced(r *wire.Frame, held *withholding) wire.Edits {
	if !r.Has(wire.ResultInstructions) {
		return nil
	}
	_, why := s.item(pin.Instructions, "")
	if why.none() {
		return nil
	}
	held.note(why)
	return wire.Edits{{At: r.Span(wire.ResultInstructions), New: []byte(`""`)}}
}

// withholding counts what a result leaves out because of definitions.
type withholding struct {
	at    policy.Pos
	codes []string // in the order in which they were first met
	times map[string]int
}

// note counts a refusal, where it is one for a definition.
func (w *withholding) note(r refusal) {
	switch r.why {
	case reasonUnseen, reasonNew, reasonChanged, reasonShadow, reasonInputSchema:
	default:
		return
	}
	if w.times == nil {
		w.times, w.at = map[string]int{}, r.at
	}
	if w.times[r.why.Code]++; w.times[r.why.Code] == 1 {
		w.codes = append(w.codes, r.why.Code)
	}
}

// findings tell of it on record.
func (w *withholding) findings() (all []policy.Finding) {
	for _, code := range w.codes {
		all = append(all, policy.Finding{Detail: fmt.Sprintf("%d withheld: %s", w.times[code], code), At: w.at})
	}
	return all
}
