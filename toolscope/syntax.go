package toolscope

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/common"

	"github.com/hopgate/hopgate/policy"
)

// hintLanguage is what somebody needs to know who has written something that is no condition.
const hintLanguage = "conditions are CEL over args, tool.name, tool.task, agent.name, client.name and now, with == != < <= > >= in && || !, " +
	`for example: has(args.path) && path_within(args.path, "/srv")`

// hints are for what people write who come from other languages.
var hints = map[string]string{
	"=": "compare with ==", "and": "write &&", "or": "write ||", "not": "write !", "&": "write &&", "|": "write ||", ";": "join conditions with &&",
}

// syntaxError translates an error of CEL's parser, whose own words list its tokens. It reports false for other errors.
func syntaxError(text string, x *common.Error) (c policy.Complaint, ok bool) {
	said, ok := strings.CutPrefix(x.Message, "Syntax error: ")
	if !ok {
		return c, false
	}
	c.Hint = hintLanguage
	place := placeIn(text, x.Location)
	token, missing := offender(said)
	switch {
	case missing != "":
		c.Text = fmt.Sprintf("the condition lacks a %s %s", missing, place)
	case token == "<EOF>":
		c.Text = fmt.Sprintf("the condition ends too early, %s", place)
	case token == "":
		c.Text = fmt.Sprintf("this is no condition, from %s on", place)
	case strings.HasPrefix(said, "token") && strings.Contains(`"'`, token[:1]):
		c.Text = fmt.Sprintf("the text %s does not end, or has an escape that CEL does not know", place)
	default:
		c.Text = fmt.Sprintf("%q cannot stand %s", token, place)
		if hint := hints[token]; hint != "" {
			c.Hint = hint
		}
	}
	return c, true
}

// offender returns the token that the parser has stopped at, or nothing where it does not say, and the token that it
// misses, if that is a certain one.
func offender(said string) (token, missing string) {
	said, expected, _ := strings.Cut(said, " expecting ")
	if m, ok := strings.CutPrefix(said, "missing "); ok {
		m, _, _ = strings.Cut(m, " at ")
		return "", strings.Trim(m, "'")
	}
	_, quoted, ok := strings.Cut(said, " '")
	if !ok {
		return "", ""
	}
	token = strings.TrimSpace(strings.TrimSuffix(quoted, "'"))
	if token == "<EOF>" && len(expected) == 3 { // one character and its quotes
		missing = strings.Trim(expected, "'")
	}
	return token, missing
}

// shown is how much of a condition a complaint repeats, in characters.
const shown = 24

// placeIn names a place by what stands before it: columns do not help where the condition is folded over several lines.
func placeIn(text string, at common.Location) string {
	lines := strings.Split(text, "\n")
	n := min(max(at.Line()-1, 0), len(lines)-1)
	line := []rune(lines[n])
	before := strings.Join(append(lines[:n:n], string(line[:min(max(at.Column(), 0), len(line))])), " ")
	words := []rune(strings.Join(strings.Fields(before), " "))
	switch {
	case len(words) == 0:
		return "at the beginning"
	case len(words) > shown:
		return fmt.Sprintf("after %q", "…"+string(words[len(words)-shown:]))
	}
	return fmt.Sprintf("after %q", string(words))
}
