package detect

// rank returns the confidence of one form, or 0.
func (c *candidate) rank(ctx *context, f *compiledForm, grouped bool, lo, hi int, n []byte) uint8 {
	need := f.bare
	if grouped {
		need = f.grouped
	}
	if need == needLabel && !f.alone && !c.maybeLabelled(ctx, f.id, lo, hi) {
		return 0
	}
	if f.check != nil && !f.check(n) || !c.clear(lo, hi) {
		return 0
	}
	if near := c.labelled(ctx, f.id, lo, hi); near > 0 {
		r := 80 + near
		if f.check != nil {
			r += 4
		}
		return r
	}
	if r := f.unlabelled(); need == needNothing && (f.check != nil || !hasLower(c.t[lo:hi])) && !ctx.against(c, lo) {
		if f.alone && grouped {
			r-- // a weaker check than its rivals'
		}
		return r
	}
	switch {
	case !f.alone || !c.alone(lo, hi):
		return 0
	case f.check != nil:
		return 45
	}
	return 40
}

// unlabelled is the confidence in a number that nothing names.
func (f *compiledForm) unlabelled() uint8 {
	if f.check != nil {
		return 76
	}
	return 72
}

// alone holds where the leaf is the value and nothing names it.
func (c *candidate) alone(lo, hi int) bool {
	return len(trimmed(c.t, 0, lo)) == 0 && len(trimmed(c.t, hi, len(c.t))) == 0 && c.p.generic
}

func trimmed(t []byte, lo, hi int) []byte {
	for lo < hi && is(t[lo], isSpace) {
		lo++
	}
	for lo < hi && is(t[hi-1], isSpace) {
		hi--
	}
	return t[lo:hi]
}

// clear holds unless the value is a part of something longer: a decimal, a path, a host name, an identifier.
func (c *candidate) clear(lo, hi int) bool {
	t := c.t
	if lo > 0 {
		switch b := t[lo-1]; {
		case is(b, isAlnum), b == '_' && lo > 1 && is(t[lo-2], isAlnum):
			return false
		case (b == '.' || b == '-' || b == '/' || b == ':' || b == '+') && lo > 1 && is(t[lo-2], isDigit):
			return false
		case b == '-' && lo > 1 && is(t[lo-2], isAlnum), b == '#', b == '$' && lo > 1, b == '%':
			return false
		}
	}
	if hi < len(t) {
		switch b := t[hi]; {
		case is(b, isAlnum), b == '_', b == '%':
			return false
		case (b == '.' || b == '-' || b == '/' || b == ':') && hi+1 < len(t) && is(t[hi+1], isDigit):
			return false
		case b == '-' && hi+1 < len(t) && is(t[hi+1], isAlnum), b == '@':
			return false
		}
	}
	return true
}

// hasLower holds for words that are written as words.
func hasLower(t []byte) bool {
	for _, b := range t {
		if is(b, isLower) {
			return true
		}
	}
	return false
}
