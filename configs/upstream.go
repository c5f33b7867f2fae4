package configs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// upstream compiles one entry of upstreams.
func (c *compiler) upstream(u *upstream) {
	name := string(u.Name)
	path := "upstreams." + name
	out := &Upstream{Upstream: &policy.Upstream{Name: name, Settings: u.Gates, At: u.At}, Dir: c.relative(path+".dir", u.Dir)}
	c.command(path, u, out)
	c.named(Folder, out.Dir, u.Dir.At)
	c.url(path, u, out)
	c.headers(path, u, out)
	c.contain(path, u, out)
	c.health(path, u, out)
	c.auth(path, u, out)
	for _, v := range u.Env {
		out.Env = append(out.Env, Variable{Name: string(v.Name), Value: v.Value, At: v.At})
		c.literal(path+".env", string(v.Name), v.Value, v.At)
	}
	for _, t := range u.Tasks {
		if t.Name == policy.Unclassified {
			c.report.fail(CodeValue, t.At, path+".tasks", fmt.Sprintf("%q is the task of the tools that no task names", t.Name), "use another name")
		}
		out.Tasks = append(out.Tasks, policy.Task{Name: string(t.Name), Tools: t.Tools})
	}
	c.file.Upstreams = append(c.file.Upstreams, out)
	c.file.upstreams[name] = out
}

func (c *compiler) command(path string, u *upstream, out *Upstream) {
	for _, t := range u.Command {
		out.Command = append(out.Command, t.Text)
	}
	if u.Dir.At.Line > 0 && u.Dir.Text == "" {
		c.report.fail(CodeValue, u.Dir.At, path+".dir", "the directory is empty", "")
	}
	if u.Command == nil {
		return
	}
	if len(u.Command) == 0 {
		c.report.fail(CodeValue, u.At, path+".command", "the command is empty", "write [PROGRAM, ARGUMENT, ...]")
		return
	}
	first := u.Command[0]
	switch {
	case first.At.Line > 0 && first.Text == "":
		c.report.fail(CodeValue, first.At, path+".command[0]", "the program is empty", "")
	case len(u.Command) == 1 && strings.ContainsAny(first.Text, " \t"):
		c.report.warn(CodeSuspect, first.At, path+".command", "this is one program with blanks in its name, not a program and its arguments",
			"there is no shell; write a list: [PROGRAM, ARGUMENT, ...]")
	}
	if strings.ContainsRune(first.Text, filepath.Separator) {
		out.Command[0] = c.relative(path+".command[0]", text(first))
	}
	c.named(Program, out.Command[0], first.At)
}

func (c *compiler) url(path string, u *upstream, out *Upstream) {
	if u.URL.At.Line == 0 {
		return
	}
	out.URL = u.URL.Text
	for _, n := range u.Networks {
		out.Networks = append(out.Networks, n.Prefix)
	}
	out.SSE = u.Transport == transportSSE
	parsed, err := webURL(u.URL.Text, "http", "https", "ws", "wss")
	if err != nil {
		c.report.fail(CodeValue, u.URL.At, path+".url", err.Error(), hint(err))
		return
	}
	web := strings.HasPrefix(parsed.Scheme, "http")
	switch {
	case u.Transport != "" && !web:
		c.report.fail(CodeValue, u.URL.At, path+".transport", "the url says WebSocket already", "remove transport, or write http(s)://")
	case !strings.HasSuffix(parsed.Scheme, "s") && !loopback(parsed.Hostname()):
		c.report.warn(CodePlainHTTP, u.URL.At, path+".url", "calls and credentials go to another machine without encryption",
			"use "+parsed.Scheme+"s://")
	}
}

// ownHeaders are those that Hopgate sets itself, or that concern one hop (RFC 9110 section 7.6.1).
var ownHeaders = []string{
	"host", "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
	"transfer-encoding", "upgrade", "expect", "accept", "accept-encoding", "last-event-id", "user-agent",
}

func (c *compiler) headers(path string, u *upstream, out *Upstream) {
	seen := make(map[string]policy.Pos, len(u.Headers))
	for _, h := range u.Headers {
		name, at := string(h.Name), path+".headers."+string(h.Name)
		folded := strings.ToLower(name)
		switch first, again := seen[folded]; {
		case again:
			c.report.fail(CodeOverlap, h.At, at, "this header stands here twice, because case makes no difference",
				fmt.Sprintf("first set on line %d", first.Line))
		case slices.Contains(ownHeaders, folded), strings.HasPrefix(folded, "content-"), strings.HasPrefix(folded, "mcp-"), strings.HasPrefix(folded, "sec-"):
			c.report.fail(CodeValue, h.At, at, "this header is Hopgate's own", "remove it")
		case !fieldValue(h.Value.Reveal()):
			c.report.fail(CodeValue, h.At, at, "the value is not one of an HTTP header",
				"a header is visible ASCII without blanks at its ends; does a variable or file hold something else?")
		}
		seen[folded] = h.At
		out.Headers = append(out.Headers, Header{Name: name, Value: h.Value, At: h.At})
		c.literal(path+".headers", name, h.Value, h.At)
	}
}

// fieldValue reports whether a text can be the value of a header field: RFC 9110 section 5.5 without obs-text.
func fieldValue(s string) bool {
	if s != strings.Trim(s, " \t") {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != '\t' && (c < 0x20 || c > 0x7e) {
			return false
		}
	}
	return true
}

// secretWords are what names of secrets have in them.
var secretWords = []string{"authorization", "cookie", "token", "secret", "password", "passwd", "api_key", "apikey", "api-key", "credential"}

// secretive reports whether what has this name is probably a secret.
func secretive(name string) bool {
	folded := strings.ToLower(name)
	return slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(folded, w) })
}

// literal warns of a secret that is written out. The file gets copied, reviewed and committed.
func (c *compiler) literal(path, name string, value Secret, at policy.Pos) {
	if !value.literal || value.Reveal() == "" {
		return
	}
	if secretive(name) {
		c.report.warn(CodeLiteral, at, path+"."+name, "this looks like a secret that stands in the file itself",
			"keep it in a variable or a file, and write ${env:NAME} or ${file:/path}")
	}
}
