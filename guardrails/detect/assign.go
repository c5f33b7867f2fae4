package detect

import (
	"bytes"
	"strings"
)

// lexicon is what the assignment rules know: the words of names, and where one stands in the automaton's numbering.
type lexicon struct {
	grades               map[string]grade
	tails, heads, begins map[string]bool
}

func newLexicon() *lexicon {
	l := &lexicon{grades: secretWords(), tails: map[string]bool{}, heads: map[string]bool{}, begins: map[string]bool{}}
	for _, w := range tails() {
		l.tails[w] = true
	}
	for _, w := range heads() {
		l.heads[w] = true
	}
	for _, w := range begins() {
		l.begins[w] = true
	}
	for v := range strings.FieldsSeq(vendors) {
		if _, taken := l.grades[v]; !taken {
			l.grades[v] = gradeVendor
		}
	}
	return l
}

// name judges a name in which the word t[s:e] was found. It returns the bounds of the whole name as well.
func (l *lexicon) name(t []byte, s, e int, g grade) (lo, hi int, out grade) {
	lo, hi = s, e
	for lo > 0 && s-lo < 48 && (wordByte(t[lo-1]) || t[lo-1] == '-' || t[lo-1] == '.' || t[lo-1] == '$') {
		lo--
	}
	for hi < len(t) && hi-e < 40 && (wordByte(t[hi]) || (t[hi] == '-' || t[hi] == '.' && g == gradeVendor) && hi+1 < len(t) && is(t[hi+1], isLetter)) {
		hi++
	}
	if l.saysNot(t, s, e, hi) || l.headSaysNot(t[lo:s], g) {
		return lo, hi, gradeNot
	}
	if short := foldEqual(t[s:e], "pw") || foldEqual(t[s:e], "psk"); short && (!wholeWord(t, s, e) || s > 0 && strings.IndexByte("+/", t[s-1]) >= 0) {
		return lo, hi, gradeNone
	}
	if g == gradeVendor && !wholeWord(t, s, e) && !camelWord(t, s, e) {
		return lo, hi, gradeNone
	}
	return lo, hi, g
}

func wholeWord(t []byte, s, e int) bool {
	return (s == 0 || !is(t[s-1], isAlnum)) && (e == len(t) || !is(t[e], isAlnum))
}

// camelWord lets a vendor be followed by a capital or a digit, and begin where a name begins.
func camelWord(t []byte, s, e int) bool {
	if s > 0 && is(t[s-1], isAlnum) && (!is(t[s], isUpper) || !is(t[s-1], isLower)) {
		return false
	}
	return e-s >= 5 && (e == len(t) || is(t[e], isUpper) || is(t[e], isDigit))
}

// saysNot looks at the last word of the name, if there is one after the secret word.
func (l *lexicon) saysNot(t []byte, s, e, hi int) bool {
	rest := bytes.TrimRight(t[e:hi], "-_")
	if len(rest) == 0 {
		return false
	}
	if sameWord(t, s, e) {
		plural := lower(rest[0]) == 's' && (len(rest) == 1 || !is(rest[1], isAlnum))
		if !plural {
			return !l.follows(rest)
		}
	}
	return isIn(l.tails, lastWord(rest))
}

// sameWord holds where letters go on without a border: "keyboard", "tokenize", "passenger".
func sameWord(t []byte, s, e int) bool {
	if is(t[e], isLower) {
		return is(t[e-1], isLower)
	}
	return is(t[e], isUpper) && is(t[e-1], isUpper) && is(t[s], isUpper)
}

// lastWord returns the last word of a name in any style.
func lastWord(name []byte) []byte {
	if is(name[len(name)-1], isUpper) {
		return name[runBack(name, len(name), isUpper|isDigit):]
	}
	i := runBack(name, len(name), isLower|isDigit)
	if i > 0 && is(name[i-1], isUpper) {
		i--
	}
	return name[i:]
}

// isIn looks a word up in small letters.
func isIn(words map[string]bool, word []byte) bool {
	var low [24]byte
	if len(word) > len(low) {
		return false
	}
	for i, b := range word {
		low[i] = lower(b)
	}
	return words[string(low[:len(word)])]
}

