package detect

import "strings"

// plus reads a number in international form from the word at lo, with a + before it: E.164. It returns where the number
// ends, or -1: what stands behind it may be somebody's as well.
func (c *candidate) plus(word int) (end int) {
	t := c.t
	lo := word
	if lo > 0 && t[lo-1] == '(' {
		lo--
	}
	if lo == 0 || t[lo-1] != '+' || lo > 1 && is(t[lo-2], isAlnum|isBase64) {
		return -1
	}
	n, hi := 0, word
	fits := -1 // where a number ends that a blank divides from further digits
	var digits [15]byte
	for i := word; i < len(t) && i < word+28; i++ {
		switch {
		case is(t[i], isDigit) && n == len(digits): // more than a number has
			n, i = 0, len(t)
		case is(t[i], isDigit):
			digits[n] = t[i]
			n++
			hi = i + 1
		case strings.IndexByte(" -.()/", t[i]) < 0 || i+1 < len(t) && strings.IndexByte(" -./", t[i]) >= 0 && strings.IndexByte(" -./", t[i+1]) >= 0:
			i = len(t)
		case t[i] == ' ' && n >= 8 && countryCode(digits[:n]):
			fits = i
		}
	}
	if n < 8 || !countryCode(digits[:n]) {
		hi = fits
	}
	if hi < 0 || hi < len(t) && is(t[hi], isAlnum) {
		return -1
	}
	c.found("PHONE_NUMBER", 90, lo-1, hi)
	return hi
}

// countryCode checks the code and the length of what follows.
func countryCode(d []byte) bool {
	if d[0] == '0' {
		return false
	}
	if d[0] == '1' {
		return len(d) == 11 && d[1] >= '2' && d[4] >= '2'
	}
	if d[0] == '7' {
		return len(d) == 11
	}
	switch string(d[:2]) {
	case "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66",
		"81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98":
		return len(d) >= 9
	}
	switch d[0] {
	case '2', '3', '4', '5', '6', '8', '9':
		return len(d) >= 9
	}
	return false
}

// national decides about what a form's table cannot say: telephone numbers in national form, plates, registers.
func (c *candidate) national(ctx *context, from, to int, n []byte) bool {
	g := &c.s.groups
	lo, hi := g.start[from], g.end[to-1]
	switch {
	case c.phone(ctx, from, to, n):
		if lo > 0 && c.t[lo-1] == '(' {
			lo--
		}
		confidence := uint8(75)
		if c.maybeLabelled(ctx, c.e.labels.phone, g.start[from], hi) {
			confidence = 78 // above a number that nothing names, in whatever view it is found
		}
		c.found("PHONE_NUMBER", confidence, lo, hi)
	case register(n) && to-from <= 2:
		c.found("DE_HANDELSREGISTER", 80, lo, hi)
	case c.plate(ctx, from, to, n):
		c.found("DE_KFZ", 45, lo, hi)
	case c.birthday(ctx, from, to):
		c.found("DATE_OF_BIRTH", 80, lo, hi)
	case c.account(ctx, from, to, n):
		c.found("US_BANK_NUMBER", 80, lo, hi)
	case c.licence(ctx, from, to, n):
		c.found("US_DRIVER_LICENSE", 75, lo, hi)
	default:
		return false
	}
	return true
}

