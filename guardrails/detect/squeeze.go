package detect

import "slices"

const (
	// oddMin is the least text in which instructions could be squeezed.
	oddMin    = 24
	oddWindow = 320
	// oddWhole is the size up to which a text is looked at from end to end; of longer ones, every fourth window is.
	oddWhole = 4 << 10
)

// odd holds for text that no one writes: single letters divided by blanks, digits for letters, no blanks at all.
func odd(t []byte, digits bool) bool {
	stride := oddWindow
	if len(t) > oddWhole {
		stride *= 4
	}
	for at := 0; at < len(t); at += stride {
		var w writing
		if window := t[at:min(len(t), at+oddWindow)]; digits {
			w.read(window)
		} else {
			w.letters(window)
		}
		if w.odd() {
			return true
		}
	}
	return false
}

// writing counts the words of a text.
type writing struct {
	words, singles, mixed, short, longest int
}

func (w *writing) odd() bool {
	return w.longest >= 30 || w.singles >= 10 && w.singles*2 > w.words || w.mixed >= 4 && w.mixed*5 > w.words*2 || w.mixed >= 3 && w.short*10 >= w.words*9
}

// letters reads a text without digits.
func (w *writing) letters(t []byte) {
	lo := 0
	for i, b := range t {
		if is(b, isLetter) {
			continue
		}
		if lo < i {
			w.word(t[lo:i], false)
		}
		lo = i + 1
	}
	if lo < len(t) {
		w.word(t[lo:], false)
	}
}

func (w *writing) read(t []byte) {
	for i := 0; i < len(t); {
		if !is(t[i], isAlnum) {
			i++
			continue
		}
		lo := i
		kinds := kindOf[t[i]]
		inner := false
		for i++; i < len(t) && is(t[i], isAlnum); i++ {
			kinds |= kindOf[t[i]]
			inner = inner || is(t[i], isDigit) && is(t[i-1], isLetter) && i+1 < len(t) && is(t[i+1], isLetter)
		}
		w.word(t[lo:i], kinds&isLetter != 0 && kinds&isDigit != 0 && (inner || is(t[lo], isDigit)))
	}
}

// word counts one; mixed says that digits stand among its letters.
func (w *writing) word(v []byte, mixed bool) {
	n := len(v)
	w.words++
	if n == 1 {
		w.singles++
	}
	if n <= 4 {
		w.short++
	}
	encoded := mixed && innerCapital(v) || n >= 30 && encodedLooks(v)
	if !encoded {
		w.longest = max(w.longest, n)
		if mixed {
			w.mixed++
		}
	}
}

// innerCapital holds for words with small letters and a capital behind the first: people who write digits for letters
// do not write those.
func innerCapital(v []byte) bool {
	lower, upper := is(v[0], isLower), false
	for _, b := range v[1:] {
		lower = lower || is(b, isLower)
		upper = upper || is(b, isUpper)
	}
	return lower && upper
}

// encodedLooks holds for words in which small and capital letters take turns.
func encodedLooks(word []byte) bool {
	s := shapeOf(word)
	return s.upper*6 > len(word) && s.lower*6 > len(word) || s.hex == len(word)
}

