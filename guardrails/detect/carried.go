package detect

import (
	"bytes"
	"strings"
)

// Secrets as commands, headers and files of settings carry them.

// flagShort is the password of commands that take it behind a flag of one letter: sshpass -p x, redis-cli -a x,
// mysql -px.
func flagShort(t []byte, s, e int) (lo, hi int) {
	if s > 0 && is(t[s-1], isAlnum) {
		return 0, -1
	}
	line := firstLine(t[s:])
	flag := " -p"
	if foldPrefix(line, "redis-cli") {
		flag = " -a"
	}
	i := bytes.Index(line[e-1-s:], []byte(flag))
	if i < 0 {
		return 0, -1
	}
	at := e - 1 + i + len(flag)
	if at >= len(t) || foldPrefix(line, "mysql") && is(t[at], isSpace) { // there it asks for the password
		return 0, -1
	}
	return flagValue(t, at)
}

// sessionCookie is the value of a cookie whose name every server takes for a session.
func sessionCookie(t []byte, s, e int) (lo, hi int) {
	if s > 0 && is(t[s-1], isAlnum) {
		return 0, -1
	}
	lo, hi = e, e
	for hi < len(t) && hi-lo < maxToken && strings.IndexByte(" ;\"'\r\n,&\\", t[hi]) < 0 {
		hi++
	}
	v := t[lo:hi]
	if len(v) < 16 || isPlaceholder(v) || shapeOf(v).digit == 0 || entropy(v) < 3 {
		return 0, -1
	}
	return lo, hi
}

// windowsHash is a line of a dump of accounts: name:number:LM:NT.
func windowsHash(t []byte, s, e int) (lo, hi int) {
	if e >= len(t) || t[e] != ':' || s == 0 || t[s-1] != ':' {
		return 0, -1
	}
	if hi = run(t, e+1, isHex); hi-e != 33 {
		return 0, -1
	}
	return s, hi
}

// identified is the password of an account in SQL.
func identified(t []byte, _, e int) (lo, hi int) {
	i := e
	for _, word := range [...]string{"with ", "mysql_native_password ", "caching_sha2_password ", "by ", "as "} {
		if foldPrefix(t[i:], word) {
			i += len(word)
		}
	}
	if i >= len(t) || t[i] != '\'' && t[i] != '"' {
		return 0, -1
	}
	return chosen(t, i)
}

// chosen takes a value in quotes that somebody may have chosen for a password.
func chosen(t []byte, i int) (lo, hi int) {
	lo, hi, closed := valueAt(t, i, linkAssign)
	v := t[lo:hi]
	if !closed || len(v) < 5 || isPlaceholder(v) || commonWord(v) || isReference(v) || v[0] == '$' || bytes.IndexByte(v, ' ') >= 0 {
		return 0, -1
	}
	if s := shapeOf(v); s.digit == 0 && s.mark == 0 || s.letter() == 0 {
		return 0, -1
	}
	return lo, hi
}

// quotedArgument is what a function for secrets is called with, before or behind its name.
func quotedArgument(t []byte, _, e int) (lo, hi int) {
	for e < len(t) && (t[e] == ' ' || t[e] == '(') {
		e++
	}
	if foldPrefix(t[e:], "-string ") {
		e += len("-string ")
	}
	if e >= len(t) || t[e] != '\'' && t[e] != '"' {
		return 0, -1
	}
	return chosen(t, e)
}

// basicPair is auth=("user", "password") and its kin.
func basicPair(t []byte, s, e int) (lo, hi int) {
	if s > 0 && is(t[s-1], isAlnum) {
		return 0, -1
	}
	for e < len(t) && (t[e] == ' ' || t[e] == '"' || t[e] == '\'') {
		e++
	}
	first := bytes.IndexByte(t[e:min(len(t), e+64)], ',')
	if first < 0 || bytes.IndexByte(t[e:e+first], ')') >= 0 {
		return 0, -1
	}
	i := skipBlank(t, e+first+1, false)
	if i >= len(t) || t[i] != '\'' && t[i] != '"' {
		return 0, -1
	}
	return chosen(t, i)
}

