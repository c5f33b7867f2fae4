package detect

import "bytes"

// strength says how much a value looks like a secret by itself.
type strength uint8

const (
	noSecret   strength = iota // a word, a number, a path, a placeholder, code
	passLike                   // short, or made of words: a secret only where a name says so
	tokenLike                  // letters and digits mixed, 16 bytes and more; a UUID; hexadecimal
	randomLike                 // 24 bytes and more, and as random as they come
)

// weigh judges a value that somebody's name for it made suspicious.
func weigh(v []byte) strength {
	v = bytes.TrimSpace(v)
	if len(v) < 4 || len(v) > 4096 || isPlaceholder(v) || isReference(v) {
		return noSecret
	}
	s := shapeOf(v)
	switch {
	case s.other > 0 && s.space > 0 && s.digit == 0:
		return noSecret
	case s.space > 2:
		return noSecret
	case s.digit > 0 && s.letter() == 0 && s.mark == 0:
		if len(v) >= 16 {
			return tokenLike
		}
		return noSecret
	case s.digit == 0 && s.mark == 0 && len(v) < 16:
		return passLike
	}
	return s.random(v)
}

// shape counts what a value is made of.
type shape struct {
	digit, lower, upper, mark, space, other, hex, changes int
}

func (s *shape) letter() int { return s.lower + s.upper }

// counts says what a byte adds to a shape: seven sums of nine bits each, enough for 256 bytes.
var counts = func() (t [256]uint64) {
	for b := range t {
		at := 5 // other
		switch k := kindOf[b]; {
		case k&isDigit != 0:
			at = 0
		case k&isLower != 0:
			at = 1
		case k&isUpper != 0:
			at = 2
		case k&isSpace != 0:
			at = 4
		case b < 0x80:
			at = 3
		}
		t[b] = 1 << (9 * at)
		if kindOf[b]&isHex != 0 {
			t[b] |= 1 << (9 * 6)
		}
	}
	return t
}()

func shapeOf(v []byte) shape {
	const (
		sum     = 1<<9 - 1
		differs = 1<<(isDigit|isLower) | 1<<(isDigit|isUpper) | 1<<(isLower|isUpper) // two kinds of letters and digits side by side
	)
	n, changes, last := uint64(0), 0, uint8(0)
	for _, b := range v[:min(len(v), 256)] {
		n += counts[b]
		k := kindOf[b] & isAlnum
		changes += differs >> (k | last) & 1
		last = k
	}
	at := func(i int) int { return int(n >> (9 * i) & sum) }
	return shape{digit: at(0), lower: at(1), upper: at(2), mark: at(3), space: at(4), other: at(5), hex: at(6), changes: changes}
}

func (s *shape) random(v []byte) strength {
	h := entropy(v)
	n := min(len(v), 256)
	pureHex := s.hex == n
	switch {
	case s.space > 0:
		return passLike
	case isUUID(v):
		return tokenLike
	case hexPair(v):
		return randomLike
	case s.digit == 0 && s.changes*4 < n && s.mark*6 < n && !pureHex:
		return passLike // words, however joined
	case h < 2.2:
		return passLike
	case pureHex && n >= 24 && s.digit > 0:
		return randomLike
	case n >= 24 && h >= 3.3 && s.digit*25 >= n:
		return randomLike
	case n >= 32 && h >= 4.2:
		return randomLike
	case n >= 14 && (s.digit > 0 || s.changes*3 >= n):
		return tokenLike
	}
	return passLike
}

// hexPair holds for two hexadecimal numbers of eight digits, as registries of packages give out.
func hexPair(v []byte) bool {
	return len(v) == 17 && v[8] == ':' && hexRun(v[:8]) && hexRun(v[9:])
}

func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, b := range v {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (b == '-') || !dash && !is(b, isAlnum) {
			return false
		}
	}
	return true
}

// standIn is a word with the bytes it has; see [bytesOf].
type standIn struct {
	word  []byte
	bytes uint64
}

// bytesOf is a set in which every byte of a text has its bit. Some share one.
func bytesOf(t []byte) (all uint64) {
	for _, b := range t {
		all |= 1 << (b & 63)
	}
	return all
}

// standIns are words of values that stand for others.
var standIns = func() (all []standIn) {
	for _, w := range [...]string{
		"redacted", "placeholder", "changeme", "change_me", "change-me", "replace_me", "replaceme", "insert_", "insert-", "your_", "your-", "yourpass", "yourtoken",
		"yourkey", "yourapi", "your api", "my_secret", "process.env", "os.environ", "getenv", "env(", "env[", "env.", "vault.", "secrets.", "xxxxxx",
		"<redact", "[redact", "dummy", "*****", "todo", "fixme", "todo_", "not_a_real", "notreal", "hidden", "encrypted",
	} {
		all = append(all, standIn{[]byte(w), bytesOf([]byte(w))})
	}
	return all
}()

