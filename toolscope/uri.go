package toolscope

import (
	"errors"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// maxURI bounds a URI, in bytes.
const maxURI = 8192

// maxDecodings bounds how often percent-encoding may be nested. Nobody needs more than one.
const maxDecodings = 4

var (
	errURILength  = errors.New("it is empty or too long")
	errURIScheme  = errors.New("it does not begin with a scheme")
	errURIControl = errors.New("it holds a control character or a backslash")
	errURIEscape  = errors.New("it holds a broken or ambiguous percent escape")
	errURIDots    = errors.New("it holds a dot segment")
	errURIUser    = errors.New("it holds user information")
)

// normalize returns the normal form of an absolute URI (RFC 3986 section 6.2.2): scheme and authority in lower case, no
// escapes of unreserved characters, the others in upper case. A URI that two readers could take for different resources
// has none: it holds dot segments, however often they are encoded, backslashes, control characters, user information, or
// an encoded delimiter in the authority. It allocates only where the normal form differs from the text or holds escapes.
func normalize(raw string) (string, error) {
	if raw == "" || len(raw) > maxURI {
		return "", errURILength
	}
	colon, upper := scheme(raw)
	if colon < 0 {
		return "", errURIScheme
	}
	escapes := false
	for i := range len(raw) {
		switch c := raw[i]; {
		case c < 0x20 || c == 0x7f || c == '\\':
			return "", errURIControl
		case c == '%':
			if !isEscape(raw[i:]) {
				return "", errURIEscape
			}
			escapes = true
		}
	}
	from, to := authority(raw, colon+1)
	for i := from; i < to; i++ {
		switch c := raw[i]; {
		case c == '@':
			return "", errURIUser
		case c == '%' && strings.IndexByte(":/?#[]@\\%", unhex(raw[i:])) >= 0:
			return "", errURIEscape
		case isUpper(c):
			upper = true
		}
	}
	if err := plainPath(raw[colon+1:]); err != nil {
		return "", err
	}
	if !upper && !escapes {
		return raw, nil
	}
	return rewriteURI(raw, to), nil
}

// rewriteURI writes the normal form: everything before end in lower case.
func rewriteURI(raw string, end int) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c, escape := raw[i], false
		if c == '%' {
			c, escape = unhex(raw[i:]), true
			i += 2
		}
		switch {
		case escape && !isUnreserved(c):
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		case isUpper(c) && i < end:
			b.WriteByte(c | 0x20)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// scheme returns the index of the colon behind the scheme, or -1, and whether the scheme holds upper-case letters (RFC
// 3986 section 3.1).
func scheme(raw string) (colon int, upper bool) {
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == ':' && i > 0:
			return i, upper
		case isUpper(c):
			upper = true
		case c >= 'a' && c <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return -1, false
		}
	}
	return -1, false
}

// authority returns where the authority lies in a URI whose scheme ends before start, or an empty range there.
func authority(raw string, start int) (from, to int) {
	if !strings.HasPrefix(raw[start:], "//") {
		return start, start
	}
	from = start + 2
	if n := strings.IndexAny(raw[from:], "/?#"); n >= 0 {
		return from, from + n
	}
	return from, len(raw)
}

// plainPath refuses dot segments and control characters in what follows the scheme, as it is written and however often it
// is decoded: the upstream may decode once more than it should.
func plainPath(s string) error {
	for range maxDecodings {
		if dotSegment(s) {
			return errURIDots
		}
		if strings.IndexByte(s, '%') < 0 {
			return nil
		}
		next := unescapeURI(s)
		if next == s {
			return nil
		}
		for i := range len(next) {
			if next[i] < 0x20 || next[i] == 0x7f {
				return errURIControl
			}
		}
		s = next
	}
	return errURIEscape
}

// dotSegment reports whether a segment consists of dots, and of spaces, which some file systems drop. Segments end at
// everything that some reader takes for an end.
func dotSegment(s string) bool {
	dot, other := false, false
	for i := range len(s) {
		switch s[i] {
		case '/', '\\', '?', '#', '=', '&', ';', ',', ':':
			if dot && !other {
				return true
			}
			dot, other = false, false
		case '.':
			dot = true
		case ' ':
		default:
			other = true
		}
	}
	return dot && !other
}

