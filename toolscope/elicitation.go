package toolscope

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

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
	if s.asksSecret(schema.Value) {
		return policy.Refuse(reasonSecret, s.elicitation.At, "a field of the form")
	}
	return policy.Verdict{Effect: policy.Allow, At: s.elicitation.At}
}

// asksSecret reports whether a schema, or one inside it, has a field for a secret. It recurses as deep as the value is
// nested, which wire bounds.
func (s *scope) asksSecret(schema []byte) bool {
	for e := range wire.Entries(schema) {
		name, _ := wire.Unquote(e.Name)
		if string(name) == "properties" {
			for field := range wire.Entries(e.Value) {
				if s.secretField(field) {
					return true
				}
			}
		}
		if s.asksSecret(e.Value) {
			return true
		}
		for _, x := range wire.Elements(e.Value) {
			if s.asksSecret(x) {
				return true
			}
		}
	}
	return false
}

// secretField reports whether one field of a form is for a secret, by its name, its title or its format.
func (s *scope) secretField(field wire.Entry) bool {
	name, ok := wire.Unquote(field.Name)
	if !ok {
		return true // nobody can say what it is called
	}
	if _, granted := match(s.elicitation.Fields, string(name)); granted {
		return false
	}
	title, _ := wire.Lookup(field.Value, "title")
	words, _ := wire.Unquote(title.Value)
	format, _ := wire.Lookup(field.Value, "format")
	kind, _ := wire.Unquote(format.Value)
	hidden, _ := wire.Lookup(field.Value, "writeOnly")
	return secretName(name) || secretName(words) || secretName(kind) || string(hidden.Value) == "true"
}

// secretWords are words that alone make a name that of a secret; secretParts make it one wherever they stand in it, its
// words joined.
var (
	secretWords = []string{
		"key", "keys", "token", "tokens", "pin", "otp", "totp", "pwd", "pass", "passwd", "cvv", "cvc", "csc", "card", "ssn", "jwt", "bearer",
		"cookie", "mnemonic", "senha", "heslo", "clave",
	}
	secretParts = []string{
		"password", "passwd", "passwort", "kennwort", "motdepasse", "contrasena", "passphrase", "passcode", "secret", "credential", "apikey",
		"accesskey", "privatekey", "secretkey", "signingkey", "authtoken", "accesstoken", "creditcard", "debitcard", "cardnumber", "cardcode",
		"securitycode", "verificationcode", "onetimecode", "recoverycode", "seedphrase", "socialsecurity",
	}
)

// secretName reports whether a name is that of a secret, in any case, with any separators, and in letters that look alike.
func secretName(name []byte) bool {
	var words []string
	start := 0
	runes := []rune(string(name))
	for i := range runes {
		if i > 0 && (unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1]) || !unicode.IsLetter(runes[i]) || !unicode.IsLetter(runes[i-1])) {
			words, start = append(words, look(runes[start:i])), i
		}
	}
	words = append(words, look(runes[start:]))
	joined := strings.Join(words, "")
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) }) ||
		slices.ContainsFunc(secretParts, func(p string) bool { return strings.Contains(joined, p) })
}

// look is what some runes look like, without what is no letter.
func look(runes []rune) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, string(appendLook(nil, []byte(string(runes)))))
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
