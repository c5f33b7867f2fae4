package detect

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// pattern is the verifier: an RE2 expression, compiled to run at one offset and stop early. It prefers what Perl
// prefers. Bytes are matched, not runes: a class that holds any rune beyond ASCII holds all bytes beyond ASCII.
type pattern struct {
	code []inst
	text string
	keep int // the group whose bounds are wanted
}

type opcode uint8

const (
	opSet   opcode = iota // one byte of set
	opLoop                // between lo and hi bytes of set, as many as possible, or as few
	opSplit               // go on at lo, then at hi
	opJump
	opGroup // the first group begins (lo 0) or ends (lo 1)
	opStart
	opEnd
	opWord
	opNoWord
	opMatch
)

type inst struct {
	op     opcode
	lazy   bool
	lo, hi int
	set    set
}

const (
	maxCode = 2000
	// quickSteps is what an ordinary candidate needs at most; beyond, failures are remembered.
	quickSteps = 400
	maxSteps   = 100_000
	unbounded  = 1 << 20
	// maxReach is how far from its begin a match may extend.
	maxReach = 8 << 10
)

var errTooLarge = errors.New("the pattern is too large")

func compile(text string) (*pattern, error) { return compileGroup(text, 1) }

// compileGroup keeps the bounds of a group other than the first.
func compileGroup(text string, keep int) (*pattern, error) {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("reading the pattern: %w", err)
	}
	if keep > re.MaxCap() && keep > 1 {
		return nil, fmt.Errorf("the pattern has no group %d", keep)
	}
	p := &pattern{text: text, keep: keep}
	if err := p.gen(re); err != nil {
		return nil, err
	}
	p.code = append(p.code, inst{op: opMatch})
	return p, nil
}

func (p *pattern) emit(i inst) int {
	p.code = append(p.code, i)
	return len(p.code) - 1
}

func (p *pattern) gen(re *syntax.Regexp) error {
	if len(p.code) > maxCode {
		return errTooLarge
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			for _, b := range []byte(string(r)) {
				p.emit(inst{op: opSet, set: byteSet(b, re.Flags&syntax.FoldCase != 0)})
			}
		}
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		p.emit(inst{op: opSet, set: classSet(re)})
	case syntax.OpCapture:
		return p.group(re)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if err := p.gen(sub); err != nil {
				return err
			}
		}
	case syntax.OpAlternate:
		return p.alternate(re.Sub)
	case syntax.OpStar:
		return p.repeat(re, 0, -1)
	case syntax.OpPlus:
		return p.repeat(re, 1, -1)
	case syntax.OpQuest:
		return p.repeat(re, 0, 1)
	case syntax.OpRepeat:
		return p.repeat(re, re.Min, re.Max)
	default:
		return p.assertion(re.Op)
	}
	return nil
}

func (p *pattern) assertion(op syntax.Op) error {
	codes := map[syntax.Op]opcode{
		syntax.OpBeginText: opStart, syntax.OpBeginLine: opStart, syntax.OpEndText: opEnd, syntax.OpEndLine: opEnd,
		syntax.OpWordBoundary: opWord, syntax.OpNoWordBoundary: opNoWord,
	}
	code, ok := codes[op]
	if !ok {
		return fmt.Errorf("the pattern uses %v, which is not supported", op)
	}
	p.emit(inst{op: code})
	return nil
}

func (p *pattern) group(re *syntax.Regexp) error {
	if re.Cap == p.keep {
		p.emit(inst{op: opGroup, lo: 0})
	}
	if err := p.gen(re.Sub[0]); err != nil {
		return err
	}
	if re.Cap == p.keep {
		p.emit(inst{op: opGroup, lo: 1})
	}
	return nil
}

func (p *pattern) alternate(subs []*syntax.Regexp) error {
	var ends []int
	for i, sub := range subs {
		split := -1
		if i < len(subs)-1 {
			split = p.emit(inst{op: opSplit, lo: len(p.code) + 1})
		}
		if err := p.gen(sub); err != nil {
			return err
		}
		if split >= 0 {
			ends = append(ends, p.emit(inst{op: opJump}))
			p.code[split].hi = len(p.code)
		}
	}
	for _, e := range ends {
		p.code[e].lo = len(p.code)
	}
	return nil
}

// repeat counts loops over one byte; only groups are written out.
func (p *pattern) repeat(re *syntax.Regexp, lo, hi int) error {
	sub, lazy := re.Sub[0], re.Flags&syntax.NonGreedy != 0
	if s, ok := p.single(sub); ok {
		if hi < 0 {
			hi = unbounded
		}
		p.emit(inst{op: opLoop, set: s, lo: lo, hi: hi, lazy: lazy})
		return nil
	}
	for range lo {
		if err := p.gen(sub); err != nil {
			return err
		}
	}
	if hi < 0 {
		split := p.emit(inst{op: opSplit})
		if err := p.gen(sub); err != nil {
			return err
		}
		p.emit(inst{op: opJump, lo: split})
		p.branch(split, lazy)
		return nil
	}
	var splits []int
	for range hi - lo {
		splits = append(splits, p.emit(inst{op: opSplit}))
		if err := p.gen(sub); err != nil {
			return err
		}
	}
	for _, s := range splits {
		p.branch(s, lazy)
	}
	return nil
}

// branch lets the split at s choose between what follows it and the end of the code.
func (p *pattern) branch(s int, lazy bool) {
	in, out := s+1, len(p.code)
	if lazy {
		in, out = out, in
	}
	p.code[s].lo, p.code[s].hi = in, out
}

func (p *pattern) single(re *syntax.Regexp) (set, bool) {
	switch {
	case re.Op == syntax.OpCharClass, re.Op == syntax.OpAnyChar, re.Op == syntax.OpAnyCharNotNL:
		return classSet(re), true
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Rune[0] < 0x80:
		return byteSet(byte(re.Rune[0]), re.Flags&syntax.FoldCase != 0), true
	case re.Op == syntax.OpCapture && re.Cap != p.keep:
		return p.single(re.Sub[0])
	}
	return set{}, false
}

func byteSet(b byte, fold bool) set {
	var s set
	s.add(b)
	if l := lower(b); fold && is(l, isLower) {
		s.add(l)
		s.add(l - 'a' + 'A')
	}
	return s
}

func classSet(re *syntax.Regexp) set {
	var s set
	if re.Op != syntax.OpCharClass {
		s = set{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
		if re.Op == syntax.OpAnyCharNotNL {
			s[0] &^= 1 << '\n'
		}
		return s
	}
	for i := 0; i < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1] && r < 0x80; r++ {
			s.add(byte(r))
		}
		if re.Rune[i+1] >= 0x80 {
			s[2], s[3] = ^uint64(0), ^uint64(0)
		}
	}
	return s
}