// phone is a North American number written as one, or a number with separators that is called one.
func (c *candidate) phone(ctx *context, from, to int, n []byte) bool {
	g := &c.s.groups
	if len(n) < 7 || len(n) > 12 || !g.onlyDigits(from, to) {
		return false
	}
	lo, hi := g.start[from], g.end[to-1]
	separators := "- .)"
	if n[0] == '0' {
		separators = "- .)/" // 089/63648018, but not 12/34 of something
	}
	layout, ok := g.layout(from, to, separators)
	if !ok || !c.clear(lo, hi) {
		return false
	}
	bracket := lo > 0 && c.t[lo-1] == '('
	if layout == 0x334 && n[0] >= '2' && n[3] >= '2' && (g.sep[from+1] == '-' || bracket) {
		return !ctx.against(c, lo)
	}
	if afterBracket := lo > 0 && c.t[lo-1] == ')'; afterBracket || dateGroups(g, from, to) || !c.maybeLabelled(ctx, c.e.labels.phone, lo, hi) {
		return false
	}
	switch {
	case to-from > 1:
		return len(n) >= 8 || layout == 0x34
	case len(n) >= 9 && (n[0] == '0' || ctx.field.has(c.e.labels.phone)):
		return true
	}
	return len(n) == 10 && n[0] >= '2'
}

// layout packs the lengths of groups; it fails on separators other than the given ones.
func (g *groups) layout(from, to int, separators string) (layout uint64, ok bool) {
	for i := from; i < to; i++ {
		layout = layout<<4 | uint64(g.end[i]-g.start[i])&15
		if i > from && strings.IndexByte(separators, g.sep[i]) < 0 {
			return 0, false
		}
	}
	return layout, true
}

// dateGroups holds for 2026-11-16 and 16.11.2026.
func dateGroups(g *groups, from, to int) bool {
	if to-from != 3 {
		return false
	}
	a, b, c := g.end[from]-g.start[from], g.end[from+1]-g.start[from+1], g.end[from+2]-g.start[from+2]
	return b <= 2 && (a == 4 && c <= 2 || a <= 2 && (c == 4 || c == 2))
}

// register is an entry of a German commercial register.
func register(n []byte) bool {
	return len(n) >= 4 && len(n) <= 9 && n[0] == 'H' && n[1] == 'R' && (n[2] == 'A' || n[2] == 'B') && shapeOf(n[3:]).digit == len(n)-3
}

// plate is a German plate: one to three letters, one or two letters, up to four digits.
func (c *candidate) plate(ctx *context, from, to int, n []byte) bool {
	g := &c.s.groups
	if to-from != 3 {
		return false
	}
	a, b, d := n[:g.off[from+1]-g.off[from]], n[g.off[from+1]-g.off[from]:g.off[from+2]-g.off[from]], n[g.off[from+2]-g.off[from]:]
	if len(a) > 3 || len(b) > 2 || len(d) > 4 || shapeOf(a).digit+shapeOf(b).digit > 0 || shapeOf(d).digit != len(d) {
		return false
	}
	lo, hi := g.start[from], g.end[to-1]
	if c.alone(lo, hi) {
		return true
	}
	return is(c.t[lo], isUpper) && is(c.t[g.start[from+1]], isUpper) && c.labelled(ctx, c.e.labels.plate, lo, hi) > 0
}

// birthday is a date that is called one.
func (c *candidate) birthday(ctx *context, from, to int) bool {
	g := &c.s.groups
	if !dateGroups(g, from, to) || !g.onlyDigits(from, to) {
		return false
	}
	return c.labelled(ctx, c.e.labels.birth, g.start[from], g.end[to-1]) > 0
}

// account is a number of a bank account: digits that are called one.
func (c *candidate) account(ctx *context, from, to int, n []byte) bool {
	g := &c.s.groups
	if to-from != 1 || len(n) < 8 || len(n) > 17 || !g.onlyDigits(from, to) || !c.clear(g.start[from], g.end[from]) {
		return false
	}
	return c.labelled(ctx, c.e.labels.account, g.start[from], g.end[from]) > 0
}

// licence is a driver's licence of a form that the table does not hold: letters and digits that are called one.
func (c *candidate) licence(ctx *context, from, to int, n []byte) bool {
	g := &c.s.groups
	if to-from != 1 || len(n) < 6 || len(n) > 16 || g.digits[to]-g.digits[from] < 4 || !c.clear(g.start[from], g.end[from]) {
		return false
	}
	return c.labelled(ctx, c.e.labels.licence, g.start[from], g.end[from]) > 4
}
