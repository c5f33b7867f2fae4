package configs

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/hopgate/hopgate/policy"
)

// start is where a node begins, past its anchor.
func (s *source) start(n *yaml.Node) policy.Pos { return s.pos(s.begin(n)) }

func (s *source) begin(n *yaml.Node) place {
	at := place{n.Line, n.Column}
	if n.Anchor == "" {
		return at
	}
	rest := s.from(at)
	after := strings.TrimLeft(strings.TrimPrefix(rest, "&"+n.Anchor), " \t")
	if after == rest || after == "" || after[0] == '#' { // the value stands on another line
		return at
	}
	at.col += utf8.RuneCountInString(rest) - utf8.RuneCountInString(after)
	return at
}

// text is where the first character of a scalar's text stands: behind an opening quote, on the first line of a block.
// For other nodes it is where they begin.
func (s *source) text(n *yaml.Node) place {
	at := s.begin(n)
	switch {
	case n.Kind != yaml.ScalarNode:
	case quoted(n):
		at.col++
	case block(n):
		for line := at.line + 1; line <= len(s.lines); line++ {
			if text := strings.TrimLeft(s.lines[line-1], " "); text != "" {
				return place{line, len(s.lines[line-1]) - len(text) + 1}
			}
		}
	}
	return at
}

// within is the place of a byte in a scalar's text, where the text stands in the file as it is read, and the beginning of
// the text otherwise.
func (s *source) within(n *yaml.Node, offset int) place {
	at := s.text(n)
	if strings.HasPrefix(s.from(at), n.Value) {
		at.col += utf8.RuneCountInString(n.Value[:offset])
		return at
	}
	before, rest := n.Value[:offset], n.Value[offset:]
	line := strings.LastIndexByte(before, '\n') + 1
	in := place{at.line + strings.Count(before, "\n"), at.col + utf8.RuneCountInString(before[line:])}
	rest, _, _ = strings.Cut(rest, "\n")
	if n.Style&yaml.LiteralStyle != 0 && strings.HasPrefix(s.from(in), rest) { // not so behind lines that begin with blanks
		return in
	}
	return at
}

// end is the column behind a node's last character on its first line.
func (s *source) end(n *yaml.Node) int {
	at := s.begin(n)
	rest := s.from(at)
	length := 1
	switch {
	case n.Kind == yaml.AliasNode:
		length = 1 + utf8.RuneCountInString(n.Value)
	case n.Kind != yaml.ScalarNode:
	case quoted(n):
		end, _ := closing(rest)
		length = utf8.RuneCountInString(rest[:end])
	case strings.HasPrefix(rest, n.Value):
		length = utf8.RuneCountInString(n.Value)
	default: // it goes on below
		length = utf8.RuneCountInString(strings.TrimRight(rest, " \t"))
	}
	return at.col + max(length, 1)
}

func quoted(n *yaml.Node) bool { return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 }

func block(n *yaml.Node) bool { return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// closing returns the index behind the quote that ends the quoted scalar at the start of a text, or the text's length and
// false where the scalar goes on below.
func closing(text string) (end int, ok bool) {
	for i := 1; i < len(text); i++ {
		switch {
		case text[0] == '"' && text[i] == '\\':
			i++
		case text[i] != text[0]:
		case text[0] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		default:
			return i + 1, true
		}
	}
	return len(text), false
}

// ends tells for the beginning of each node, and of each scalar's text, where it ends on that line. An outer node comes
// before the inner ones that begin at the same place, so the innermost counts.
func (s *source) ends() map[place]int {
	ends := make(map[place]int, len(s.nodes))
	for _, n := range s.nodes {
		end := s.end(n)
		ends[s.begin(n)] = end
		if at := s.text(n); at != s.begin(n) && at.line == n.Line {
			ends[at] = max(end-1, at.col+1) // without the closing quote
		}
	}
	return ends
}

// maxExcerpt bounds the characters of a line that an excerpt keeps.
const maxExcerpt = 4096

// excerpt is a line of the file as it may be shown: without the scalars that are secrets, and without characters that a
// terminal obeys.
func (s *source) excerpt(line int, secrets []region) string {
	text := []rune(s.lines[line-1])
	if s.blind {
		text = []rune(guarded(s.lines[line-1]))
	}
	if len(text) > maxExcerpt {
		text = text[:maxExcerpt]
	}
	for i, c := range text {
		if !visible(c) {
			text[i] = utf8.RuneError
		}
	}
	for _, r := range secrets {
		if r.from.line > line || r.to.line < line {
			continue
		}
		for i := range text {
			if at := (place{line, i + 1}); !at.before(r.from) && at.before(r.to) {
				text[i] = '•'
			}
		}
	}
	return string(text)
}

// guarded hides what follows a name of a secret on a line of a file that is not YAML.
func guarded(line string) string {
	for at := range line {
		key := strings.TrimRight(line[:at], ` "'`)
		if line[at] == ':' && secretive(key[strings.LastIndexAny(key, ` "',{[`)+1:]) {
			value := strings.Trim(line[at+1:], ` "'`)
			if value == "" || openForm.MatchString(value) {
				return line
			}
			return line[:at+1] + strings.Repeat("•", utf8.RuneCountInString(line[at+1:]))
		}
	}
	return line
}

// region is a stretch of the file, without its end.
type region struct{ from, to place }

// secrets are the regions of the scalars that no excerpt may show. One that has more than one line reaches to the next
// node, because YAML does not say where it ends.
func (s *source) secrets() []region {
	all := s.kept
	for i, n := range s.nodes {
		if _, secret := s.masks[n]; !secret {
			continue
		}
		from := s.begin(n)
		to := place{from.line, s.end(n)}
		if !s.oneLine(n) {
			to = place{len(s.lines) + 1, 1}
			if i+1 < len(s.nodes) {
				to = s.begin(s.nodes[i+1])
			}
		}
		all = append(all, region{from, to})
	}
	return all
}

// bare is what is needed for excerpts alone, without the nodes, which take many times the room of the text.
func (s *source) bare() *source { return &source{name: s.name, lines: s.lines, kept: s.secrets()} }

// oneLine reports whether a scalar ends on the line on which it begins.
func (s *source) oneLine(n *yaml.Node) bool {
	rest := s.from(s.begin(n))
	switch {
	case block(n):
		return false
	case quoted(n):
		_, ok := closing(rest)
		return ok
	default:
		return strings.HasPrefix(rest, n.Value)
	}
}
