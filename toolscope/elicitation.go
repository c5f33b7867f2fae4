package toolscope

import (
	"net/url"
	"strings"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// elicits judges what an upstream asks of the agent's user (MCP 2025-11-25, client/elicitation), and puts the name of the
// upstream before what the user will read: whose question it is, the protocol wants to be clear.
func (s *scope) elicits(params []byte) policy.Verdict {
	said, _ := wire.Lookup(params, "message")
	if len(said.Value) == 0 || said.Value[0] != '"' {
		return policy.Refuse(reasonInput, s.at, "an elicitation without a message")
	}
	mode, has := wire.Lookup(params, "mode")
	text, _ := wire.Unquote(mode.Value)
	var v policy.Verdict
	switch {
	case !has || string(text) == "form":
		v = s.form(params)
	case string(text) == "url":
		v = s.sends(params)
	default:
		return policy.Refuse(reasonInput, s.at, "an elicitation of another mode")
	}
	if v.Effect != policy.Allow {
		return v
	}
	name := wire.AppendQuote(nil, s.upstream.Name+" asks: ")
	at := said.ValueAt.Lo + 1
	v.Rewrite = wire.Edits{{At: wire.Span{Lo: at, Hi: at}, New: name[1 : len(name)-1]}}
	return v
}

// form judges a form: it must not ask for what the protocol forbids in forms, passwords, keys, tokens and means of payment.
func (s *scope) form(params []byte) policy.Verdict {
	schema, _ := wire.Lookup(params, "requestedSchema")
	if len(schema.Value) == 0 || schema.Value[0] != '{' {
		return policy.Refuse(reasonInput, s.at, "a form without a schema")
	}
	switch {
	case anyField(schema.Value, s.secretField):
		return policy.Refuse(reasonSecret, s.elicitation.At, "a field of the form")
	case (says(params, "message", secretIn) || told(schema.Value)) && anyField(schema.Value, s.takesText):
		return policy.Refuse(reasonSecret, s.elicitation.At, "the message of the form")
	}
	return policy.Verdict{Effect: policy.Allow, At: s.elicitation.At}
}

// anyField reports whether what is asked is true of a field of a schema, or of one inside it. It recurses as deep as the
// value is nested, which wire bounds.
func anyField(schema []byte, is func(wire.Entry) bool) bool {
	for e := range wire.Entries(schema) {
		name, _ := wire.Unquote(e.Name)
		if string(name) == "properties" {
			for field := range wire.Entries(e.Value) {
				if is(field) {
					return true
				}
			}
		}
		if anyField(e.Value, is) {
			return true
		}
		for _, x := range wire.Elements(e.Value) {
			if anyField(x, is) {
				return true
			}
		}
	}
	return false
}

// secretField reports whether one field of a form is for a secret, by its name, its title or its format, or by what is
// said of a field that anything can be written into.
func (s *scope) secretField(field wire.Entry) bool {
	name, ok := wire.Unquote(field.Name)
	if !ok {
		return true // nobody can say what it is called
	}
	if s.fieldGranted(name) {
		return false
	}
	hidden, _ := wire.Lookup(field.Value, "writeOnly")
	return secretName(name) || says(field.Value, "title", secretName) || says(field.Value, "format", secretName) ||
		string(hidden.Value) == "true" || isOpen(field.Value) && told(field.Value)
}

func (s *scope) fieldGranted(name []byte) bool {
	_, granted := match(s.elicitation.Fields, string(name))
	return granted
}

// takesText reports whether anything can be written into a field, and it is not granted whatever is asked. A choice or a yes
// is no secret.
func (s *scope) takesText(field wire.Entry) bool {
	name, ok := wire.Unquote(field.Name)
	return !ok || isOpen(field.Value) && !s.fieldGranted(name)
}

// isOpen reports whether a field takes more than a choice.
func isOpen(field []byte) bool {
	if kind, _ := wire.Lookup(field, "type"); string(kind.Value) == `"boolean"` {
		return false
	}
	for _, choice := range []string{"enum", "oneOf", "items"} {
		if _, ok := wire.Lookup(field, choice); ok {
			return false
		}
	}
	return true
}

// told reports whether the words that go with a schema speak of a secret.
func told(schema []byte) bool {
	return says(schema, "title", secretIn) || says(schema, "description", secretIn)
}

// says reports whether a member says what is looked for. Of a string that cannot be read nobody can say that it does not.
func says(object []byte, member string, what func([]byte) bool) bool {
	e, _ := wire.Lookup(object, member)
	text, ok := wire.Unquote(e.Value)
	return ok && what(text) || !ok && len(e.Value) > 0 && e.Value[0] == '"'
}

// sends judges where the user is sent to.
func (s *scope) sends(params []byte) policy.Verdict {
	e, _ := wire.Lookup(params, "url")
	text, ok := wire.Unquote(e.Value)
	if !ok {
		return policy.Refuse(reasonInput, s.at, "an elicitation without a URL")
	}
	host, ok := hostOf(string(text))
	if !ok {
		return policy.Refuse(reasonURLMode, s.elicitation.At, "url: not plain https")
	}
	for _, h := range s.elicitation.URLs {
		if h.fits(host) {
			return policy.Verdict{Effect: policy.Allow, At: h.At}
		}
	}
	return policy.Refuse(reasonURLMode, s.elicitation.At, "url: another host")
}

// hostOf returns host and port of a URL that all readers take for one of https at the same host: without user, and of
// visible ASCII alone. The port that https has anyway is left out.
func hostOf(text string) (string, bool) {
	if len(text) > maxURI || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return "", false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Host == "" || strings.HasSuffix(u.Host, ":") {
		return "", false
	}
	host := strings.ToLower(u.Host)
	if !hostForm.MatchString(host) || strings.HasPrefix(host, "*") {
		return "", false
	}
	return strings.TrimSuffix(host, ":443"), true
}

// fits reports whether a host is one of those that are meant. Names that stand for others than ASCII have to be written
// out, because below a name anybody may have registered what looks like another.
func (h Host) fits(host string) bool {
	below, wild := strings.CutPrefix(strings.TrimSuffix(h.Text, ":443"), "*.")
	if !wild {
		return host == below
	}
	return strings.HasSuffix(host, "."+below) && !strings.Contains(strings.TrimSuffix(host, below), "xn--")
}
