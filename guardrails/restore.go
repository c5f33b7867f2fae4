package guardrails

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Restore is a place where tokens are put back: arguments of a tool.
type Restore struct {
	Tool policy.Pattern // TOOL or UPSTREAM/TOOL
	Path policy.Pattern // JSON pointer into the arguments
}

// UnmarshalText reads a place like crm/send_mail:/to.
func (r *Restore) UnmarshalText(text []byte) error {
	tool, path, ok := strings.Cut(string(text), ":/")
	if !ok {
		return fmt.Errorf("%q names no argument: write TOOL:/ARGUMENT", text)
	}
	return errors.Join(r.Tool.UnmarshalText([]byte(tool)), r.Path.UnmarshalText([]byte("/"+path)))
}

// SchemaPattern is the form of a place.
func (*Restore) SchemaPattern() string { return `^[^:]+:/` }

// SchemaTitle says what messages call a value.
func (*Restore) SchemaTitle() string { return "a tool and an argument, like crm/send_mail:/to" }

// maxRestored bounds the tokens that are put back in one call. What is beyond stays text.
const maxRestored = 64

// restored is a call with values in the place of their tokens.
type restored struct {
	call   policy.Call // with the values
	values [][]byte
	notes  []policy.Finding
}

// restore puts back what tokens of the agent stand for, where a rule says so: in arguments of tools, on the way to the
// server. It returns nil where there is nothing to put back.
func (g *gate) restore(c *policy.Call) (*restored, error) {
	if c.Method != "tools/call" || c.Direction != policy.ToUpstream || c.Frame.Kind != wire.KindRequest || !bytes.Contains(c.Frame.Raw, []byte(tokenMark)) {
		return nil, nil
	}
	rules := g.restoring(c)
	if rules == nil {
		return nil, nil
	}
	s := newScan(nil)
	defer s.free()
	s.read(c.Frame.Raw, g.engine, s.scratch)
	out := &restored{call: *c}
	var edits wire.Edits
	for i := range s.leaves {
		more, err := g.put(out, s, i, rules, c)
		if err != nil {
			return nil, err
		}
		edits = append(edits, more...)
	}
	if edits == nil {
		return nil, nil
	}
	slices.SortFunc(edits, byPlace)
	raw, err := edits.Splice(make([]byte, 0, len(c.Frame.Raw)+64*len(edits)), c.Frame.Raw)
	if err != nil {
		return nil, fmt.Errorf("putting back what tokens stand for: %w", err)
	}
	out.call.Frame = new(wire.Frame)
	if err := wire.Parse(out.call.Frame, raw, c.Frame.From, &c.Connection.Limits); err != nil {
		return nil, fmt.Errorf("reading what tokens were put back in: %w", err)
	}
	return out, nil
}

// restoring returns the rules that put tokens back in a call.
func (g *gate) restoring(c *policy.Call) (rules []*rule) {
	for i := range g.guards {
		if w := &g.guards[i]; w.tool == nil || w.tool.Match(c.Target) {
			for j := range w.profile.rules {
				if r := &w.profile.rules[j]; slices.ContainsFunc(r.restore, func(to Restore) bool { return named([]policy.Pattern{to.Tool}, c) }) {
					rules = append(rules, r)
				}
			}
		}
	}
	return rules
}

