package detect

import "bytes"

// Values that do not follow their name at once: behind a type, a default, on the next line, in the column below, or
// after some words.

// further looks for the value of a name in t[lo:hi] whose own place holds none. It returns the value's bounds, and how it
// was found.
func further(t []byte, hi int) (lo, end int, via link, quoted bool) {
	for _, look := range [...]func([]byte, int) int{annotated, fallback, below} {
		if at := look(t, hi); at > 0 {
			if lo, end, quoted = valueAt(t, at, linkAssign); end > lo {
				return lo, end, linkAssign, quoted
			}
		}
	}
	return 0, 0, linkNone, false
}

// annotated skips a type: "token: &str = ", "apiSecret: String = ".
func annotated(t []byte, at int) int {
	if at >= len(t) || t[at] != ':' && t[at] != '?' && t[at] != '!' {
		return 0
	}
	line := firstLine(t[at:min(len(t), at+48)])
	i := bytes.Index(line, []byte(" = "))
	if i < 0 || bytes.ContainsAny(line[:i], "\"'(,;") || shapeOf(line[:i]).space > 2 {
		return 0
	}
	return at + i + len(" = ")
}

// fallback finds what stands in for a variable of the environment that is not set.
func fallback(t []byte, at int) int {
	line := firstLine(t[at:min(len(t), at+128)])
	i := max(bytes.Index(line, []byte("env")), bytes.Index(line, []byte("ENV")))
	if i < 0 {
		return 0
	}
	for _, sign := range [...]string{"||", "??", " or ", ", ", ":-"} {
		if j := bytes.Index(line[i:], []byte(sign)); j > 0 {
			end := i + j + len(sign)
			for end < len(line) && line[end] == ' ' {
				end++
			}
			if end < len(line) && (line[end] == '"' || line[end] == '\'' || sign == ":-") {
				return at + end
			}
		}
	}
	return 0
}

// below finds the value on one of the next lines, where a name is told apart from its value:
//
//   - name: API_TOKEN
//     value: ...
func below(t []byte, at int) int {
	rest := t[at:min(len(t), at+192)]
	i := 0
	for i < len(rest) && rest[i] != '\n' {
		if !is(rest[i], isSpace) && bytes.IndexByte([]byte("\"'{,"), rest[i]) < 0 {
			return 0
		}
		i++
	}
	for range 3 {
		if i >= len(rest) {
			return 0
		}
		if end := valueKey(rest, i); end > 0 {
			return at + end
		}
		next := bytes.IndexByte(rest[i+1:], '\n')
		if next < 0 {
			return 0
		}
		i += 1 + next
	}
	return 0
}

// valueKey returns what comes after a key that only says "value", at the begin of the line at i, or 0.
func valueKey(rest []byte, i int) int {
	key := bytes.TrimLeft(rest[i:], " \t\r\n\"'")
	from := len(rest) - len(key)
	for _, w := range [...]string{"value", "default", "stringvalue", "val"} {
		if !foldPrefix(key, w) {
			continue
		}
		end := from + len(w)
		for end < len(rest) && (rest[end] == ' ' || rest[end] == '\t' || rest[end] == '"' || rest[end] == '\'') {
			end++
		}
		if end < len(rest) && (rest[end] == ':' || rest[end] == '=') {
			return end + 1
		}
	}
	return 0
}

// spoken finds a value that some words divide from its name: "the password for the printer: x", "use this token to log
// in x". The value must look like nothing else.
func spoken(t []byte, at int, g grade) (lo, end int) {
	limit := min(len(t), at+64)
	if at >= limit || t[at] != ' ' {
		return 0, 0
	}
	for i := at; i < limit; {
		switch {
		case t[i] == ' ' || t[i] == ',' || t[i] == '(' || t[i] == ')' || t[i] == ':':
			i++
			continue
		case t[i] == '\n' || t[i] == '.' || !is(t[i], isAlnum|isHigh) && t[i] != '"' && t[i] != '\'' && t[i] != '`':
			return 0, 0
		}
		lo, end, quoted := valueAt(t, i, linkAssign)
		v := t[lo:end]
		sign := i > 1 && t[i-2] == ':'
		switch {
		case len(v) == 0:
			return 0, 0
		case g == gradePass && sign && lucky(v) || len(v) >= 20 && len(v) <= 200 && weigh(v) >= tokenLike && mixedWord(v) && shapeOf(v).digit >= 3 && wordShaped(v) && !dotted(v) && entropy(v) > 3.6:
			return lo, end
		case quoted || shapeOf(v).digit > 0 || i+len(v) >= limit:
			return 0, 0
		}
		i = end
	}
	return 0, 0
}