// squeezeText writes letters only, in lower case, digits as the letters they stand for, and l as i.
func squeezeText(dst, t []byte) []byte {
	for _, b := range t {
		if c := leetOf[b]; c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// leetOf is [leet] of every byte.
var leetOf = func() (t [256]byte) {
	for b := range t {
		t[b] = leet(byte(b))
	}
	return t
}()

func leet(b byte) byte {
	switch b = lower(b); {
	case b == 'l' || b == '1' || b == '!' || b == '|':
		return 'i'
	case is(b, isLower):
		return b
	}
	switch b {
	case '0':
		return 'o'
	case '3':
		return 'e'
	case '4', '@':
		return 'a'
	case '5', '$':
		return 's'
	case '7':
		return 't'
	case '8':
		return 'b'
	}
	return 0
}

// plainWriting holds for text that was written as everybody writes: the scoring has judged it.
func plainWriting(raw []byte, size int) bool {
	s := shapeOf(raw)
	gaps := len(raw) - s.digit - s.letter()
	if s.digit >= 2 && s.digit*10 >= size {
		return false
	}
	return gaps > 0 && gaps*4 < size || gaps == 0 && size < 14
}

// squeeze looks for instructions in odd text.
func (e *Engine) squeeze(s *Scratch, t []byte, leaf int, tr *trail, depth int) {
	lv := &s.levels[depth]
	lv.spans.reset(len(t))
	out := slices.Grow(lv.view[:0], len(t))
	for i := 0; i < len(t); {
		c := leetOf[t[i]]
		if c == 0 {
			i++
			continue
		}
		lv.spans.mark(len(out), i, false)
		for c != 0 {
			out = append(out, c)
			if i++; i == len(t) {
				break
			}
			c = leetOf[t[i]]
		}
	}
	lv.view = out
	e.compact.find(out, &lv.hits)
	first, last, n := -1, 0, 0
	for _, stream := range lv.hits {
		for _, h := range stream {
			lo, hi := lv.spans.raw(int(h.end)-int(e.compact.size[h.lit]), int(h.end))
			if plainWriting(t[lo:hi], int(e.compact.size[h.lit])) {
				continue
			}
			if first < 0 {
				first = int(h.end) - int(e.compact.size[h.lit])
			}
			last = int(h.end)
			n++
		}
	}
	if first < 0 {
		return
	}
	below := trail{spans: &lv.spans, up: tr, via: stepSqueezed}
	s.add(leaf, &below, Finding{Rule: "injected-instructions", Entity: "obfuscated", Kind: Injection, Confidence: uint8(min(60+10*n, 95)), Start: first, End: last})
}

// turn reads text that was written by ROT13 or backwards; it is asked only where such a word was seen.
func (e *Engine) turn(s *Scratch, t []byte, leaf int, tr *trail) {
	if len(t) > 64<<10 {
		t = t[:64<<10]
	}
	own := s.phrases
	s.phrases = nil
	for _, back := range [2]bool{false, true} {
		s.turnedText = turnText(s.turnedText[:0], t, back)
		e.words.find(s.turnedText, &s.turnedHits)
		s.phrases = s.phrases[:0]
		for _, stream := range s.turnedHits {
			for _, h := range stream {
				if a := &e.anchors[h.lit]; a.kind == anchorPhrase && e.phrases[a.rule].sort != turned {
					s.phrases = append(s.phrases, phraseHit{a.rule, h.end - int32(a.size), h.end})
				}
			}
		}
		if b := e.weighPhrases(s, s.turnedText, nil); b.score >= injectFloor {
			s.add(leaf, tr, Finding{Rule: "injected-instructions", Entity: b.entity, Kind: Injection, Confidence: uint8(min(b.score, 99)), Start: 0, End: len(t), Via: Via(stepTurned)})
		}
	}
	s.phrases = own
}

func turnText(dst, t []byte, back bool) []byte {
	if back {
		for _, b := range slices.Backward(t) {
			dst = append(dst, b)
		}
		return dst
	}
	for _, b := range t {
		switch {
		case is(b, isLower):
			b = 'a' + (b-'a'+13)%26
		case is(b, isUpper):
			b = 'A' + (b-'A'+13)%26
		}
		dst = append(dst, b)
	}
	return dst
}

// strange looks for whole sentences in other scripts, and for secrets that are named in them.
func (e *Engine) strange(s *Scratch, t []byte, leaf int, tr *trail) {
	e.foreign.find(t, &s.turnedHits)
	told := false
	for _, stream := range s.turnedHits {
		for _, h := range stream {
			end := int(h.end)
			start := end - int(e.foreign.size[h.lit])
			if int(h.lit) >= e.sentences {
				if !s.effort(effortOf[anchorWord], leaf, tr, len(t)) {
					return
				}
				if lo, hi, c := e.foreignSecret(t, start, end); c > 0 {
					s.add(leaf, tr, Finding{Rule: "named-secret", Entity: "generic-secret", Kind: Secret, Confidence: c, Start: lo, End: hi})
				}
				continue
			}
			if told {
				continue
			}
			told = true
			s.add(leaf, tr, Finding{Rule: "injected-instructions", Entity: "override", Kind: Injection, Confidence: 70, Start: start, End: end})
		}
	}
}
