package detect

import (
	"bytes"
	"strings"
)

// structure is a secret that its surroundings give away: a header, a connection string, a key file.
type structure struct {
	name, entity string
	anchor       string
	find         func(t []byte, s, e int) (lo, hi int) // hi < 0: no
}

// structures returns the rules. Anchors are in lower case.
func structures() []structure {
	return []structure{
		{"private-key-block", "private-key", "-----begin", pemBlock},
		{"private-key-block", "private-key", "ls0tls1crudj", base64Block},
		{"putty-key", "private-key", "putty-user-key-file-", puttyKey},
		{"jwt", "jwt", "eyj", jwt},
		{"url-credentials", "url-credentials", "://", urlCredentials},
		{"curl-user", "basic-auth", "curl ", curlUser},
		{"flag-password", "password", " -p", flagPassword},
		{"flag-password", "password", "-password ", flagWord},
		{"flag-password", "password", "-pass ", flagWord},
		{"flag-password", "password", "-user ", flagUser},
		{"flag-password", "password", "sshpass ", flagShort},
		{"flag-password", "password", "redis-cli ", flagShort},
		{"flag-password", "password", "mysql ", flagShort},
		{"flag-password", "password", "mysqldump ", flagShort},
		{"flag-password", "password", "identify ", chatPassword},
		{"sql-password", "password", "identified ", identified},
		{"sql-password", "password", " password(", quotedArgument},
		{"sql-password", "password", "convertto-securestring", quotedArgument},
		{"basic-pair", "password", "auth=(", basicPair},
		{"basic-pair", "password", "basicauth(", basicPair},
		{"router-password", "password", "password 7 ", routerPassword},
		{"router-password", "password", "secret 7 ", routerPassword},
		{"passfile", "password", ":5432:", passFile},
		{"passfile", "password", ":3306:", passFile},
		{"wallet-import-key", "wallet-key", "wif", walletKey},
		{"wallet-import-key", "wallet-key", "wallet", walletKey},
		{"wallet-import-key", "wallet-key", "bitcoin", walletKey},
		{"wallet-import-key", "wallet-key", "private key", walletKey},
		{"seed-phrase", "wallet-key", "seed phrase", seedPhrase},
		{"seed-phrase", "wallet-key", "seed_phrase", seedPhrase},
		{"seed-phrase", "wallet-key", "seedphrase", seedPhrase},
		{"seed-phrase", "wallet-key", "mnemonic", seedPhrase},
		{"seed-phrase", "wallet-key", "recovery phrase", seedPhrase},
		{"seed-phrase", "wallet-key", "recovery words", seedPhrase},
		{"seed-phrase", "wallet-key", "backup phrase", seedPhrase},
		{"seed-phrase", "wallet-key", "seed words", seedPhrase},
		{"session-cookie", "session-cookie", "sessionid=", sessionCookie},
		{"session-cookie", "session-cookie", "session_id=", sessionCookie},
		{"session-cookie", "session-cookie", "jsessionid=", sessionCookie},
		{"session-cookie", "session-cookie", "phpsessid=", sessionCookie},
		{"session-cookie", "session-cookie", "connect.sid=", sessionCookie},
		{"session-cookie", "session-cookie", "_session=", sessionCookie},
		{"session-cookie", "session-cookie", "asp.net_sessionid=", sessionCookie},
		{"session-cookie", "session-cookie", "aspxauth=", sessionCookie},
		{"session-cookie", "session-cookie", "remember_token=", sessionCookie},
		{"session-cookie", "session-cookie", "laravel_session=", sessionCookie},
		{"session-cookie", "session-cookie", "auth_token=", sessionCookie},
		{"registry-auth", "basic-auth", "\"auth\"", registryAuth},
		{"password-hash", "password-hash", "aad3b435b51404eeaad3b435b51404ee", windowsHash},
		{"password-hash", "password-hash", "$scrypt$", crypt},
		{"password-hash", "password-hash", "$7$", crypt},
		{"password-hash", "password-hash", "$gy$", crypt},
		{"netrc", "password", "machine ", netrc},
		{"authorization-header", "authorization", "authorization", authorization},
		{"header-token", "authorization", "-token: ", headerToken},
		{"npm-auth", "authorization", "_authtoken", npmAuth},
		{"npm-auth", "authorization", "_auth", npmAuth},
		{"password-hash", "password-hash", "$2", bcrypt},
		{"password-hash", "password-hash", "$1$", crypt},
		{"password-hash", "password-hash", "$5$", crypt},
		{"password-hash", "password-hash", "$6$", crypt},
		{"password-hash", "password-hash", "$8$", crypt},
		{"password-hash", "password-hash", "$9$", crypt},
		{"password-hash", "password-hash", "$y$", crypt},
		{"password-hash", "password-hash", "$apr1$", crypt},
		{"password-hash", "password-hash", "$krb5", crypt},
		{"password-hash", "password-hash", "$argon2", crypt},
		{"password-hash", "password-hash", "pbkdf2_", pbkdf2},
		{"password-hash", "password-hash", "{ssha", ssha},
		{"signed-url", "signed-url", "sig=", signedURL},
		{"signed-url", "signed-url", "x-amz-signature=", signedURL},
		{"extended-private-key", "wallet-key", "xprv", extendedKey},
		{"vendor-uuid", "generic-secret", "messagebird", vendorUUID},
		{"filezilla-password", "password", "<pass", xmlPass},
		{"kubernetes-secret", "kubernetes-secret", "kind: secret", kubernetesSecret},
		{"kubernetes-secret", "kubernetes-secret", "kind: \"secret", kubernetesSecret},
		{"kubernetes-secret", "kubernetes-secret", "kind: 'secret", kubernetesSecret},
	}
}

