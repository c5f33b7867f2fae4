package guardrails

import (
	"encoding/json"
	"fmt"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Shown is a finding for the people whose text it is in.
type Shown struct {
	detect.Finding           // Start and End are of the leaf's text
	Name           string    // what people call the entity
	Pointer        string    // JSON pointer; empty where the text is no JSON
	At             wire.Span // bytes of the text
	Do             Action    // what a profile says; 0 for nothing
	Masked         string    // enough of the value to know it again
	Print          Print     // keyed hash of the value, where a vault is at hand
}

// Show tells what is found in a text, and what a profile would do about it if it were on its way in a direction. JSON is
// taken apart like a message, other text is one piece. It is for people at a terminal: unlike everything else here it gives
// away a part of what it finds. v may be nil; else it hashes what is found.
func (p *Profiles) Show(name string, way policy.Direction, text []byte, v *Vault) ([]Shown, error) {
	prof, ok := p.profiles[name]
	if !ok {
		return nil, fmt.Errorf("no profile of guardrails is named %q", name)
	}
	s := newScan(nil)
	defer s.free()
	whole := !json.Valid(text)
	if whole {
		quoted := wire.AppendQuote(nil, text)
		s.look(p.engine, quoted)
		if len(s.leaves) == 1 {
			s.leaves[0].Text = text // the same, where it is UTF-8
		}
	} else {
		s.look(p.engine, text)
	}
	s.decide(&gate{guards: []guard{{profile: prof}}}, &policy.Call{}, way)
	shown := make([]Shown, len(s.found))
	for i := range s.found {
		x := &s.found[i]
		out := Shown{Finding: x.Finding, Name: nameOf(x.Entity), Do: x.do, At: span(x.Start, x.End)}
		if !whole {
			out.Pointer, out.At = s.pointer(x.leaf, nil), s.span(x)
		}
		value := s.leaves[x.leaf].Text
		out.Masked = glimpse(x, value)
		if v != nil {
			var err error
			if out.Print, err = v.Print(value[x.Start:x.End]); err != nil {
				return nil, err
			}
		}
		shown[i] = out
	}
	return shown, nil
}

// Plain finds what there is in a text that is no message, in order of place.
func (p *Profiles) Plain(s *detect.Scratch, text []byte, emit func(detect.Finding)) {
	p.engine.Scan(s, []detect.Leaf{{Text: text}}, func(_ int, f detect.Finding) { emit(f) })
}

// glimpse shows the first three characters of a long secret, the end of other values, and nothing of what nobody could
// read.
func glimpse(x *sighting, text []byte) string {
	value := text[x.Start:x.End]
	switch {
	case x.Via != 0 || x.Kind == detect.Hidden || x.Kind == detect.Unread:
		return fmt.Sprintf("(%d bytes)", len(value))
	case x.Kind == detect.Injection:
		return fmt.Sprintf("(%d bytes of text)", len(value))
	case x.Kind == detect.Secret && len(value) < 12:
		return "***"
	case x.Kind == detect.Secret:
		return printable(value[:3]) + "***"
	default:
		return string(ending(x.Entity, value))
	}
}

func printable(b []byte) string {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return ""
		}
	}
	return string(b)
}