// isPlaceholder knows what people write where a secret would stand.
func isPlaceholder(v []byte) bool {
	first, last := v[0], v[len(v)-1]
	switch {
	case first == '<' && last == '>', first == '{' && last == '}', first == '[' && last == ']', first == '%' && last == '%':
		return true
	case first == '$' && len(v) > 1 && (v[1] == '{' || v[1] == '(' || is(v[1], isLetter) && !bytes.ContainsRune(v[2:], '$')):
		return true
	case bytes.Contains(v, []byte("${")), bytes.Contains(v, []byte("{{")), bytes.Contains(v, []byte("...")):
		return true
	case repeats(v):
		return true
	}
	var low [128]byte
	n := copy(low[:], v)
	for i, b := range low[:n] {
		low[i] = lower(b)
	}
	has := bytesOf(low[:n])
	for i := range standIns {
		if w := &standIns[i]; w.bytes&^has == 0 && bytes.Contains(low[:n], w.word) {
			return true
		}
	}
	return foldContains(v, "example") && len(v) < 24 && shapeOf(v).digit == 0
}

// repeats holds for runs of one byte, such as x's and stars.
func repeats(v []byte) bool {
	for _, b := range v[1:] {
		if lower(b) != lower(v[0]) {
			return false
		}
	}
	return lower(v[0]) == 'x' || !is(v[0], isLetter)
}

// isReference holds for values that point at something: paths, addresses, expressions, dates, versions.
func isReference(v []byte) bool {
	switch {
	case v[0] == '/' && identifier(v[1:]) && len(v) > 1:
		return true
	case v[0] == '/' && bytes.Count(v, []byte("/")) >= 2 && entropy(v) < 4.3, bytes.HasPrefix(v, []byte("./")), bytes.HasPrefix(v, []byte("../")), bytes.HasPrefix(v, []byte("~/")):
		return true
	case bytes.Contains(v, []byte("://")) || bytes.HasPrefix(v, []byte("data:")):
		return true
	case bytes.ContainsAny(v, "()") && bytes.IndexByte(v, '(') > 0 && wordByte(v[bytes.IndexByte(v, '(')-1]):
		return true
	case dotted(v) || dateLike(v) || released(v) || hostPort(v) || archive(v) || codeName(v):
		return true
	case bytes.IndexByte(v, '?') > 0 && bytes.IndexByte(v, '&') > 0 && bytes.IndexByte(v, '=') > 0: // an address's parameters
		return true
	case v[0] == '@' || v[0] == '#' && len(v) < 10 || bytes.Contains(v, []byte("->")) || bytes.Contains(v, []byte("=>")) || bytes.Contains(v, []byte("::")):
		return true
	}
	for _, p := range []string{"sha256-", "sha384-", "sha512-", "sha256:", "sha1:", "h1:", "md5:", "arn:", "urn:", "projects/"} {
		if foldPrefix(v, p) {
			return true
		}
	}
	return false
}

// dotted holds for identifiers joined by dots, as in code and host names.
func dotted(v []byte) bool {
	parts := 0
	for part := range bytes.SplitSeq(v, []byte(".")) {
		parts++
		if len(part) == 0 || len(part) > 24 || is(part[0], isDigit) {
			return false
		}
		s := shapeOf(part)
		if s.mark > 1 || s.other+s.space > 0 || s.digit > 3 || s.changes > 5 {
			return false
		}
	}
	return parts > 1
}

// hostPort holds for example.com:8080.
func hostPort(v []byte) bool {
	i := bytes.LastIndexByte(v, ':')
	return i > 0 && i < len(v)-1 && len(v)-i <= 6 && run(v, i+1, isDigit) == len(v) && (dotted(v[:i]) || foldEqual(v[:i], "localhost"))
}

// archive holds for a file's name whose ending has digits: test.7z, clip.mp4.
func archive(v []byte) bool {
	i := bytes.LastIndexByte(v, '.')
	return i > 0 && len(v)-i <= 4 && len(v)-i > 2 && shapeOf(v[i:]).digit > 0 && shapeOf(v[:i]).digit == 0 && shapeOf(v[:i]).mark == 0 && is(v[0], isLower)
}

// codeName holds for names of types with a size in them: Float64UpDownCounter.
func codeName(v []byte) bool {
	s := shapeOf(v)
	if s.digit == 0 || s.digit > 2 || s.upper == 0 || s.upper*3 > len(v) || s.letter()+s.digit != len(v) || !is(v[0], isUpper) || is(v[len(v)-1], isDigit) {
		return false
	}
	for i, b := range v {
		if is(b, isUpper) && (i+1 >= len(v) || !is(v[i+1], isLower)) {
			return false
		}
	}
	return true
}

// released holds for a name and its version: jackson-0.11.2.
func released(v []byte) bool {
	i := bytes.LastIndexByte(v, '-')
	return i > 0 && i < len(v)-1 && isVersion(v[i+1:]) && shapeOf(v[:i]).digit <= 2
}

// alphabet holds for tables of characters: they look random and are not.
func alphabet(v []byte) bool {
	steps := 0
	for i := 1; i < len(v); i++ {
		if steps++; v[i] != v[i-1]+1 {
			steps = 0
		}
		if steps == 20 {
			return true
		}
	}
	return false
}

func dateLike(v []byte) bool {
	return len(v) >= 10 && is(v[0], isDigit) && (v[4] == '-' && v[7] == '-' || v[2] == '/' && v[5] == '/' || v[2] == '.' && v[5] == '.')
}
