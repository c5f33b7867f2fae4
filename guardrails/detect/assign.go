package detect

import (
	"bytes"
	"strings"
)

// lexicon is what the assignment rules know: the words of names, and where one stands in the automaton's numbering.
type lexicon struct {
	grades       map[string]grade
	tails, heads map[string]bool
}

func newLexicon() *lexicon {
	l := &lexicon{grades: secretWords(), tails: map[string]bool{}, heads: map[string]bool{}}
	for _, w := range tails() {
		l.tails[w] = true
	}
	for _, w := range heads() {
		l.heads[w] = true
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
	for hi < len(t) && hi-e < 40 && (wordByte(t[hi]) || t[hi] == '-' && hi+1 < len(t) && is(t[hi+1], isLetter)) {
		hi++
	}
	if l.saysNot(t, s, e, hi) || l.headSaysNot(t[lo:s], g) {
		return lo, hi, gradeNot
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
	if s > 0 && is(t[s-1], isAlnum) && !(is(t[s], isUpper) && is(t[s-1], isLower)) {
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
	// Letters that go on without a border are another word: "keyboard", "tokenize", "authentication", "passenger".
	if is(rest[0], isLower) && is(t[e-1], isLower) || is(rest[0], isUpper) && is(t[e-1], isUpper) && is(t[s], isUpper) {
		if lower(rest[0]) != 's' || len(rest) > 1 && is(rest[1], isAlnum) && !l.follows(rest) {
			return !l.follows(rest)
		}
	}
	i := len(rest)
	for i > 0 && is(rest[i-1], isLower|isDigit) {
		i--
	}
	if i > 0 && is(rest[i-1], isUpper) {
		i--
		for i > 0 && i == len(rest)-1 && is(rest[i-1], isUpper) {
			i--
		}
	}
	if i == len(rest) || is(rest[len(rest)-1], isUpper) {
		i = len(rest)
		for i > 0 && is(rest[i-1], isUpper|isDigit) {
			i--
		}
	}
	return isIn(l.tails, rest[i:])
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
			return l.heads[string(head[i:])] && len(head)-i < 7
		}
		return false
	}
	head = bytes.TrimRight(head, "_-.")
	i := len(head)
	for i > 0 && is(head[i-1], isLower) {
		i--
	}
	if i > 0 && is(head[i-1], isUpper) {
		i--
		for i > 0 && is(head[i-1], isUpper) && i == len(head)-1 {
			i--
		}
	}
	if i == len(head) {
		i = runBack(head, len(head), isUpper)
	}
	return isIn(l.heads, head[i:])
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
	for i < len(t) && i < hi+6 && (t[i] == '"' || t[i] == '\'' || t[i] == '`' || t[i] == ']' || t[i] == ')' || t[i] == '*' || t[i] == '\\') {
		i++
	}
	closed := i > hi
	blank := i
	for i < len(t) && i < blank+24 && (t[i] == ' ' || t[i] == '\t') {
		i++
	}
	via = linkNone
	op := i
	for i < len(t) && i < op+5 && strings.IndexByte("=:>|?.,~", t[i]) >= 0 {
		i++
	}
	switch sign := string(t[op:i]); {
	case sign == "" && blank < op:
		via = linkSpace
		if j := typed(t, op); j > 0 {
			via, i = linkAssign, j
		} else if foldPrefix(t[op:], "is ") || foldPrefix(t[op:], "was ") {
			i = op + 3
		}
	case sign == "" && hi < len(t) && i == hi && i > 0 && t[i-1] != ' ':
		if hi < len(t) && t[hi] == '-' {
			via, i = linkDash, hi+1
		}
	case sign == ">":
		via = linkTag
	case sign == "|":
		via = linkCell
	case sign == ",":
		if !closed {
			return 0, 0, linkNone, false
		}
		via = linkArg
	case sign == "." || sign == ".." || sign == "?" || sign == "...":
		return 0, 0, linkNone, false
	case sign != "":
		via = linkAssign
	}
	if via == linkNone {
		return 0, 0, linkNone, false
	}
	lo, end, quoted = valueAt(t, i, via)
	return lo, end, via, quoted
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

// valueAt reads a value: what stands in quotes, or up to a byte that no secret holds.
func valueAt(t []byte, i int, via link) (lo, end int, quoted bool) {
	blank := isSpace
	for j := 0; i < len(t) && j < 40 && (is(t[i], blank) && (via == linkTag || via == linkArg || t[i] != '\n') || t[i] == '\\' && i+1 < len(t) && (t[i+1] == '"' || t[i+1] == 'n')); j++ {
		if t[i] == '\\' && t[i+1] == 'n' {
			i++
		}
		i++
	}
	if i >= len(t) {
		return i, i, false
	}
	if q := t[i]; q == '"' || q == '\'' || q == '`' {
		i++
		limit := t[:min(len(t), i+4096)]
		for e := i; e < len(limit); e++ {
			if limit[e] == q || limit[e] == '\n' && q != '`' {
				end = e
				if end > i && limit[end-1] == '\\' {
					end--
				}
				return scheme(t, i), max(end, scheme(t, i)), limit[e] == q
			}
		}
		return i, len(limit), false
	}
	i = scheme(t, i)
	e := i
	for e < len(t) && e < i+4096 && !is(t[e], isSpace) && strings.IndexByte("\"'`,;<>()|\\", t[e]) < 0 {
		e++
	}
	for e > i && (t[e-1] == '.' || t[e-1] == ':' || t[e-1] == '}' || t[e-1] == ']') {
		e--
	}
	return i, e, false
}

// scheme skips the word before the credential of an Authorization header.
func scheme(t []byte, i int) int {
	for _, w := range [...]string{"bearer ", "token ", "basic ", "apikey ", "bot "} {
		if foldPrefix(t[i:], w) {
			return i + len(w)
		}
	}
	return i
}

// assigned decides whether the value that follows a name is a secret.
func (l *lexicon) assigned(t []byte, s, e int, g grade) (lo, end int, confidence uint8) {
	nameLo, nameHi, g := l.name(t, s, e, g)
	if g <= gradeNot {
		return 0, 0, 0
	}
	lo, end, via, quoted := valueAfter(t, nameHi)
	if via == linkNone && e < nameHi {
		// "vendorSECRET-value" and "vendorKEY value": the name's own tail may be the value.
		lo, end, via, quoted = valueAfter(t, e)
	}
	if via == linkNone || end-lo < 4 {
		return 0, 0, 0
	}
	marked := isMarked(t[s:e], t[nameLo:s])
	c := l.decide(claim{marked: marked, name: t[nameLo:nameHi], value: t[lo:end], grade: g, via: via, quoted: quoted, before: t[max(0, nameLo-64):nameLo], after: t[end:]})
	return lo, end, c
}

// claim is a name with its value.
type claim struct {
	name, value, before, after []byte
	grade                      grade
	marked                     bool // the word stands out in capitals beside a name in small letters
	via                        link
	quoted                     bool
}

// decide returns a confidence in percent; 0 is no.
func (l *lexicon) decide(c claim) uint8 {
	w := weigh(c.value)
	if w == noSecret {
		return 0
	}
	explicit := c.via == linkAssign || c.via == linkTag || c.via == linkCell || c.via == linkArg && c.quoted
	vendor := l.hasVendor(c.name) || l.hasVendor(c.before) || c.marked && w >= tokenLike
	if !vendor && alphabet(c.value) {
		return 0
	}
	switch c.grade {
	case gradePass:
		return c.password(w, explicit)
	case gradeToken:
		return c.token(w, explicit, vendor)
	case gradeWeak, gradeVendor:
		return c.weak(w, explicit, vendor)
	default:
		return 0
	}
}

func (c *claim) token(w strength, explicit, vendor bool) uint8 {
	s := shapeOf(c.value)
	switch {
	case explicit && w >= tokenLike:
		return 90
	case explicit && w == passLike && s.digit > 0 && s.letter() > 2 && len(c.value) >= 7 && s.space == 0 && !isVersion(c.value):
		return 80
	case explicit && c.quoted && s.space == 0 && len(c.value) >= 6 && (s.mark > 0 || vendor && len(c.value) >= 10) && !identifier(c.value):
		return 60
	case explicit && vendor && w == passLike && len(c.value) >= 16 && s.space == 0:
		return 60
	case !explicit && w >= tokenLike && s.digit > 1 && s.letter() > 2 && (vendor || w == randomLike || len(c.value) >= 20) && wordShaped(c.value):
		return 70
	case vendor && len(c.value) >= 20 && wordShaped(c.value) && s.letter()+s.digit == len(c.value):
		return 60
	case !explicit && vendor && len(c.value) >= 10 && s.digit > 1 && s.letter() > 1 && wordShaped(c.value):
		return 60
	}
	return 0
}

func (c *claim) weak(w strength, explicit, vendor bool) uint8 {
	s := shapeOf(c.value)
	switch {
	case !vendor && c.grade == gradeWeak && !apiKeyName(c.name) && !(w == randomLike && explicit && constantName(c.name)):
		return 0
	case !wordShaped(c.value) && w < randomLike:
		return 0
	case explicit && w >= tokenLike && (s.digit > 0 || len(c.value) >= 30) && s.letter() > 0:
		return 70
	case w == randomLike && s.digit > 1, w == tokenLike && isUUID(c.value):
		return 60
	case c.grade == gradeWeak && w == tokenLike && s.digit > 2 && len(c.value) >= 14 && s.letter() > 2:
		return 60
	case c.grade == gradeWeak && vendor && len(c.value) >= 20 && s.letter()+s.digit == len(c.value):
		return 60
	case c.grade == gradeWeak && explicit && s.digit > 1 && s.letter() > 1 && len(c.value) >= 10:
		return 60
	}
	return 0
}

// isMarked holds for "name SECRET value" and "nameKEY=value".
func isMarked(word, before []byte) bool {
	if shapeOf(word).lower > 0 || len(word) < 3 {
		return false
	}
	return shapeOf(before).upper == 0 && len(before) > 0 || len(before) == 0
}

// constantName holds for SOME_KEY.
func constantName(name []byte) bool {
	s := shapeOf(name)
	return s.lower == 0 && foldSuffix(name, "_key")
}

// apiKeyName holds for weak names that stand alone as what they are: "x-api-key" has its own word, "private" and "access"
// need a service beside them.
func apiKeyName(name []byte) bool { return foldContains(name, "api") && foldContains(name, "key") }

// password accepts what people choose, where the form leaves no doubt that it is one.
func (c *claim) password(w strength, explicit bool) uint8 {
	s := shapeOf(c.value)
	switch {
	case w >= tokenLike && (explicit || s.digit > 2):
		return 85
	case !explicit && !c.quoted:
		if s.digit > 0 && s.letter() > 2 && s.space == 0 && len(c.value) >= 6 && !isVersion(c.value) && c.via == linkSpace {
			return 60
		}
		return 0
	case c.connection():
		return 70
	case commonWord(c.value) || s.space > 0 && !c.quoted || identifier(c.value) && !c.quoted && !c.ends():
		return 0
	case s.space > 1:
		return 0
	case s.digit > 0 && s.letter() > 0 || s.mark > 0 && s.letter() > 0:
		return 80
	case explicit && len(c.value) >= 6 && (c.quoted || c.ends()) && s.space == 0 && c.strictName():
		return 60
	}
	return 0
}

// strictName holds for names written as code and settings write them; prose says "Password: required".
func (c *claim) strictName() bool {
	return c.via == linkAssign && (bytes.IndexByte(c.name, '_') >= 0 || foldEqual(c.name, "pwd") || foldEqual(bytes.TrimLeft(c.name, "$"), "password") && c.closes() || c.quoted)
}

// connection holds inside connection strings: a user stands before, a separator after.
func (c *claim) connection() bool {
	b := c.before[max(0, len(c.before)-40):]
	return c.via == linkAssign && c.closes() && bytes.IndexByte(b, ';') >= 0 && (foldContains(b, "uid=") || foldContains(b, "user id=") || foldContains(b, "username=") || foldContains(b, "user="))
}

// closes holds where the value ends its setting.
func (c *claim) closes() bool {
	return len(c.after) == 0 || c.after[0] == ';' || c.after[0] == '\n' || c.after[0] == '&'
}

// ends holds where nothing but the end of the line, a separator or a comment follows.
func (c *claim) ends() bool {
	a := bytes.TrimLeft(c.after[:min(len(c.after), 16)], " \t\"'")
	return len(a) == 0 || strings.IndexByte("\n\r;,#}&<", a[0]) >= 0 || bytes.HasPrefix(a, []byte("\\n"))
}

// identifier holds for a name in code: letters, digits and underscores in words.
func identifier(v []byte) bool {
	s := shapeOf(v)
	return s.mark == bytes.Count(v, []byte("_"))+bytes.Count(v, []byte(".")) && s.other+s.space == 0 && s.digit <= 2 && is(v[0], isLetter) && s.changes <= 6
}

// wordShaped holds for what stands as one token in prose.
func wordShaped(v []byte) bool {
	for _, b := range v {
		if !is(b, isBase64) && b != '.' && b != '=' && b != '~' && b != '$' && b != '!' && b != ':' {
			return false
		}
	}
	return true
}

func isVersion(v []byte) bool {
	if v[0] == 'v' || v[0] == 'V' {
		v = v[1:]
	}
	s := shapeOf(v)
	return len(v) > 0 && is(v[0], isDigit) && bytes.Count(v, []byte(".")) >= 1 && s.letter() <= 5
}

func commonWord(v []byte) bool {
	for _, w := range [...]string{
		"string", "true", "false", "null", "none", "nil", "undefined", "required", "optional", "strong", "weak", "password", "passwd", "secret", "token", "text", "hidden", "enabled", "disabled", "empty", "default",
		"unset", "missing", "invalid", "incorrect", "wrong", "expired", "changed", "updated", "reset", "forgot", "confirm", "username", "user", "email", "admin@", "root@", "must", "should", "please", "enter", "type", "value", "yes", "no",
		"number", "boolean", "object", "array", "varchar", "char", "bytes", "field", "input", "the", "a", "an", "is", "was", "for", "and", "or", "not", "self", "this", "args", "option", "options", "config", "env", "new", "old", "str", "int",
	} {
		if foldEqual(v, w) {
			return true
		}
	}
	return false
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
		for e < len(t) && is(t[e], isAlnum) && n < len(word) && !(n >= 3 && is(t[e], isUpper) && is(t[e-1], isLower)) {
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