// put returns the edits that put values back in one leaf.
func (g *gate) put(out *restored, s *scan, leaf int, rules []*rule, c *policy.Call) (edits wire.Edits, err error) {
	p, text := &s.places[leaf], s.leaves[leaf].Text
	if p.form != formText || !within([]wire.Span{c.Frame.Span(wire.ParamsArguments)}, p.at) {
		return nil, nil
	}
	const arguments = "/params/arguments"
	for at := 0; len(out.values) < maxRestored; {
		mark := bytes.Index(text[at:], []byte(tokenMark))
		if mark < 0 {
			break
		}
		mark += at
		at = mark + len(tokenMark)
		lo, hi := bytes.LastIndexByte(text[:mark], '['), at+tokenLetters+1
		if lo < 0 || hi > len(text) || text[hi-1] != ']' {
			continue
		}
		name, id, _ := split(text[lo+1 : hi-1])
		pointer := s.pointer(leaf, nil)
		t, r := g.due(name, id, strings.TrimPrefix(pointer, arguments), rules, c)
		if r == nil {
			continue
		}
		value, err := g.vault.open(id, t)
		if err != nil {
			return nil, err
		}
		if whole := lo == 0 && hi == len(text); !whole && !harmless(value) {
			continue
		}
		quoted := wire.AppendQuote(nil, value)
		edits = append(edits, wire.Edit{At: s.bytes(leaf, lo, hi), New: quoted[1 : len(quoted)-1]})
		out.values = append(out.values, value)
		out.notes = append(out.notes, policy.Finding{Detail: fmt.Sprintf("restored: %s at %s", name, pointer), At: r.at})
	}
	return edits, nil
}

// due returns what a token stands for and the rule that puts it back at a place of the arguments; nil where none does.
func (g *gate) due(name, id, pointer string, rules []*rule, c *policy.Call) (*token, *rule) {
	t := g.vault.find(name, id, link{c.Agent.Name, c.Connection.Name})
	if t == nil {
		return nil, nil
	}
	return t, allowing(rules, t, pointer, c)
}

// allowing returns the rule that puts a token back at a place of the arguments, or nil.
func allowing(rules []*rule, t *token, pointer string, c *policy.Call) *rule {
	i := slices.IndexFunc(rules, func(r *rule) bool {
		return r.finds(t.Kind, t.Entity) && slices.ContainsFunc(r.restore, func(to Restore) bool {
			return to.Path.Match(pointer) && named([]policy.Pattern{to.Tool}, c)
		})
	})
	if i < 0 {
		return nil
	}
	return rules[i]
}

// harmless holds for values that mean nothing to what they may be put into: JSON, a shell, a query. What stands alone as an
// argument may be anything.
func harmless(value []byte) bool {
	return !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || strings.ContainsRune("\"'`\\$<>{}[]", r) })
}

// finds reports whether a rule is for something.
func (c *rule) finds(k detect.Kind, entity string) bool {
	return slices.Contains(c.kinds, k) || slices.Contains(c.entities, entity)
}

// judge judges a call with the values in it, because that is what the server gets, and rewrites the message that the agent
// has sent accordingly.
func (r *restored) judge(g *gate, c *policy.Call) (policy.Verdict, error) {
	v, err := g.inspect(&r.call, r.call.Frame, c.Direction, &sent, r.values)
	if err != nil || v.Effect != policy.Allow {
		return v, err
	}
	now, err := v.Rewrite.Splice(nil, r.call.Frame.Raw)
	if err != nil {
		return v, fmt.Errorf("rewriting what tokens were put back in: %w", err)
	}
	v.Rewrite = wire.Edits{difference(c.Frame.Raw, now)}
	v.Findings = append(r.notes, v.Findings...)
	return v, nil
}

// difference is the one edit that makes another message of one.
func difference(was, now []byte) wire.Edit {
	lo := 0
	for lo < len(was) && lo < len(now) && was[lo] == now[lo] {
		lo++
	}
	end := 0
	for end < len(was)-lo && end < len(now)-lo && was[len(was)-1-end] == now[len(now)-1-end] {
		end++
	}
	return wire.Edit{At: span(lo, len(was)-end), New: now[lo : len(now)-end]}
}

// spares reports whether a finding is a part of what was put back: to make a token of it again would be to put nothing back.
func (s *scan) spares(x *sighting) bool {
	text := s.leaves[x.leaf].Text[x.Start:x.End]
	return slices.ContainsFunc(s.spared, func(v []byte) bool { return bytes.Contains(v, text) })
}
