package detect

import (
	"bytes"
	"strings"
)

// Secrets as programs store them: hashes, wallets, manifests.

var cryptSet = setOf("./$,=*@:-_+", "az", "AZ", "09")

func bcrypt(t []byte, s, e int) (lo, hi int) {
	if len(t) < s+60 || strings.IndexByte("abxy$", t[e]) < 0 {
		return 0, -1
	}
	hi = runSet(t, s, &cryptSet)
	if hi-s < 59 || hi-s > 64 {
		return 0, -1
	}
	return s, hi
}

// crypt is the form $id$salt$hash with a hash of at least 20 bytes.
func crypt(t []byte, s, e int) (lo, hi int) {
	if s > 0 && is(t[s-1], isAlnum) {
		return 0, -1
	}
	hi = runSet(t[:min(len(t), s+256)], s, &cryptSet)
	v := t[s:hi]
	last := bytes.LastIndexByte(v, '$')
	if last <= e-s-1 || len(v)-last < 20 || shapeOf(v[last:]).digit == 0 {
		return 0, -1
	}
	return s, hi
}

func pbkdf2(t []byte, s, _ int) (lo, hi int) {
	hi = runSet(t, s, &cryptSet)
	if bytes.Count(t[s:hi], []byte("$")) != 3 || hi-s < 50 {
		return 0, -1
	}
	return s, hi
}

func ssha(t []byte, s, e int) (lo, hi int) {
	i := bytes.IndexByte(t[e:min(len(t), e+6)], '}')
	if i < 0 {
		return 0, -1
	}
	hi = runSet(t, e+i+1, &base64Set)
	if hi-s < 28 {
		return 0, -1
	}
	return s, hi
}

func extendedKey(t []byte, s, _ int) (lo, hi int) {
	hi = run(t, s, isAlnum)
	if hi-s < 105 || hi-s > 113 || s > 0 && is(t[s-1], isAlnum) {
		return 0, -1
	}
	return s, hi
}

func xmlPass(t []byte, _, e int) (lo, hi int) {
	i := bytes.IndexByte(t[e:min(len(t), e+40)], '>')
	if i < 0 || i > 0 && is(t[e], isLetter) && !foldPrefix(t[e:], "word") {
		return 0, -1
	}
	lo = e + i + 1
	j := bytes.IndexByte(t[lo:min(len(t), lo+128)], '<')
	if j < 4 || !bytes.HasPrefix(t[lo+j:], []byte("</")) || isPlaceholder(t[lo:lo+j]) || bytes.IndexByte(t[lo:lo+j], ' ') >= 0 {
		return 0, -1
	}
	return lo, lo + j
}

// kubernetesSecret wants a value under "data:" of a manifest of that kind; the order of the two is free.
func kubernetesSecret(t []byte, s, e int) (lo, hi int) {
	from := max(0, s-2048)
	part := t[from:min(len(t), e+2048)]
	i := bytes.Index(part, []byte("data:"))
	plain := i >= 0 && bytes.HasSuffix(part[:i], []byte("string"))
	if j := bytes.Index(part, []byte("stringData:")); j >= 0 && (i < 0 || j < i) {
		i, plain = j+len("string"), true
	}
	if i < 0 || !plain && i > 0 && is(part[i-1], isAlnum) {
		return 0, -1
	}
	at := from + bytes.IndexByte(part[i:], ':') + i + 1
	end := from + len(part)
	for at < end {
		n := bytes.IndexByte(t[at:end], '\n')
		if n < 0 || at+n+1 >= end || !is(t[at+n+1], isSpace) {
			return 0, -1
		}
		at += n + 1
		stop := at + len(firstLine(t[at:end]))
		if v := manifestValue(t[at:stop]); v > 0 || plain && plainValue(t[at:stop]) {
			return at, stop
		}
	}
	return 0, -1
}

// plainValue holds for a line of a manifest whose value is not encoded.
func plainValue(line []byte) bool {
	c := bytes.IndexByte(line, ':')
	if c < 0 {
		return false
	}
	lo, hi, quoted := valueAt(line, c+1, linkAssign)
	v := line[lo:hi]
	if len(v) < 6 || isPlaceholder(v) || isReference(v) {
		return false
	}
	s := shapeOf(v)
	return s.letter() > 0 && (s.digit > 1 || quoted && s.mark > 0 && s.digit > 0)
}

// manifestValue returns the size of the encoded value that ends a line, or 0.
func manifestValue(line []byte) int {
	line = bytes.TrimRight(line, " \r\"'")
	lo := len(line)
	for lo > 0 && base64Set.has(line[lo-1]) {
		lo--
	}
	v := line[lo:]
	if len(v) < 12 || bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) || lo > 0 && strings.IndexByte(" \"'", line[lo-1]) < 0 {
		return 0
	}
	if plain, ok := unbase64(nil, v); !ok || !validSoFar(plain) {
		return 0
	}
	return len(v)
}

// vendorUUID is for services whose keys are UUIDs, and where the name before the value only says that it is an id.
func vendorUUID(t []byte, _, e int) (lo, hi int) {
	name := run(t, e, isAlnum)
	for name < len(t) && (t[name] == '_' || t[name] == '-' || t[name] == '.') {
		name = run(t, name+1, isAlnum)
	}
	if name-e > 32 || !foldContains(t[e:name], "id") {
		return 0, -1
	}
	lo, hi, via, _ := valueAfter(t, name)
	if via == linkNone || !isUUID(t[lo:hi]) {
		return 0, -1
	}
	return lo, hi
}