var (
	base64Set = setOf("+/=-_", "az", "AZ", "09")
	pemSet    = setOf("+/=", "az", "AZ", "09")
)

// maxToken is the length beyond which nothing is a token any more.
const maxToken = 4096

func runSet(t []byte, at int, s *set) int {
	t = t[:min(len(t), at+maxToken)]
	for at < len(t) && s.has(t[at]) {
		at++
	}
	return at
}

// pemBlock takes a private key from its first line to its last, or to where the body ends.
func pemBlock(t []byte, s, e int) (lo, hi int) {
	head := t[e:min(len(t), e+64)]
	i := bytes.Index(head, []byte("-----"))
	if i < 0 || !foldContains(head[:i], "private key") {
		return 0, -1
	}
	body := e + i + 5
	rest := t[body:min(len(t), body+8<<10)]
	if j := bytes.Index(rest, []byte("-----END")); j >= 16 {
		hi = body + j + 8
		if k := bytes.Index(t[hi:min(len(t), hi+64)], []byte("-----")); k >= 0 {
			hi += k + 5
		}
		return s, hi
	}
	n := 0
	for j, b := range rest {
		if pemSet.has(b) {
			n++
		} else if !is(b, isSpace) && b != '\\' && b != '"' && b != '\'' && b != ',' && b != ':' {
			rest = rest[:j]
			break
		}
	}
	if n < 20 {
		return 0, -1
	}
	return s, body + len(rest)
}

// base64Block is a PEM block that was encoded once more.
func base64Block(t []byte, s, e int) (lo, hi int) {
	hi = runSet(t, e, &base64Set)
	if hi-s < 60 {
		return 0, -1
	}
	return s, hi
}

func puttyKey(t []byte, s, e int) (lo, hi int) {
	if i := bytes.Index(t[e:], []byte("Private-Lines:")); i >= 0 {
		return s, min(len(t), e+i+2048)
	}
	return 0, -1
}

// jwt wants a header that names an algorithm, or much that looks like a token's three parts. A token that "none" signs is
// one as well: there are servers that take it.
func jwt(t []byte, s, _ int) (lo, hi int) {
	if s > 0 && is(t[s-1], isAlnum) || !bytes.HasPrefix(t[s:], []byte("ey")) {
		return 0, -1
	}
	first := run(t, s, isBase64)
	if first-s < 16 || first >= len(t) || t[first] != '.' {
		return 0, -1
	}
	second := runSet(t, first+1, &base64Set)
	if second-first < 12 {
		return 0, -1
	}
	hi = second
	if hi < len(t) && t[hi] == '.' {
		hi = runSet(t, hi+1, &base64Set)
	}
	if hi-s < 60 && (hi-s < 40 || !namesAlgorithm(t[s:first])) {
		return 0, -1
	}
	return s, hi
}

