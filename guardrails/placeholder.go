package guardrails

import (
	"bytes"
	"strconv"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// replacement returns what stands in the place of a cut, as it is written in the message.
func (t *trim) replacement(c *cut) ([]byte, error) {
	k, err := t.g.vault.need()
	if err != nil {
		return nil, err
	}
	value := appendUnescaped(nil, t.f.Raw[c.at.Lo:c.at.Hi])
	name := nameOf(c.entity)
	switch c.do {
	case Hash:
		return k.hash(nil, t.c, c.rule.scope, name, value), nil
	case Tokenize:
		if !t.dry {
			return t.tokenize(k, c, name, value)
		}
	case Surrogate:
		return t.surrogate(k, c, value)
	default:
	}
	if t.numbers == nil {
		t.numbers = t.g.vault.numbers.of(callOf(t.c))
	}
	n := t.numbers.number(name, string(sum(k.drawing, []byte(name), value)))
	t.given[name] = true
	out := append([]byte{'['}, name...)
	out = strconv.AppendInt(append(out, '#'), int64(n), 10)
	if c.do == Mask && c.kind != detect.Secret {
		out = append(append(out, ' '), ending(c.entity, value)...)
	}
	return append(out, ']'), nil
}

// ending is the part of a value that a mask shows: the domain of an address, else the last four characters where that
// leaves eight unknown.
func ending(entity string, value []byte) []byte {
	show := value[max(0, len(value)-4):]
	if at := bytes.LastIndexByte(value, '@'); entity == "EMAIL_ADDRESS" && at >= 0 {
		show = value[at:]
	} else if len(value) < 12 {
		show = nil
	}
	for _, c := range show {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' && c != '@' {
			show = nil
			break
		}
	}
	return append([]byte("***"), show...)
}

// gave reports whether a finding in the message as it is now is a placeholder of ours and nothing else.
func (t *trim) gave(text []byte, start, end int) bool {
	name, ok := placeholderAt(text, start, end)
	return ok && t.given[name]
}

// bracketed returns the inside of the brackets that text[start:end] is, with them or without.
func bracketed(text []byte, start, end int) (inside []byte, ok bool) {
	if start > 0 && text[start-1] == '[' {
		start--
	}
	if end < len(text) && text[end] == ']' {
		end++
	}
	if end-start < 4 || text[start] != '[' || text[end-1] != ']' {
		return nil, false
	}
	return text[start+1 : end-1], true
}

// placeholderAt returns the name in a placeholder that is all of text[start:end], with its brackets or without. The name
// and a short number are all that such a text may hold, and a mask what a mask shows.
func placeholderAt(text []byte, start, end int) (name string, ok bool) {
	in, ok := bracketed(text, start, end)
	if !ok {
		return "", false
	}
	in, mask, masked := bytes.Cut(in, []byte(" "))
	before, number, ok := bytes.Cut(in, []byte("#"))
	if !ok || len(number) == 0 || len(number) > 5 || len(bytes.Trim(number, "0123456789")) > 0 {
		return "", false
	}
	if masked && (!bytes.HasPrefix(mask, []byte("***")) || len(mask) > len("***")+4) {
		return "", false
	}
	return string(before), true
}
