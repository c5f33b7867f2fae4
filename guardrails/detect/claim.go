package detect

import (
	"bytes"
	"strings"
)

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
	if w == noSecret || isRelease(c.value) {
		return 0
	}
	explicit := c.via == linkAssign || c.via == linkTag || c.via == linkCell || c.via == linkArg && c.quoted
	if selfNamed(c.value) && !c.connection() {
		return 0
	}
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
	case explicit && vendor && w == passLike && s.space == 0 && (len(c.value) >= 16 || len(c.value) >= 12 && unspeakable(c.value)):
		return 60
	case !explicit && w >= tokenLike && s.digit > 1 && s.letter() > 2 && (vendor || w == randomLike || len(c.value) >= 20) && wordShaped(c.value):
		return 70
	case vendor && len(c.value) >= 20 && wordShaped(c.value) && s.letter()+s.digit == len(c.value) && !camelCase(c.value):
		return 60
	case !explicit && vendor && len(c.value) >= 10 && s.digit > 1 && s.letter() > 1 && wordShaped(c.value):
		return 60
	}
	return 0
}

func (c *claim) weak(w strength, explicit, vendor bool) uint8 {
	s := shapeOf(c.value)
	switch {
	case !vendor && c.grade == gradeWeak && !apiKeyName(c.name) && (w < randomLike || !explicit || !constantName(c.name)):
		return 0
	case c.grade == gradeVendor && (s.digit*8 < len(c.value) && s.hex < len(c.value) && s.changes < 8 || released(c.value)):
		return 0
	case !wordShaped(c.value) && w < randomLike:
		return 0
	case explicit && w >= tokenLike && (s.digit > 0 || len(c.value) >= 30) && s.letter() > 0:
		return 70
	case w == randomLike && s.digit > 1, w == tokenLike && isUUID(c.value):
		return 60
	case c.grade == gradeWeak && w == tokenLike && s.digit > 2 && len(c.value) >= 14 && s.letter() > 2:
		return 60
	case c.grade == gradeWeak && vendor && len(c.value) >= 20 && s.letter()+s.digit == len(c.value) && !camelCase(c.value):
		return 60
	case c.grade == gradeWeak && explicit && s.digit > 1 && s.letter() > 1 && len(c.value) >= 10:
		return 60
	}
	return 0
}

// unspeakable holds for letters that no word has: five consonants in a row.
func unspeakable(v []byte) bool {
	run := 0
	for _, b := range v {
		if run++; !is(b, isLetter) || bytes.IndexByte([]byte("aeiou"), lower(b)) >= 0 {
			run = 0
		}
		if run == 5 {
			return true
		}
	}
	return false
}

// camelCase holds for names in code.
func camelCase(v []byte) bool {
	s := shapeOf(v)
	return s.upper > 0 && s.lower > 0 && s.digit*10 < len(v) && !alphabet(v)
}

// selfNamed holds for values that only say what would stand there: "client-secret", "mypassword".
func selfNamed(v []byte) bool {
	s := shapeOf(v)
	if s.digit > 0 || s.mark > bytes.Count(v, []byte("-"))+bytes.Count(v, []byte("_")) {
		return false
	}
	return foldContains(v, "secret") || foldContains(v, "password") || foldContains(v, "token") || foldContains(v, "api-key") || foldContains(v, "api_key")
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
	case foldEqual(c.name, "pass") && (c.via == linkSpace || c.via == linkNone):
		return 0
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

// isVersion holds for what may be a version of anything. Passwords may look so too: it counts where little else speaks for
// one. What isRelease holds for is no secret, whatever stands before it.
func isVersion(v []byte) bool {
	if v[0] == 'v' || v[0] == 'V' {
		v = v[1:]
	}
	s := shapeOf(v)
	return len(v) > 0 && is(v[0], isDigit) && bytes.Count(v, []byte(".")) >= 1 && s.letter() <= 5
}

// isPseudoVersion holds for versions of Go modules between releases, as in go.mod: v0.0.0-20240826202546-f6391c0de4c7. The time
// must be one of this century, so that hardly anything else fits.
// https://go.dev/ref/mod#pseudo-versions
func isPseudoVersion(v []byte) bool {
	const tail = len("20240826202546-f6391c0de4c7")
	if len(v) < len("v0.0.0-")+tail || len(v) > len("v10.10.10-0.")+tail || v[0] != 'v' {
		return false
	}
	base, rest := v[:len(v)-tail], v[len(v)-tail:]
	if b := base[len(base)-1]; b != '-' && b != '.' || !numbered(base) {
		return false
	}
	at, commit := rest[:14], rest[15:]
	return rest[14] == '-' && hexRun(commit) && shapeOf(at).digit == len(at) && at[0] == '2' && at[1] == '0' && twoDigits(at[4:]) <= 12 && twoDigits(at[6:]) <= 31 &&
		twoDigits(at[8:]) < 24 && twoDigits(at[10:]) < 60 && twoDigits(at[12:]) < 60
}

// isRelease holds for the version of a dependency, or a range of them, as manifests and lists of dependencies have it:
// ^4.0.0, >=1.2.3-rc.1, v0.13.0/go.mod. It is a pseudo-version, or has two dots or three, and numbers of up to five digits
// between them.
func isRelease(v []byte) bool {
	v = bytes.TrimSuffix(bytes.TrimSuffix(v, []byte("/go.mod")), []byte("+incompatible"))
	if isPseudoVersion(v) {
		return true
	}
	v = bytes.TrimLeft(v, "^~<>= ")
	v = bytes.TrimPrefix(v, []byte("v"))
	dots, digits := 0, 0
	for i, b := range v {
		switch {
		case is(b, isDigit) && digits < 5:
			digits++
		case b == '.' && digits > 0 && dots < 3:
			dots, digits = dots+1, 0
		case b == '-' && digits > 0 && dots == 2:
			return preRelease(v[i+1:])
		default:
			return false
		}
	}
	return dots >= 2 && digits > 0
}

// preRelease holds for rc.1, beta2 and the like (Semantic Versioning 2.0.0, item 9).
func preRelease(v []byte) bool {
	name := bytes.TrimRight(v, "0123456789.-")
	for _, known := range [...]string{"", "alpha", "beta", "rc", "pre", "preview", "next", "dev", "canary"} {
		if string(name) == known {
			return len(v)-len(name) <= 8
		}
	}
	return false
}

// pseudoVersion returns where such a version ends that begins at lo; 0 where there is none.
func pseudoVersion(t []byte, lo int) int {
	if t[lo] != 'v' {
		return 0
	}
	hi := lo
	for hi < len(t) && hi-lo < 64 && (is(t[hi], isAlnum) || t[hi] == '.' || t[hi] == '-') {
		hi++
	}
	if !isPseudoVersion(t[lo:hi]) {
		return 0
	}
	return hi
}

// numbered holds for what stands before the time: v0.0.0- or v1.2.4-0. with nothing but numbers.
func numbered(base []byte) bool {
	for _, b := range base[1:] {
		if !is(b, isDigit) && b != '.' && b != '-' {
			return false
		}
	}
	return bytes.Count(base, []byte(".")) <= 3 && bytes.Count(base, []byte("-")) == 1
}

func twoDigits(v []byte) int { return int(v[0]-'0')*10 + int(v[1]-'0') }

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