// follows holds where another secret word goes on without a border: "secretkey", "apikeytoken".
func (l *lexicon) follows(rest []byte) bool {
	for _, w := range [...]string{"key", "token", "secret", "value", "test", "live", "prod", "pass", "auth", "private", "access", "api"} {
		if foldPrefix(rest, w) {
			return true
		}
	}
	return false
}

func (l *lexicon) headSaysNot(head []byte, g grade) bool {
	if g == gradePass || g == gradeVendor {
		if len(head) > 0 && is(head[len(head)-1], isLower) && g == gradePass {
			i := runBack(head, len(head), isLower)
			return (l.heads[string(head[i:])] || l.begins[string(head[i:])]) && len(head)-i < 7
		}
		return false
	}
	apart := bytes.TrimRight(head, "_-.")
	if len(apart) == 0 {
		return false
	}
	word := lastWord(apart)
	return isIn(l.heads, word) || len(apart) == len(head) && isIn(l.begins, word)
}

// link is what stands between a name and its value.
type link uint8

const (
	linkNone   link = iota
	linkSpace       // only blanks: "vendor TOKEN value"
	linkDash        // "vendor-SECRET-value"
	linkAssign      // = : := => and their kin
	linkTag         // <name> value
	linkCell        // | name | value
	linkArg         // f("name", "value")
)

// valueAfter finds the value that t[hi:] gives to a name which ends at hi.
func valueAfter(t []byte, hi int) (lo, end int, via link, quoted bool) {
	i := hi
	for i < len(t) && i < hi+6 && strings.IndexByte("\"'`])*\\", t[i]) >= 0 {
		i++
	}
	closed := i > hi
	blank := i
	for i < len(t) && i < blank+24 && (t[i] == ' ' || t[i] == '\t') {
		i++
	}
	op := i
	for i < len(t) && i < op+5 && strings.IndexByte("=:>|?.,~", t[i]) >= 0 {
		i++
	}
	switch {
	case op < i:
		via = linkOf(string(t[op:i]), closed)
	case blank < op:
		via, i = linkBlank(t, op)
	case i == hi && hi < len(t) && t[hi] == '-':
		via, i = linkDash, hi+1
	}
	if via == linkNone {
		return 0, 0, linkNone, false
	}
	lo, end, quoted = valueAt(t, i, via)
	return lo, end, via, quoted
}

// linkOf reads the sign between a name and its value.
func linkOf(sign string, closed bool) link {
	switch sign {
	case ">":
		return linkTag
	case "|":
		return linkCell
	case ",":
		if closed {
			return linkArg
		}
		return linkNone
	case ".", "..", "...", "?":
		return linkNone
	}
	return linkAssign
}

// linkBlank reads what only a blank divides from its name: a type and an equals sign may stand between, or "is".
func linkBlank(t []byte, at int) (link, int) {
	if j := typed(t, at); j > 0 {
		return linkAssign, j
	}
	for _, w := range [...]string{"is ", "was ", "lautet ", "ist ", "es ", "est ", "jest ", "ar "} {
		if foldPrefix(t[at:], w) {
			return linkSpace, at + len(w)
		}
	}
	return linkSpace, at
}

// typed skips a type between a name and the equals sign: "var token string = ...".
func typed(t []byte, at int) int {
	e := run(t, at, isLetter)
	if e == at || e-at > 12 {
		return 0
	}
	for e < len(t) && t[e] == ' ' {
		e++
	}
	if e < len(t) && (t[e] == '=' || t[e] == ':') && e+1 < len(t) {
		e++
		if t[e] == '=' {
			e++
		}
		return e
	}
	return 0
}

// maxValue is how far a value is read; longer ones are cut, which their strength survives.
const maxValue = 512

// valueAt reads a value: what stands in quotes, or up to a byte that no secret holds.
func valueAt(t []byte, i int, via link) (lo, end int, quoted bool) {
	i = skipBlank(t, i, via == linkTag || via == linkArg)
	if i >= len(t) {
		return i, i, false
	}
	if q := t[i]; q == '"' || q == '\'' || q == '`' {
		return quotedValue(t, i+1, q)
	}
	i = scheme(t, i)
	e := i
	for e < len(t) && e < i+maxValue && !is(t[e], isSpace) && strings.IndexByte("\"'`,;<>()|\\", t[e]) < 0 {
		e++
	}
	for e > i && strings.IndexByte(".:}]", t[e-1]) >= 0 {
		e--
	}
	return i, e, false
}

