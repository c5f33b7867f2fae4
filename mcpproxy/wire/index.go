package wire

// index is grammar arranged for the scanner: by the length of the name, because that settles nearly every look-up.
var index = buildIndex()

const longestName = 48

type objectIndex struct {
	byLength [longestName][]field
	folded   map[string]bool // names in the spelling of fold
	any      *field          // the field named "*"
}

func buildIndex() *[objectCount]objectIndex {
	var ix [objectCount]objectIndex
	for o, fields := range grammar {
		if object(o) == inputParams {
			fields = grammar[params]
		}
		for _, f := range fields {
			if object(o) == inputParams {
				f.member = none
			}
			x := &ix[o]
			if f.name == "*" {
				x.any = &f
				continue
			}
			x.byLength[len(f.name)] = append(x.byLength[len(f.name)], f)
			if x.folded == nil {
				x.folded = map[string]bool{}
			}
			x.folded[string(fold(nil, []byte(f.name)))] = true
		}
	}
	return &ix
}

// lookup finds a name in an object that the protocol defines. A name that only looks like a known one is a variant.
func (o object) lookup(name []byte) (f field, variant bool) {
	x := &index[o]
	if x.any != nil {
		return *x.any, false
	}
	if len(name) < longestName {
		for _, f := range x.byLength[len(name)] {
			if f.name == string(name) {
				return f, false
			}
		}
	}
	if len(name) > 2*longestName {
		return field{}, false
	}
	var buf [2 * longestName]byte
	return field{}, x.folded[string(fold(buf[:0], name))]
}

// fold appends name as a lenient parser may read it: without regard to case, with the two letters outside ASCII that
// Unicode folds into it (U+017F long s, U+212A Kelvin), and without control characters, of which a NUL ends a name in
// some parsers.
func fold(dst, name []byte) []byte {
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c < 0x20 || c == 0x7f:
			continue
		case c == 0xc5 && i+1 < len(name) && name[i+1] == 0xbf:
			c, i = 's', i+1
		case c == 0xe2 && i+2 < len(name) && name[i+1] == 0x84 && name[i+2] == 0xaa:
			c, i = 'k', i+2
		}
		dst = append(dst, c)
	}
	return dst
}
