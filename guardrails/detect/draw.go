package detect

import (
	"math/rand/v2"
	"regexp/syntax"
)

// drawPattern makes up a text that a pattern matches.
func drawPattern(text string, d *rand.Rand) string {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return ""
	}
	return string(draw(nil, re, d))
}

func draw(dst []byte, re *syntax.Regexp, d *rand.Rand) []byte {
	switch re.Op {
	case syntax.OpLiteral:
		return append(dst, string(re.Rune)...)
	case syntax.OpCharClass:
		return append(dst, drawClass(re.Rune, d))
	case syntax.OpCapture:
		return draw(dst, re.Sub[0], d)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			dst = draw(dst, sub, d)
		}
		return dst
	case syntax.OpAlternate:
		return draw(dst, re.Sub[d.IntN(len(re.Sub))], d)
	case syntax.OpPlus:
		return drawTimes(dst, re.Sub[0], 12, d)
	case syntax.OpQuest:
		return drawTimes(dst, re.Sub[0], d.IntN(2), d)
	case syntax.OpRepeat:
		return drawTimes(dst, re.Sub[0], re.Min, d)
	default:
		return dst
	}
}

func drawTimes(dst []byte, re *syntax.Regexp, n int, d *rand.Rand) []byte {
	for range n {
		dst = draw(dst, re, d)
	}
	return dst
}

// drawClass prefers letters and digits: signs at the border of a token would end it.
func drawClass(ranges []rune, d *rand.Rand) byte {
	var all, good []byte
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && r < 0x7F; r++ {
			all = append(all, byte(r))
			if is(byte(r), isAlnum) {
				good = append(good, byte(r))
			}
		}
	}
	if len(good) > 0 {
		all = good
	}
	return all[d.IntN(len(all))]
}

// drawForm makes up a number of a form whose check holds, or does not.
func drawForm(f *form, d *rand.Rand, holds bool) string {
	n := make([]byte, len(f.shape))
	for range 4_000_000 {
		for i := range n {
			switch k := f.shape[i]; {
			case k == '9', k == '*' && d.IntN(2) == 0:
				n[i] = '0' + byte(d.IntN(10))
			default:
				n[i] = 'A' + byte(d.IntN(26))
			}
		}
		if f.check == nil || f.check(n) == holds {
			break
		}
	}
	return string(n)
}
