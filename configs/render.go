package configs

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Escapes of a terminal (ECMA-48 section 8.3.117).
const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[36m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

// Characters of a long line that an excerpt shows, and how many of them at most before the place that is meant.
const (
	excerptWidth = 120
	excerptLead  = 80
)

// Render writes the diagnostics for people: each with the line it is about, what is meant on it, and a way out; at the end
// how many there are. Colour is for terminals.
func (d Diagnostics) Render(w io.Writer, colour bool) error {
	p := painter{colour: colour}
	for i := range d {
		p.diagnostic(&d[i])
	}
	p.b.WriteString(d.summary())
	_, err := io.WriteString(w, p.b.String())
	return err
}

func (d Diagnostics) summary() string {
	var parts []string
	for _, s := range []Severity{Error, Warning} {
		switch n := d.Count(s); n {
		case 0:
		case 1:
			parts = append(parts, "1 "+s.String())
		default:
			parts = append(parts, fmt.Sprintf("%d %ss", n, s))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + "\n"
}

// painter collects text.
type painter struct {
	b      strings.Builder
	colour bool
}

func (p *painter) paint(style, text string) {
	if p.colour {
		text = style + text + reset
	}
	p.b.WriteString(text)
}

func (p *painter) diagnostic(d *Diagnostic) {
	style := red
	if d.Severity == Warning {
		style = yellow
	}
	p.paint(bold, fmt.Sprintf("%s:%d:%d:", d.File, d.Line, d.Col))
	p.b.WriteByte(' ')
	p.paint(style, d.Severity.String()+":")
	p.b.WriteString(" " + d.Text)
	if d.Path != "" {
		p.b.WriteString("  [" + d.Path + "]")
	}
	p.b.WriteByte('\n')
	number := fmt.Sprintf("%3d", d.Line)
	margin := strings.Repeat(" ", len(number))
	if line, at, width := d.excerpt(); strings.TrimSpace(line) != "" {
		p.paint(cyan, number+" | ")
		p.b.WriteString(line + "\n")
		p.paint(cyan, margin+" | ")
		p.b.WriteString(strings.Repeat(" ", at))
		p.paint(style, strings.Repeat("^", width))
		p.b.WriteByte('\n')
	}
	if d.Hint != "" {
		p.paint(cyan, margin+" = ")
		p.b.WriteString(d.Hint + "\n")
	}
}

// excerpt cuts from the line what fits on a screen. It returns the text, the characters before the place that is meant,
// and how many characters are meant.
func (d *Diagnostic) excerpt() (line string, at, width int) {
	text := []rune(strings.ReplaceAll(d.Source, "\t", " "))
	at = d.Col - 1
	if at > len(text) {
		return "", 0, 0 // the line was cut before that place
	}
	lead := ""
	if len(text) > excerptWidth && at > excerptLead {
		cut := at - excerptLead
		text, lead, at = text[cut:], "…", excerptLead
	}
	if len(text) > excerptWidth {
		text = append(text[:excerptWidth:excerptWidth], '…')
	}
	width = min(d.EndCol-d.Col, max(len(text)-at, 1))
	return lead + string(text), at + utf8.RuneCountInString(lead), max(width, 1)
}