// lucky holds for a password that nobody takes for a word, a number, a version or an address.
func lucky(v []byte) bool {
	s := shapeOf(v)
	return len(v) >= 8 && s.digit >= 2 && s.letter() >= 4 && (s.mark > 0 || s.upper > 0 && s.lower > 0) && s.space == 0 &&
		weigh(v) > noSecret && !isUUID(v) && !isVersion(v) && !dotted(v) && !identifier(v)
}

const (
	maxColumn = 200 // rows of one column that are looked at
	maxCell   = 64
)

// column hands out the cells below a header: t[lo:hi] is a word of a cell in the first line of a table, be it of commas,
// semicolons, tabs or bars.
func column(t []byte, lo, hi int, cell func(lo, hi int) bool) {
	head, sep, n := headerCell(t, lo, hi)
	if sep == 0 {
		return
	}
	at := head
	for range maxColumn {
		if at >= len(t) {
			return
		}
		line := firstLine(t[at:])
		from, to := cellBounds(line, sep, n)
		if from < 0 {
			return
		}
		if from < to && !cell(at+from, at+to) {
			return
		}
		at += len(line) + 1
	}
}

// headerCell says whether the word stands in a header: where the next line begins, what divides the cells, and the
// number of the word's cell.
func headerCell(t []byte, lo, hi int) (next int, sep byte, n int) {
	if !cellAround(t, lo, hi) {
		return 0, 0, 0
	}
	begin := bytes.LastIndexByte(t[max(0, lo-maxLine):lo], '\n') + 1 + max(0, lo-maxLine)
	line := firstLine(t[begin:])
	end := begin + len(line)
	if end+1 >= len(t) || hi > end || begin > 0 && t[begin] != '|' {
		return 0, 0, 0
	}
	following := firstLine(t[end+1:])
	for _, sep := range [...]byte{'|', '\t', ',', ';'} {
		count := bytes.Count(line, []byte{sep})
		if count == 0 || bytes.Count(following, []byte{sep}) != count {
			continue
		}
		n := bytes.Count(t[begin:lo], []byte{sep})
		from, to := cellBounds(line, sep, n)
		if from < 0 || to-from > maxCell || bytes.ContainsAny(line[from:to], ":=") {
			return 0, 0, 0
		}
		next := end + 1
		if sep == '|' {
			if len(bytes.Trim(following, "|-: \r")) > 0 {
				return 0, 0, 0
			}
			next += len(following) + 1
		}
		return next, sep, n
	}
	return 0, 0, 0
}

// cellBounds returns where the nth cell of a line stands, without blanks and quotes; from is -1 where there is none.
func cellBounds(line []byte, sep byte, n int) (from, to int) {
	for range n {
		i := bytes.IndexByte(line[from:], sep)
		if i < 0 {
			return -1, -1
		}
		from += i + 1
	}
	to = len(line)
	if i := bytes.IndexByte(line[from:], sep); i >= 0 {
		to = from + i
	} else if n == 0 {
		return -1, -1
	}
	for from < to && (is(line[from], isSpace) || line[from] == '"' || line[from] == '\'' || line[from] == '`') {
		from++
	}
	for to > from && (is(line[to-1], isSpace) || line[to-1] == '"' || line[to-1] == '\'' || line[to-1] == '`') {
		to--
	}
	return from, to
}

// below judges the column of a table whose header names a secret.
func (e *Engine) below(s *Scratch, t []byte, at, end int, g grade, leaf int, tr *trail) {
	nameLo, nameHi, g := e.names.name(t, at, end, g)
	if g < gradeToken {
		return
	}
	column(t, nameLo, nameHi, func(lo, hi int) bool {
		if c := e.names.decide(claim{name: t[nameLo:nameHi], value: t[lo:hi], grade: g, via: linkCell, quoted: true}); c > 0 && hi-lo >= 4 {
			s.add(leaf, tr, Finding{Rule: "named-secret", Entity: "generic-secret", Kind: Secret, Confidence: c, Start: lo, End: hi})
		}
		return s.effort(effortOf[anchorWord], leaf, tr, len(t))
	})
}

// cellAround is the cheap question before: the words around t[lo:hi] end at what divides cells.
func cellAround(t []byte, lo, hi int) bool {
	word := func(b byte) bool {
		return is(b, isAlnum|isHigh) || b == ' ' || b == '_' || b == '-' || b == '"' || b == '.'
	}
	for i := lo; lo-i < maxCell; i-- {
		if i == 0 || cellEnd(t[i-1]) {
			break
		}
		if !word(t[i-1]) || lo-i == maxCell-1 {
			return false
		}
	}
	for i := hi; i < len(t) && i-hi < maxCell; i++ {
		if cellEnd(t[i]) {
			return true
		}
		if !word(t[i]) {
			return false
		}
	}
	return false
}

func cellEnd(b byte) bool {
	return b == '|' || b == '\t' || b == ',' || b == ';' || b == '\n' || b == '\r'
}