func namesAlgorithm(header []byte) bool {
	var room [128]byte
	plain, ok := unbase64(room[:0], header)
	return ok && bytes.HasPrefix(plain, []byte(`{"`)) && bytes.Contains(plain, []byte(`"alg":`))
}

// urlCredentials finds user:password@ after a scheme.
func urlCredentials(t []byte, s, e int) (lo, hi int) {
	if s == 0 || !is(t[s-1], isAlnum) {
		return 0, -1
	}
	colon, at, end := authority(t, e)
	if at < 0 || at-colon < 4 || at+2 > end || !credible(t[e:colon], t[colon+1:at]) {
		return 0, -1
	}
	return e, at
}

// authority returns the first colon and the last @ before the path.
func authority(t []byte, e int) (colon, at, end int) {
	colon, at = -1, -1
	for end = e; end < len(t) && end < e+256; end++ {
		switch b := t[end]; {
		case is(b, isSpace), b == '/', at >= 0 && strings.IndexByte("?#", b) >= 0, strings.IndexByte("\"'`<>\\,)]", b) >= 0:
			return colon, at, end
		case b == ':' && colon < 0:
			colon = end
		case b == '@' && colon >= 0:
			at = end
		}
	}
	return colon, at, end
}

// credible tells a password from the words that stand for one, and from a port before an address.
func credible(user, pass []byte) bool {
	switch {
	case isPlaceholder(pass), commonWord(pass), foldEqual(pass, "pass"), foldEqual(user, "user") && foldEqual(pass, "password"), bytes.IndexByte(pass, '/') >= 0:
		return false
	case bytes.ContainsAny(pass, "{}<>|$(") && !bytes.ContainsAny(pass, "0123456789"):
		return false
	}
	s := shapeOf(pass)
	return len(pass) >= 6 || s.letter() > 0
}

func netrc(t []byte, _, e int) (lo, hi int) {
	rest := t[e:min(len(t), e+512)]
	l := bytes.Index(rest, []byte("login "))
	p := bytes.Index(rest, []byte("password "))
	if l < 0 || p < 0 || p < l {
		return 0, -1
	}
	lo = e + p + len("password ")
	hi = lo
	for hi < len(t) && !is(t[hi], isSpace) {
		hi++
	}
	if hi-lo < 4 || isPlaceholder(t[lo:hi]) {
		return 0, -1
	}
	return lo, hi
}

// authorization reads the header's credential, whatever its scheme.
func authorization(t []byte, _, e int) (lo, hi int) {
	lo, hi, via, _ := valueAfter(t, e)
	if via != linkAssign && via != linkArg {
		return 0, -1
	}
	v := t[lo:hi]
	if i := bytes.IndexByte(v, ' '); i > 0 && i < 16 {
		v, lo = v[i+1:], lo+i+1
	}
	if len(v) < 10 || isPlaceholder(v) || bytes.IndexByte(v, ' ') >= 0 || identifier(v) && len(v) < 20 {
		return 0, -1
	}
	if weigh(v) < tokenLike && !bytes.HasSuffix(v, []byte("=")) {
		return 0, -1
	}
	return lo, hi
}

func headerToken(t []byte, _, e int) (lo, hi int) {
	lo, hi, _ = valueAt(t, e, linkAssign)
	v := t[lo:hi]
	s := shapeOf(v)
	if len(v) < 8 || isPlaceholder(v) || s.digit == 0 || s.letter() == 0 || weigh(v) == noSecret {
		return 0, -1
	}
	return lo, hi
}

func npmAuth(t []byte, s, e int) (lo, hi int) {
	if s > 0 && is(t[s-1], isAlnum) {
		return 0, -1
	}
	lo, hi, via, _ := valueAfter(t, e)
	if via != linkAssign || weigh(t[lo:hi]) < tokenLike {
		return 0, -1
	}
	return lo, hi
}

// signedURL wants the signature of an address that carries its own permission.
func signedURL(t []byte, s, e int) (lo, hi int) {
	if s == 0 || t[s-1] != '&' && t[s-1] != '?' && t[s-1] != ';' {
		return 0, -1
	}
	hi = e
	for hi < len(t) && (is(t[hi], isBase64) || t[hi] == '%' || t[hi] == '=') {
		hi++
	}
	if hi-e < 32 || entropy(t[e:hi]) < 3.4 {
		return 0, -1
	}
	return e, hi
}
