package configs

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/hopgate/hopgate/policy"
)

// Render writes the explanation for people: the verdict, one line for each check with the place of its rule, what the
// agent would see, and what the operator can do. Colour is for terminals.
func (e *Explanation) Render(w io.Writer, colour bool) error {
	p := painter{colour: colour}
	e.verdict(&p)
	e.checks(&p)
	if e.Outcome.Allowed {
		p.b.WriteString("The call is sent to " + e.Question.Upstream + ".\n")
	} else if r := e.Outcome.Reason; r != nil {
		p.b.WriteString("The agent sees: " + seen(r.Answer, e.Question.Method) + "\n")
		if r.Hint != "" {
			p.b.WriteString("To change that: " + r.Hint + "\n")
		}
	}
	if e.Outcome.Fault != nil {
		p.b.WriteString("Fault: " + e.Outcome.Fault.Error() + "\n")
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

func (e *Explanation) verdict(p *painter) {
	style, verdict := "\x1b[1;32m", "ALLOW"
	if !e.Outcome.Allowed {
		style, verdict = red, strings.TrimSpace("DENY  "+codeOf(&e.Outcome))
	}
	p.paint(style, verdict)
	p.b.WriteString(pad(utf8.RuneCountInString(verdict), 46) + "policy " + ShortRevision(e.Revision) + "\n")
}

// checks writes the steps in columns: mark, check, detail, place.
func (e *Explanation) checks(p *painter) {
	checks, details := 10, 44
	for i := range e.Steps {
		checks = max(checks, utf8.RuneCountInString(e.Steps[i].Check))
		details = max(details, utf8.RuneCountInString(e.Steps[i].Detail))
	}
	details = min(details, 72) // longer ones push their place to the right
	for i := range e.Steps {
		s := &e.Steps[i]
		style, mark := "\x1b[32m", "✓"
		if !s.Passed {
			style, mark = red, "✗"
		}
		p.b.WriteString("  ")
		p.paint(style, mark)
		p.b.WriteString(" " + s.Check)
		line := ""
		if s.Detail != "" || s.At.Line > 0 {
			line = pad(utf8.RuneCountInString(s.Check), checks) + s.Detail
		}
		if s.At.Line > 0 {
			line += pad(utf8.RuneCountInString(s.Detail), details) + ruleAt(s)
		}
		p.b.WriteString(line + "\n")
	}
	if len(e.Skipped) > 0 {
		p.b.WriteString("  · " + strings.Join(e.Skipped, ", ") + ": not reached\n")
	}
}

// ruleAt is the place of a rule: its line where it held, and the exact place where it decided.
func ruleAt(s *policy.Step) string {
	if s.Passed {
		return fmt.Sprintf("%s:%d", s.At.File, s.At.Line)
	}
	return s.At.String()
}

func pad(used, width int) string { return strings.Repeat(" ", max(width-used, 0)+2) }

// seen is what an agent is told of a call by a method.
func seen(a *policy.Answer, method string) string {
	switch {
	case a == nil:
		return "a refusal"
	case a.Form == policy.FormUnknown:
		return fmt.Sprintf("error %d, %q", a.RPC, unknown(a, method))
	case a.Form == policy.FormResult:
		return fmt.Sprintf("%q", a.Text)
	default:
		return fmt.Sprintf("error %d, %q", a.RPC, a.Text)
	}
}

// unknown is what is said of a name that is not granted: the same as of one that does not exist.
func unknown(a *policy.Answer, method string) string {
	switch method {
	case methodCall:
		return "Unknown tool"
	case methodGet:
		return "Unknown prompt"
	case methodRead, "resources/subscribe", "resources/unsubscribe":
		return "Resource not found"
	}
	return a.Text
}