// routerPassword is the password of a router's settings: a digit for the way it is written down, then the value.
func routerPassword(t []byte, _, e int) (lo, hi int) {
	lo, hi = e, run(t, e, isAlnum)
	if hi-lo < 10 || hi-lo > 64 || shapeOf(t[lo:hi]).digit < 2 {
		return 0, -1
	}
	for _, b := range t[lo:hi] {
		if !is(b, isHex) {
			return 0, -1
		}
	}
	return lo, hi
}

// chatPassword is what somebody tells a bot that keeps names.
func chatPassword(t []byte, _, e int) (lo, hi int) { return flagValue(t, e) }

// passFile is a line of .pgpass: host:port:database:user:password.
func passFile(t []byte, s, e int) (lo, hi int) {
	line := firstLine(t[s:])
	parts := bytes.SplitN(line, []byte(":"), 5)
	if len(parts) != 5 || s == 0 || is(t[s-1], isSpace) {
		return 0, -1
	}
	hi = s + len(line)
	lo = hi - len(parts[4])
	if host := runBack(t, s, isAlnum); host == s || e > lo {
		return 0, -1
	}
	for _, p := range parts[2:4] {
		if len(p) == 0 || len(p) > 64 || bytes.ContainsAny(p, " /\"'@,{}") {
			return 0, -1
		}
	}
	v := parts[4]
	if len(v) < 6 || isPlaceholder(v) || commonWord(v) || bytes.ContainsAny(v, " /:") {
		return 0, -1
	}
	if sh := shapeOf(v); sh.digit == 0 || sh.letter() == 0 {
		return 0, -1
	}
	return lo, hi
}

// walletKey is the private key of a wallet in import format: Base58Check with its checksum.
func walletKey(t []byte, _, e int) (lo, hi int) {
	for i := e; i < min(len(t), e+48); i++ {
		if b := t[i]; b != '5' && b != 'K' && b != 'L' && b != 'c' || i > 0 && is(t[i-1], isAlnum) {
			continue
		}
		if hi := run(t, i, isAlnum); hi-i == 51 || hi-i == 52 {
			return i, hi
		}
	}
	return 0, -1
}

// seedPhrase is 12 to 24 words behind a name for the phrase that restores a wallet: BIP 39. Its words have three to eight
// letters, and none of those that make a sentence.
func seedPhrase(t []byte, _, e int) (lo, hi int) {
	for e < len(t) && strings.IndexByte("s\"'` *_", t[e]) >= 0 {
		e++
	}
	switch {
	case e < len(t) && (t[e] == ':' || t[e] == '='):
		e++
	case foldPrefix(t[e:], "is"):
		e += 3
	default:
		return 0, -1
	}
	for e < len(t) && strings.IndexByte(":= \t\r\n\"'`[>", t[e]) >= 0 {
		e++
	}
	n := 0
	for lo, hi = e, e; n <= 24; n++ {
		at := hi
		for n > 0 && at < len(t) && at-hi < 4 && strings.IndexByte(" ,\n\"'", t[at]) >= 0 {
			at++
		}
		end := run(t, at, isLetter)
		if end-at < 3 || end-at > 8 || n > 0 && at == hi || linking(t[at:end]) {
			break
		}
		hi = end
	}
	if n < 12 || n > 24 || n%3 != 0 {
		return 0, -1
	}
	return lo, hi
}

// linking holds for words of sentences that no seed phrase has.
func linking(w []byte) bool {
	for _, x := range [...]string{"the", "and", "for", "are", "with", "from", "your", "was", "not", "but", "must", "should", "has", "were", "its", "which"} {
		if foldEqual(w, x) {
			return true
		}
	}
	return false
}

// registryAuth is user:password in base64, as files of container registries hold it.
func registryAuth(t []byte, _, e int) (lo, hi int) {
	lo, hi, via, quoted := valueAfter(t, e)
	if via != linkAssign || !quoted || hi-lo < 8 {
		return 0, -1
	}
	if !registryPair(t[lo:hi]) {
		return 0, -1
	}
	return lo, hi
}

// registryPair holds for user:password in base64.
func registryPair(v []byte) bool {
	if len(v) < 8 || len(v) > 512 {
		return false
	}
	plain, ok := unbase64(nil, v)
	c := bytes.IndexByte(plain, ':')
	return ok && c > 0 && len(plain)-c >= 5 && validSoFar(plain) && !isPlaceholder(plain[c+1:])
}
