package detect

// Most leaves of a message with many values are short words and numbers, in which nothing can be found. To know that is
// cheaper than to look.

// Clean holds for a leaf in which nothing can be found: a name of plain words, and a short word or number that its names
// do not make a secret or personal. It may be left out of a scan.
func (e *Engine) Clean(s *Scratch, l *Leaf) bool {
	if l.Name {
		return e.facts(s, l.Text).clean
	}
	if len(l.Text) >= minKnown || len(e.users) > 0 {
		return false
	}
	x, ok := shortWord(l.Text)
	switch {
	case !ok:
		return false
	case len(l.Text) < leastNamed:
		return true
	case e.telling(s, l.Field) || e.telling(s, l.Label):
		return false
	case x.signs < leastNumber || x.digits == 0 && x.signs == len(l.Text):
		return true
	case x.signs < len(l.Text):
		return false
	}
	var p piece
	e.place(s, l, &p)
	return e.idle(l.Text, &p) || x.digits < len(l.Text) && e.noCode(l.Text, &p)
}

const (
	// leastNamed is the least size of what a name makes personal or a secret.
	leastNamed = 3
	// leastNumber is how many letters and digits the shortest number has that is somebody's.
	leastNumber = 5
)

// short is what a short text is made of.
type short struct{ signs, digits int }

// shortWord counts the letters and digits of a text that has nothing beside them but two points, dashes or pluses.
func shortWord(t []byte) (x short, ok bool) {
	for _, b := range t {
		switch k := kindOf[b]; {
		case k&isDigit != 0:
			x.digits++
			x.signs++
		case k&isLetter != 0:
			x.signs++
		case b != '.' && b != '-' && b != '+':
			return x, false
		}
	}
	return x, len(t)-x.signs <= 2
}

// telling holds for names that make a secret or personal data of a value whatever it looks like.
func (e *Engine) telling(s *Scratch, name []byte) bool {
	return len(name) > 0 && e.facts(s, name).telling
}

// shortName holds for names of few letters and digits: "k17". A name is named by nothing.
func (e *Engine) shortName(name []byte) bool {
	if len(name) >= minKnown {
		return false
	}
	x, ok := shortWord(name)
	return ok && x.signs == len(name) && (x.signs < leastNumber || x.digits == 0 || x.digits == len(name) && !e.forms.free[len(name)] || e.noCode(name, &piece{}))
}

// idle holds for a leaf that is one whole number, and named by nothing that makes numbers personal: the common case of
// structured results, decided without looking at a check digit.
func (e *Engine) idle(t []byte, p *piece) bool {
	n := len(t)
	if n >= 12 || p.generic && e.forms.alone[n] || e.forms.free[n] || e.namesNumber(n, p) {
		return false
	}
	for _, b := range t {
		if !is(b, isDigit) {
			return false
		}
	}
	return true
}

// noCode holds for a word of letters and digits that is none of the forms of its length, nor an entry of a register.
func (e *Engine) noCode(t []byte, p *piece) bool {
	n := len(t)
	if p.generic && e.forms.codeAlone[n] || e.forms.codeFree[n] || e.namesNumber(n, p) {
		return false
	}
	return !foldPrefix(t, "hr")
}

// namesNumber holds where the names say that a text of a length may be somebody's number.
func (e *Engine) namesNumber(n int, p *piece) bool {
	return p.said.meets(e.forms.named[n]) || p.said.meets(e.labels.numbers)
}

// Left says how many bytes of clean leaves were left out of the next scan. They count for what it may cost.
func (s *Scratch) Left(n int) { s.left = n }
