package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// Severity is whether a diagnostic stands in the way of using the file.
type Severity uint8

// Severities.
const (
	Error Severity = iota
	Warning
)

func (s Severity) String() string { return [...]string{"error", "warning"}[s] }

// Diagnostic is one thing to say about a configuration.
type Diagnostic struct {
	File      string
	Line, Col int // from 1, in lines and characters
	EndCol    int // the column behind the last character on this line that is meant; at least Col+1
	Severity  Severity
	Code      Code
	Path      string // of keys from the root, like connections.ci.tools[2]; empty for the file itself
	Text      string // what is wrong, in half a sentence; no secrets
	Hint      string // what to do, or empty
	Source    string // the line as it is written, without secrets; empty where it says nothing
}

// String is the diagnostic as one line, without hint and source.
func (d Diagnostic) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s: %s", d.File, d.Line, d.Col, d.Severity, d.Text)
	if d.Path != "" {
		s += "  [" + d.Path + "]"
	}
	return s
}

// Diagnostics is everything to say about a configuration, in the order of the file. As an error it has at least one of
// severity Error.
type Diagnostics []Diagnostic

// Error is one line for each diagnostic. [Diagnostics.Render] shows more.
func (d Diagnostics) Error() string {
	lines := make([]string, len(d))
	for i := range d {
		lines[i] = d[i].String()
	}
	return strings.Join(lines, "\n")
}

// Count returns how many of a severity there are.
func (d Diagnostics) Count(s Severity) int {
	n := 0
	for i := range d {
		if d[i].Severity == s {
			n++
		}
	}
	return n
}

// maxDiagnostics bounds a report; nobody reads further, and a file must not cost memory without end.
const maxDiagnostics = 1000

// maxText bounds the characters of one sentence, which may name what stands in the file.
const maxText = 500

// maxSuggestions bounds how many diagnostics of one file get a did-you-mean, because each compares a name with all others.
const maxSuggestions = 100

// report collects diagnostics. It keeps one where the same is said about one place several times, as happens with what
// aliases, defaults and patterns bring in more than once.
type report struct {
	src    *source
	list   Diagnostics
	seen   map[said]struct{}
	raised int // errors, repeated ones included: whoever compares counts learns whether there was one
	lost   int // diagnostics beyond the bound
}

type said struct {
	line, col int
	text      string
}

func newReport(src *source) *report { return &report{src: src, seen: map[said]struct{}{}} }

// fail adds an error.
func (r *report) fail(c Code, at policy.Pos, path, text, hint string) {
	r.raised++
	r.add(Diagnostic{Severity: Error, Code: c, Path: path, Text: text, Hint: hint}, at)
}

// warn adds a warning.
func (r *report) warn(c Code, at policy.Pos, path, text, hint string) {
	r.add(Diagnostic{Severity: Warning, Code: c, Path: path, Text: text, Hint: hint}, at)
}

func (r *report) add(d Diagnostic, at policy.Pos) {
	d.File, d.Text, d.Hint = r.src.name, clean(d.Text, maxText), clean(d.Hint, maxText)
	d.Line, d.Col = r.src.inside(at.Line, at.Col)
	key := said{d.Line, d.Col, d.Text}
	if _, again := r.seen[key]; again {
		return
	}
	if len(r.list) >= maxDiagnostics {
		r.lost++
		return
	}
	r.seen[key] = struct{}{}
	r.list = append(r.list, d)
}

// suggest is didYouMean, within the bound of one file.
func (r *report) suggest(name string, known []string) string {
	if len(r.list) > maxSuggestions {
		return ""
	}
	return didYouMean(name, known)
}

// finish returns what was collected, in the order of the file, each with its line.
func (r *report) finish() Diagnostics {
	if r.lost > 0 {
		r.list = append(r.list, Diagnostic{
			File: r.src.name, Line: len(r.src.lines), Col: 1, Code: CodeTooMany,
			Text: fmt.Sprintf("%d more mistakes are not shown", r.lost),
		})
	}
	slices.SortStableFunc(r.list, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	if len(r.list) == 0 {
		return nil
	}
	ends, secrets := r.src.ends(), r.src.secrets()
	for i := range r.list {
		d := &r.list[i]
		d.EndCol = max(ends[place{d.Line, d.Col}], d.Col+1)
		d.Source = r.src.excerpt(d.Line, secrets)
	}
	return r.list
}
