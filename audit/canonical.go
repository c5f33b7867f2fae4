package audit

import (
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxInteger is the largest integer that every JSON parser reads exactly (RFC 8785 section 3.2.2.3, RFC 7493). What is
// larger is written as this.
const maxInteger = 1<<53 - 1

// object writes one canonical JSON object (RFC 8785). The caller names the members in order. Zero values are left out.
type object struct{ buf []byte }

// name begins a member.
func (o *object) name(name string) {
	if o.buf[len(o.buf)-1] != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, '"')
	o.buf = append(o.buf, name...)
	o.buf = append(o.buf, '"', ':')
}

func (o *object) text(name, value string) {
	if value != "" {
		o.name(name)
		o.buf = appendText(o.buf, value)
	}
}

func (o *object) number(name string, value int64) {
	if value != 0 {
		o.name(name)
		o.buf = strconv.AppendInt(o.buf, min(max(value, -maxInteger), maxInteger), 10)
	}
}

// fields writes an object of texts. Names are ASCII, so that byte order is the order of RFC 8785.
func (o *object) fields(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	o.name(name)
	in := object{append(o.buf, '{')}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		in.name(k)
		in.buf = appendText(in.buf, m[k])
	}
	o.buf = append(in.buf, '}')
}

func (o *object) findings(name string, list []Finding) {
	if len(list) == 0 {
		return
	}
	o.name(name)
	o.buf = append(o.buf, '[')
	for i := range list {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		in := object{append(o.buf, '{')}
		in.text("detail", list[i].Detail)
		in.text("gate", list[i].Gate)
		in.text("reason", list[i].Reason)
		in.text("rule", list[i].Rule)
		o.buf = append(in.buf, '}')
	}
	o.buf = append(o.buf, ']')
}

// appendText appends a JSON string in the one spelling of RFC 8785 section 3.2.2.2. Invalid UTF-8 becomes U+FFFD. What
// stands for itself, nearly always all of it, is copied in one go.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for from, i := 0, 0; ; {
		for i < len(s) && spellings[s[i]] == 0 {
			i++
		}
		dst = append(dst, s[from:i]...)
		if i == len(s) {
			return append(dst, '"')
		}
		switch c := s[i]; spellings[c] {
		case spellRune:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n - 1
		case spellHex:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, '\\', spellings[c])
		}
		i++
		from = i
	}
}

// How bytes are spelt that do not stand for themselves. Others are written as a backslash and a letter.
const (
	spellRune = 0xff // as the character of UTF-8 that begins here
	spellHex  = 'u'
)

// spellings are how each byte is spelt: 0 for itself.
var spellings = func() (t [256]byte) {
	for c := range byte(' ') {
		t[c] = spellHex
	}
	for c := utf8.RuneSelf; c < len(t); c++ {
		t[c] = spellRune
	}
	t['"'], t['\\'], t['\b'], t['\f'], t['\n'], t['\r'], t['\t'] = '"', '\\', 'b', 'f', 'n', 'r', 't'
	return t
}()

// visible returns s cut to at most limit bytes, not inside a character, and with every character that cannot be seen
// spelt out as Go would: terminals, and people, take a record for what it shows. It returns s itself where nothing is to
// do.
func visible(s string, limit int) string {
	for i, r := range s {
		if i >= limit || r == utf8.RuneError || !strconv.IsPrint(r) {
			return spell(s, limit)
		}
	}
	if len(s) > limit {
		return spell(s, limit)
	}
	return s
}

func spell(s string, limit int) string {
	const mark = "…"
	b := make([]byte, 0, min(len(s)+16, limit))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		before := len(b)
		if strconv.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			b = append(b, s[i:i+n]...)
		} else {
			quoted := strconv.AppendQuote(nil, s[i:i+n])
			b = append(b, quoted[1:len(quoted)-1]...)
		}
		if i += n; len(b) > limit-len(mark) && (i < len(s) || len(b) > limit) {
			return string(append(b[:before], mark...))
		}
	}
	return string(b)
}

// stamp is the time of a batch as it stands in its records: RFC 3339 in UTC, to the nanosecond, quoted.
type stamp struct {
	at   time.Time
	text [len(stampFormat)]byte
}

const stampFormat = `"2006-01-02T15:04:05.000000000Z"`

func newStamp(at time.Time) *stamp {
	s := new(stamp)
	s.set(at)
	return s
}

func (s *stamp) set(at time.Time) {
	s.at = at.UTC()
	s.at.AppendFormat(s.text[:0], stampFormat)
}
