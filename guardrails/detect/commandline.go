package detect

import "bytes"

// curlUser finds the credentials of -u and --user.
func curlUser(t []byte, _, e int) (lo, hi int) {
	line := t[e-1 : min(len(t), e+1024)]
	for _, flag := range [...]string{" -u", "\n-u", " --user", "\n--user"} {
		i := bytes.Index(line, []byte(flag))
		if i < 0 {
			continue
		}
		if lo, hi := userPass(line, i+len(flag)); hi > 0 {
			return e - 1 + lo, e - 1 + hi
		}
	}
	return 0, -1
}

func userPass(line []byte, j int) (lo, hi int) {
	for j < len(line) && (line[j] == ' ' || line[j] == '=') {
		j++
	}
	if j >= len(line) {
		return 0, -1
	}
	stop := byte(' ')
	if line[j] == '"' || line[j] == '\'' {
		stop = line[j]
		j++
	}
	e := j
	for e < len(line) && line[e] != stop && line[e] != '\n' && (stop != ' ' || line[e] != '"' && line[e] != '\'') {
		e++
	}
	if stop != ' ' && e+1 < len(line) && line[e+1] == ':' { // each of the two has quotes of its own
		if lo, hi = valueIn(line, e+2); hi-lo < 8 || line[lo] == '$' || !mixedWord(line[lo:hi]) {
			return 0, -1
		}
		return j, hi
	}
	return pair(line, j, e, stop == ' ')
}

// pair decides about user:password in line[j:e]; open says that no quotes are around it.
func pair(line []byte, j, e int, open bool) (lo, hi int) {
	v := line[j:e]
	c := bytes.IndexByte(v, ':')
	if c < 0 || len(v)-c-1 < 3 && (c < 4 || open && len(v)-c-1 > 0) {
		return 0, -1
	}
	pass := v[c+1:]
	if len(pass) == 0 {
		pass = v[:c]
	}
	if isPlaceholder(pass) || pass[0] == '$' || commonWord(pass) || bytes.IndexByte(pass, '[') >= 0 && bytes.IndexByte(pass, ']') >= 0 {
		return 0, -1
	}
	return j, e
}

// valueIn returns what stands at i, in quotes or up to the next blank.
func valueIn(line []byte, i int) (lo, hi int) {
	if i >= len(line) {
		return i, i
	}
	stop := byte(' ')
	if q := line[i]; q == '"' || q == '\'' {
		stop = q
		i++
	}
	for hi = i; hi < len(line) && line[hi] != stop && line[hi] != '\n'; {
		hi++
	}
	return i, hi
}

// mixedWord holds for small and capital letters with digits among them.
func mixedWord(v []byte) bool {
	s := shapeOf(v)
	return s.lower > 0 && s.upper > 0 && s.digit > 0
}

// flagPassword is the -p of psexec, mysql and docker login; it needs the user beside it.
func flagPassword(t []byte, s, e int) (lo, hi int) {
	if e >= len(t) || t[e] != ' ' && t[e] != '=' {
		return 0, -1
	}
	before := t[max(0, s-48):s]
	if !foldContains(before, " -u ") && !foldContains(before, "login") && !foldContains(before, "-user") {
		return 0, -1
	}
	return flagValue(t, e+1)
}

func flagWord(t []byte, s, e int) (lo, hi int) {
	if s == 0 || t[s-1] != '-' && !is(t[s-1], isSpace) {
		return 0, -1
	}
	return flagValue(t, e)
}

func flagValue(t []byte, at int) (lo, hi int) {
	lo, hi, _ = valueAt(t, at, linkAssign)
	v := t[lo:hi]
	if len(v) < 5 || v[0] == '$' || v[0] == '-' || isPlaceholder(v) || commonWord(v) || isReference(v) {
		return 0, -1
	}
	if s := shapeOf(v); s.digit+s.mark == 0 && s.upper == 0 {
		return 0, -1
	}
	return lo, hi
}

func flagUser(t []byte, _, e int) (lo, hi int) {
	if lo, hi := userPass(t[e:min(len(t), e+256)], 0); hi > 0 {
		return e + lo, e + hi
	}
	return 0, -1
}