// unescapeURI decodes percent escapes once, and leaves what only looks like one.
func unescapeURI(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && isEscape(s[i:]) {
			c = unhex(s[i:])
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isEscape(s string) bool { return len(s) >= 3 && hexDigit(s[1]) < 16 && hexDigit(s[2]) < 16 }

// unhex returns the byte that the escape at the start of s stands for.
func unhex(s string) byte { return hexDigit(s[1])<<4 | hexDigit(s[2]) }

// hexDigit returns the value of a digit, 16 for what is none.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	default:
		return 16
	}
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isUnreserved reports whether a character means the same with and without an escape (RFC 3986 section 2.3).
func isUnreserved(c byte) bool {
	return isUpper(c) || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// uriRule is one pattern of the key resources. A URI fits where its text fits the pattern and its normal form fits the
// normal form of the pattern: the upstream gets the text, and may read it as its normal form.
type uriRule struct {
	raw, normal uriPattern
	at          policy.Pos
}

// newURIRule reads a pattern. It complains where no URI could ever fit.
func newURIRule(p policy.Pattern) (uriRule, policy.Complaints) {
	normal := p.Text
	if colon := strings.IndexByte(p.Text, ':'); colon >= 0 && !strings.Contains(p.Text[:colon], "*") {
		var err error
		if normal, err = normalize(p.Text); err != nil {
			return uriRule{}, policy.Complaints{{
				At: p.At, Text: "no URI can match this pattern: " + err.Error(),
				Hint: "write it as the server lists its resources",
			}}
		}
	}
	return uriRule{raw: newURIPattern(p.Text), normal: newURIPattern(normal), at: p.At}, nil
}

// uriPattern is a pattern in two parts, so that a star in the authority cannot reach into the path: https://*.example.com/
// is no grant for https://example.org/.example.com/. Where the authority is that of the web and holds a star, a pattern without
// a path has two parts as well, of which the second is what its last star stands for, or nothing.
type uriPattern struct {
	text       string
	head, tail policy.Pattern // scheme with authority, and the rest
	two        bool           // the pattern has both parts; else text is all there is
	host       int            // where the host begins that a star stands in; 0 where none does
}

func newURIPattern(text string) uriPattern {
	p := uriPattern{text: text, head: policy.Pattern{Text: text}}
	i := pathStart(text)
	if i >= 0 {
		p.head.Text, p.tail.Text, p.two = text[:i], text[i:], true
	}
	if strings.Contains(p.head.Text, "*") {
		p.host = webHost(text)
	}
	if i < 0 && p.host > 0 {
		p.two = true
		if strings.HasSuffix(text, "*") {
			p.tail.Text = "*"
		}
	}
	return p
}

func (p *uriPattern) match(uri string) bool {
	if !p.two {
		return p.head.Match(uri)
	}
	i := pathStart(uri)
	if i < 0 && p.host > 0 {
		i = len(uri)
	}
	if i < 0 || !p.head.Match(uri[:i]) || p.host > 0 && !plainHost(uri[p.host:i]) {
		return false
	}
	return p.tail.Text == "" && i == len(uri) || p.tail.Match(uri[i:])
}

// webHost returns where the authority begins in a URI of the web, or a pattern for some, else 0.
func webHost(uri string) int {
	for _, begin := range []string{"https://", "http://", "wss://", "ws://"} {
		if len(uri) >= len(begin) && strings.EqualFold(uri[:len(begin)], begin) {
			return len(begin)
		}
	}
	return 0
}

// plainHost reports whether all readers take the same for the host, which may have a port. Some end it at a quotation mark or
// a percent sign, at a colon without a port or a closing bracket, and some read letters outside ASCII as delimiters.
func plainHost(s string) bool {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		if strings.Trim(s[i+1:], "0123456789") != "" {
			return false
		}
		s = s[:i]
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && strings.Trim(inner, "0123456789abcdefABCDEF:.") == ""
	}
	for i := range len(s) {
		if !isUnreserved(s[i]) {
			return false
		}
	}
	return s != ""
}

// reaches reports whether the pattern may fit some URI that begins with a prefix.
func (p *uriPattern) reaches(prefix string) bool {
	if i := pathStart(prefix); p.two && i >= 0 {
		return p.head.Match(prefix[:i]) && reaches(p.tail.Text, prefix[i:])
	}
	return reaches(p.text, prefix)
}

// reaches compares a prefix with what a pattern says before its first star.
func reaches(pattern, prefix string) bool {
	fixed, _, star := strings.Cut(pattern, "*")
	return strings.HasPrefix(fixed, prefix) || star && strings.HasPrefix(prefix, fixed)
}

// pathStart returns the index of what follows the authority of a URI, or -1 where there is no authority or nothing
// follows it.
func pathStart(uri string) int {
	i := strings.Index(uri, "://")
	if i < 0 {
		return -1
	}
	n := strings.IndexAny(uri[i+3:], "/?#")
	if n < 0 {
		return -1
	}
	return i + 3 + n
}
