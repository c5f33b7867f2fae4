package ingress

import (
	"bytes"
	"net/http"
	"strings"
)

// parse takes the head of a request out of the buffer, if it is a plain one that is all there: a POST to /mcp/{upstream}
// with one length and one host, in lines that all readers take alike. Where it reports false nothing is taken.
func (c *plain) parse() bool {
	raw := c.in[c.from:c.to]
	if c.again(raw) {
		return true
	}
	end := bytes.Index(raw, []byte("\r\n\r\n"))
	if end < 0 {
		return false
	}
	c.before, c.after = "", ""
	head := string(raw[:end+4])
	line, rest, _ := strings.Cut(head[:end+2], "\r\n")
	path, post := strings.CutPrefix(line, "POST ")
	path, version := strings.CutSuffix(path, " HTTP/1.1")
	name, ours := strings.CutPrefix(path, "/mcp/")
	if !post || !version || !ours || !isSegment(name) {
		return false
	}
	r := c.request
	clear(r.Header)
	c.values = c.values[:0]
	r.Host, r.ContentLength = "", -1
	before, after := "", ""
	for rest != "" {
		at := end + 2 - len(rest)
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !isToken(name) || !isPrintable(value) || !c.field(http.CanonicalHeaderKey(name), value) {
			return false
		}
		if r.ContentLength >= 0 && after == "" {
			at += strings.LastIndex(line, value)
			before, after = head[:at], head[at+len(value):]
		}
	}
	if r.Host == "" || r.ContentLength < 0 {
		return false
	}
	r.RequestURI, r.URL.Path = path, path
	c.before, c.after = before, after
	c.take(end + 4)
	return true
}

// again takes the head of a request that is, but for the length of the content, the same to the byte as the one before, as
// nearly all of a client are. What was read of that one stands.
func (c *plain) again(raw []byte) bool {
	digits := len(c.before)
	if c.after == "" || len(raw) < digits || string(raw[:digits]) != c.before {
		return false
	}
	end := digits
	for end < len(raw) && raw[end] >= '0' && raw[end] <= '9' {
		end++
	}
	n := parseLength(string(raw[digits:end]))
	if n < 0 || n > plainBody || !bytes.HasPrefix(raw[end:], []byte(c.after)) {
		return false
	}
	c.request.ContentLength = n
	c.take(end + len(c.after))
	return true
}

// take ends a head of so many bytes.
func (c *plain) take(n int) {
	c.from += n
	c.body.left, c.wantReadBy = c.request.ContentLength, c.readBy
}

// field takes a header. It reports false for one with which a request is not plain.
func (c *plain) field(name, value string) bool {
	r := c.request
	switch name {
	case "Host":
		once := r.Host == ""
		r.Host = value
		return once && isHost(value)
	case "Content-Length":
		once := r.ContentLength < 0
		r.ContentLength = parseLength(value)
		return once && r.ContentLength >= 0 && r.ContentLength <= plainBody
	case "Connection":
		return strings.EqualFold(value, "keep-alive")
	case "Transfer-Encoding", "Content-Encoding", "Expect", "Te", "Trailer", "Upgrade":
		return false
	case "Authorization", "X-Api-Key", "Origin", "Accept", "Content-Type", "Last-Event-Id":
	default:
		if !strings.HasPrefix(name, "Mcp-") {
			return true // nobody asks for it
		}
	}
	if before, twice := r.Header[name]; twice {
		r.Header[name] = append(before, value)
		return true
	}
	n := len(c.values)
	c.values = append(c.values, value)
	r.Header[name] = c.values[n : n+1 : n+1]
	return true
}

// isSegment reports whether a part of a path means nothing but itself.
func isSegment(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && c != '-' && c != '_' && (c != '.' || i == 0) {
			return false
		}
	}
	return s != ""
}

// isHost reports whether a host, with or without a port, is written as most are.
func isHost(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("-._:[]", rune(c)) {
			return false
		}
	}
	return s != ""
}

// isToken reports whether a header may have this name (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// isPrintable reports whether a header's value is of printable ASCII and tabs.
func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// parseLength reads up to nine digits; it returns -1 for all else.
func parseLength(s string) (n int64) {
	if s == "" || len(s) > 9 {
		return -1
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n
}
