package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"github.com/hopgate/hopgate/policy"
)

// Bounds of one file.
const (
	maxSource = 8 << 20 // bytes
	maxDepth  = 64      // mappings and lists inside each other
)

// place is a line and a column, both from 1, in characters.
type place struct{ line, col int }

// before reports whether a place comes first.
func (p place) before(o place) bool { return p.line < o.line || p.line == o.line && p.col < o.col }

// source is the text of one file: its lines, and the nodes that YAML finds in them.
type source struct {
	name  string
	lines []string
	nodes []*yaml.Node            // in the order of the text, none twice
	masks map[*yaml.Node]struct{} // scalars that no excerpt may show
	kept  []region                // what bare kept of masks
	blind bool                    // it is not YAML: nobody knows where its values begin and end
}

// newSource splits the text into lines as YAML does, once the characters are gone at which opinions differ.
func newSource(name string, data []byte) *source {
	text := strings.TrimPrefix(string(data), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.ReplaceAll(text, "\r", "\n")
	lines := strings.Split(text, "\n")
	if len(lines) > 1 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return &source{name: name, lines: lines, masks: map[*yaml.Node]struct{}{}}
}

// inside moves a place that lies outside the file to the nearest one inside.
func (s *source) inside(line, col int) (int, int) {
	line = min(max(line, 1), len(s.lines))
	return line, min(max(col, 1), utf8.RuneCountInString(s.lines[line-1])+1)
}

func (s *source) pos(p place) policy.Pos { return policy.Pos{File: s.name, Line: p.line, Col: p.col} }

// from returns the text of a line from a column on.
func (s *source) from(p place) string {
	if p.line < 1 || p.line > len(s.lines) {
		return ""
	}
	line := s.lines[p.line-1]
	for i := range line {
		if p.col--; p.col == 0 {
			return line[i:]
		}
	}
	return ""
}

// check reports the characters that YAML refuses or reads differently than an editor shows them, and says whether there
// were none. Whoever reviews a policy must see what is loaded.
func (s *source) check(r *report) bool {
	sound := true
	for i, line := range s.lines {
		col := 0
		for at, c := range line {
			col++
			broken := c == utf8.RuneError && !strings.HasPrefix(line[at:], "\ufffd")
			if visible(c) && !broken {
				continue
			}
			sound = false
			text := fmt.Sprintf("character U+%04X cannot be seen and is not allowed", c)
			if broken {
				text = "this is not UTF-8"
			}
			r.fail(CodeSyntax, s.pos(place{i + 1, col}), "", text, "")
			break // one for each line
		}
	}
	return sound
}

// visible reports whether a character shows, to every editor, at the place where it stands.
func visible(c rune) bool {
	switch c {
	case '\t':
		return true
	case '\u2028', '\u2029', '\ufeff':
		return false // line breaks to some, nothing to others
	default:
		return !unicode.Is(unicode.Cc, c) && !unicode.Is(unicode.Bidi_Control, c) && c != 0xfffe && c != 0xffff
	}
}

// parse reads the text as one YAML document and returns its root, or nil where that failed.
func (s *source) parse(data []byte, r *report) *yaml.Node {
	limits := yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth)))
	loader, err := yaml.NewLoader(bytes.NewReader(data), limits)
	if err != nil {
		r.fail(CodeSyntax, policy.Pos{}, "", "not YAML", "")
		return nil
	}
	var doc, second yaml.Node
	switch err := loader.Load(&doc); {
	case errors.Is(err, io.EOF), err == nil && (doc.Kind != yaml.DocumentNode || len(doc.Content) != 1):
		r.fail(CodeDocuments, policy.Pos{}, "", "the file holds no document", "begin with the line version: 1")
		return nil
	case err != nil:
		s.syntax(err, r)
		return nil
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
		return doc.Content[0]
	case err != nil:
		s.syntax(err, r)
	default:
		r.fail(CodeDocuments, s.pos(place{second.Line, second.Column}), "", "a second document begins here",
			"a configuration is one document; remove the line ---")
	}
	return nil
}

