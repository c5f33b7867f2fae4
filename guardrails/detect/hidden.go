package detect

import (
	"bytes"
	"unicode/utf8"
)

// hidden reports text that people do not see, or see otherwise than it is read.
func (e *Engine) hidden(s *Scratch, t []byte, leaf int, tr *trail) {
	var h hiddenRun
	for i := 0; i < len(t); {
		if t[i] < utf8.RuneSelf {
			h.gap(t[i])
			i++
			continue
		}
		r, n := utf8.DecodeRune(t[i:])
		h.rune(r, i, n)
		i += n
	}
	for _, f := range h.findings(len(t)) {
		if f.Rule != "" {
			s.add(leaf, tr, f)
		}
	}
}

// hiddenRun counts what cannot be seen.
type hiddenRun struct {
	tags, selectors, zero, bidi, zeroRun, longestZero, selectorRun, longestSelector int
	first, last                                                                     [4]int
	latin, joined                                                                   int
	open, flag                                                                      bool
}

const (
	hiddenTags = iota
	hiddenSelectors
	hiddenZero
	hiddenBidi
)

func (h *hiddenRun) gap(b byte) {
	if is(b, isAlnum) {
		h.latin++
		h.open = true
	} else {
		h.open = false
	}
	h.zeroRun, h.selectorRun, h.flag = 0, 0, false
}

func (h *hiddenRun) at(k, i, n int) {
	if h.last[k] == 0 {
		h.first[k] = i
	}
	h.last[k] = i + n
}

func (h *hiddenRun) rune(r rune, i, n int) {
	switch {
	case r == 0x1F3F4: // a black flag, whose country may follow in tags
		h.flag = true
		return
	case r >= 0xE0001 && r <= 0xE007F:
		if !h.flag {
			h.tags++
			h.at(hiddenTags, i, n)
		}
		return
	case r >= 0xFE00 && r <= 0xFE0F || r >= 0xE0100 && r <= 0xE01EF:
		h.selectors++
		h.selectorRun++
		h.longestSelector = max(h.longestSelector, h.selectorRun)
		h.at(hiddenSelectors, i, n)
		return
	case r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069:
		h.bidi++
		h.at(hiddenBidi, i, n)
	case r == 0x200B || r == 0x200C || r == 0x200D || r == 0x2060 || r == 0xFEFF || r == 0xAD || r == 0x2063 || r == 0x2062 || r == 0x2061 || r == 0x2064 || r == 0x180E:
		h.zero++
		h.zeroRun++
		h.longestZero = max(h.longestZero, h.zeroRun)
		if h.open {
			h.joined++
		}
		h.at(hiddenZero, i, n)
		return
	}
	h.zeroRun, h.selectorRun, h.flag, h.open = 0, 0, false, false
}

// findings judges the counts. Joiners between emoji, one selector after a sign, marks around a word of another
// direction and a byte order mark at the begin are ordinary writing.
func (h *hiddenRun) findings(size int) [4]Finding {
	var out [4]Finding
	report := func(k int, entity string, confidence uint8) {
		out[k] = Finding{Rule: "hidden-" + entity, Entity: entity, Kind: Hidden, Confidence: confidence, Start: h.first[k], End: min(size, h.last[k])}
	}
	if h.tags > 0 {
		report(hiddenTags, "tag-characters", 95)
	}
	if h.longestSelector > 2 {
		report(hiddenSelectors, "variation-selectors", 95)
	}
	if h.longestZero >= 4 || h.joined >= 4 {
		report(hiddenZero, "zero-width", 85)
	}
	if h.bidi > 0 && h.latin > 0 {
		report(hiddenBidi, "direction-override", 85)
	}
	return out
}

// ansi reports escape sequences that hide or overwrite what a terminal shows.
func (e *Engine) ansi(s *Scratch, t []byte, leaf int, tr *trail) {
	for i := 0; i < len(t); i++ {
		n := bytes.IndexByte(t[i:], 0x1b)
		if n < 0 || i+n+2 >= len(t) {
			return
		}
		i += n
		end := i + 2
		for end < len(t) && end < i+64 && !is(t[end], isLetter) && t[end] != 7 {
			end++
		}
		if t[i+1] == ']' || t[i+1] == 'P' || t[i+1] == '_' || t[i+1] == '[' && end < len(t) && conceals(t[i+2:end+1]) {
			s.add(leaf, tr, Finding{Rule: "hidden-terminal-escape", Entity: "terminal-escape", Kind: Hidden, Confidence: 85, Start: i, End: min(len(t), end+1)})
			return
		}
	}
}

// conceals holds for control sequences that hide text, erase it or go back over it.
func conceals(seq []byte) bool {
	switch seq[len(seq)-1] {
	case 'm':
		return bytes.HasPrefix(seq, []byte("8m"))
	case 'J', 'K', 'A', 'G':
		return true
	}
	return false
}