// skipBlank passes over blanks, escaped ones too, and the backslash of an escaped quote.
func skipBlank(t []byte, i int, lines bool) int {
	for stop := min(len(t), i+40); i < stop; i++ {
		switch {
		case t[i] == '\\' && i+1 < len(t) && t[i+1] == 'n':
			i++
		case t[i] == '\\' && i+1 < len(t) && t[i+1] == '"':
		case !is(t[i], isSpace) || t[i] == '\n' && !lines:
			return i
		}
	}
	return i
}

func quotedValue(t []byte, i int, q byte) (lo, end int, closed bool) {
	limit := t[:min(len(t), i+maxValue)]
	lo = min(scheme(t, i), len(limit))
	for e := lo; e < len(limit); e++ {
		if limit[e] != q && (limit[e] != '\n' || q == '`') {
			continue
		}
		closed = limit[e] == q
		if e > lo && limit[e-1] == '\\' {
			e--
		}
		return lo, e, closed
	}
	return lo, len(limit), false
}

// scheme skips the word before the credential of an Authorization header.
func scheme(t []byte, i int) int {
	for _, w := range [...]string{"bearer ", "token ", "basic ", "apikey ", "api-key ", "bot ", "ssws ", "geniekey ", "sharedkey ", "negotiate "} {
		if foldPrefix(t[i:], w) {
			return i + len(w)
		}
	}
	return i
}

// assigned decides whether the value that follows a name is a secret. The effort is in closer looks.
func (l *lexicon) assigned(t []byte, s, e int, g grade) (lo, end, effort int, confidence uint8) {
	nameLo, nameHi, g := l.name(t, s, e, g)
	if g <= gradeNot {
		return 0, 0, nameEffort, 0
	}
	lo, end, via, quoted := valueAfter(t, nameHi)
	if via == linkNone && e < nameHi {
		// "vendorSECRET-value" and "vendorKEY value": the name's own tail may be the value.
		lo, end, via, quoted = valueAfter(t, e)
	}
	effort = nameEffort
	if via != linkNone && end-lo >= 4 {
		effort += decideEffort + (end-lo)/2
		marked := isMarked(t[s:e], t[nameLo:s])
		if c := l.decide(claim{marked: marked, name: t[nameLo:nameHi], value: t[lo:end], grade: g, via: via, quoted: quoted, before: t[max(0, nameLo-64):nameLo], after: t[end:]}); c > 0 {
			return lo, end, effort, c
		}
	}
	if g < gradeToken {
		return 0, 0, effort, 0
	}
	lo, end, confidence = l.away(t, nameLo, nameHi, g)
	return lo, end, effort + decideEffort, confidence
}

// away judges a value that does not follow its name at once.
func (l *lexicon) away(t []byte, nameLo, nameHi int, g grade) (lo, end int, confidence uint8) {
	name := t[nameLo:nameHi]
	if lo, end, via, quoted := further(t, nameHi); via != linkNone && end-lo >= 4 {
		if c := l.decide(claim{name: name, value: t[lo:end], grade: g, via: via, quoted: quoted, after: t[end:]}); c > 0 {
			return lo, end, c
		}
	}
	if lo, end = spoken(t, nameHi, g); end > lo {
		return lo, end, 60
	}
	return 0, 0, 0
}

// hasVendor looks for a service's name among the words of t.
func (l *lexicon) hasVendor(t []byte) bool {
	t = t[max(0, len(t)-64):]
	var word [24]byte
	for i := 0; i < len(t); {
		if !is(t[i], isAlnum) {
			i++
			continue
		}
		e, n := i, 0
		for e < len(t) && is(t[e], isAlnum) && n < len(word) && (n < 3 || !is(t[e], isUpper) || !is(t[e-1], isLower)) {
			word[n] = lower(t[e])
			n++
			e++
		}
		if g, ok := l.grades[string(word[:n])]; ok && g == gradeVendor {
			return true
		}
		i = e
	}
	return false
}