// syntax reports what YAML says of the text.
func (s *source) syntax(err error, r *report) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.fail(CodeSyntax, policy.Pos{}, "", "not YAML", "")
		return
	}
	at, text, hint := place{e.Mark.Line, e.Mark.Column}, "not YAML: "+e.Message, ""
	if e.ContextMsg != "" {
		text += " " + e.ContextMsg
		if e.ContextMark.Line > 0 && e.ContextMark.Line != e.Mark.Line {
			text += fmt.Sprintf(" that begins on line %d", e.ContextMark.Line)
		}
	}
	start := at
	if e.ContextMark.Line == at.line {
		start = place{e.ContextMark.Line, e.ContextMark.Column}
	}
	if rest := s.from(start); rest != "" && strings.ContainsRune("*&!%@`", rune(rest[0])) {
		at, hint = start, fmt.Sprintf("text that begins with %c needs quotes", rest[0])
	}
	if line := s.from(place{at.line, 1}); strings.HasPrefix(strings.TrimLeft(line, " "), "\t") {
		hint = "indent with blanks, not with tabs"
	}
	r.fail(CodeSyntax, s.pos(at), "", text, hint)
}

// walk checks a tree for what holds in every mapping, whatever it means, and remembers the nodes. It does not follow
// aliases: what they name is in the tree already.
func (s *source) walk(n *yaml.Node, path string, r *report) {
	s.nodes = append(s.nodes, n)
	if n.Style&yaml.TaggedStyle != 0 {
		r.fail(CodeFeature, s.start(n), path, "tags are not part of this language",
			"remove "+tagOf(s.from(s.begin(n)))+", or put the text in quotes if it begins with !")
	}
	switch n.Kind {
	case yaml.MappingNode:
		first := make(map[string]*yaml.Node, len(n.Content)/2)
		for key, value := range pairs(n) {
			at := join(path, step(key.Value))
			s.key(key, first, path, r)
			if secretive(key.Value) {
				s.mask(value) // it may stand where nothing decodes it, because another key is misspelt
			}
			s.walk(key, path, r)
			s.walk(value, at, r)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			s.walk(item, fmt.Sprintf("%s[%d]", path, i), r)
		}
	default:
	}
}

// key checks one key against those before it in its mapping.
func (s *source) key(key *yaml.Node, first map[string]*yaml.Node, path string, r *report) {
	switch {
	case key.Kind != yaml.ScalarNode:
		r.fail(CodeFeature, s.start(key), path, "a key is a plain text", "")
	case key.Tag == "!!merge":
		r.fail(CodeFeature, s.start(key), path, "merge keys are not part of this language",
			"use defaults.connection, or an alias for a whole value")
	case first[key.Value] != nil:
		r.fail(CodeDuplicate, s.start(key), path, fmt.Sprintf("duplicate key %q", key.Value),
			fmt.Sprintf("first set on line %d", first[key.Value].Line))
	default:
		first[key.Value] = key
	}
}

// pairs yields the keys and values of a mapping.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// mask hides a scalar from excerpts, unless all of it is references and a scheme.
func (s *source) mask(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Value != "" && !openForm.MatchString(n.Value) {
		s.masks[n] = struct{}{}
	}
}

// maxStep bounds the characters of a path that one key takes. Names are no longer.
const maxStep = 64

// step is a key as paths show it.
func step(key string) string { return clean(key, maxStep) }

// clean is a text as it may be shown on one line of a terminal, cut at a number of characters.
func clean(text string, most int) string {
	var b strings.Builder
	for _, c := range text {
		if most--; most < 0 {
			b.WriteString("…")
			break
		}
		if c == '\n' {
			c = ' '
		}
		if !visible(c) {
			c = utf8.RuneError
		}
		b.WriteRune(c)
	}
	return b.String()
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// tagOf returns the tag with which a text begins.
func tagOf(text string) string {
	if end := strings.IndexAny(text, " \t,[]{}"); end >= 0 {
		return text[:end]
	}
	return text
}
