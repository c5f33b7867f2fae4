package detect

// matcher is the memory of the verifier, kept from call to call.
type matcher struct {
	stack  []frame
	failed map[uint64]struct{}
	group  [2]int // the first group of the last match, or -1
	spent  int    // steps since somebody last asked
	over   bool   // the last call ran out of steps: its answer is not an answer
}

// frame is a choice to come back to: at pc, with any offset from lo to hi, the preferred first.
type frame struct {
	pc, lo, hi int
	lazy       bool
	group      [2]int
}

// rememberCost is what a look at what has failed costs, in steps.
const rememberCost = 8

// match runs p at one offset of t and returns the end of the match, or -1.
func (m *matcher) match(p *pattern, t []byte, at int) int {
	if len(t) > at+maxReach {
		t = t[:at+maxReach]
	}
	end, done := m.try(p, t, at, quickSteps, false)
	if !done {
		if m.failed == nil {
			m.failed = make(map[uint64]struct{})
		}
		clear(m.failed)
		end, done = m.try(p, t, at, maxSteps, true)
	}
	m.over = !done
	return end
}

func (m *matcher) try(p *pattern, t []byte, at, steps int, remember bool) (end int, done bool) {
	all := steps
	defer func() {
		if m.spent += all - steps; remember {
			m.spent += rememberCost * (all - steps) // a look into the memory costs more than a step
		}
	}()
	m.stack = append(m.stack[:0], frame{0, at, at, false, [2]int{-1, -1}})
	for len(m.stack) > 0 {
		f := &m.stack[len(m.stack)-1]
		pc, pos := f.pc, f.hi
		m.group = f.group
		if f.lazy {
			pos = f.lo
			f.lo++
		} else {
			f.hi--
		}
		if f.lo > f.hi {
			m.stack = m.stack[:len(m.stack)-1]
		}
		if remember {
			key := uint64(pc)<<32 | uint64(pos)
			if _, seen := m.failed[key]; seen {
				continue
			}
			m.failed[key] = struct{}{}
		}
		end, steps = m.run(p, t, pc, pos, steps)
		if end >= 0 {
			return end, true
		}
		if steps <= 0 {
			return -1, false
		}
	}
	return -1, true
}

// run follows one path to its end. It returns -1 where the path fails.
func (m *matcher) run(p *pattern, t []byte, pc, pos, steps int) (end, left int) {
	for ; steps > 0; steps-- {
		i := &p.code[pc]
		pc++
		switch i.op {
		case opSet:
			if pos >= len(t) || !i.set.has(t[pos]) {
				return -1, steps - 1
			}
			pos++
		case opLoop:
			last := pos
			for limit := min(len(t), pos+i.hi); last < limit && i.set.has(t[last]); {
				last++
			}
			if last-pos < i.lo {
				return -1, steps - 1
			}
			pos = m.choose(i, pc, pos+i.lo, last)
		case opSplit:
			m.stack = append(m.stack, frame{i.hi, pos, pos, false, m.group})
			pc = i.lo
		case opJump:
			pc = i.lo
		case opGroup:
			m.group[i.lo] = pos
		case opMatch:
			return pos, steps
		default:
			if !holds(i.op, t, pos) {
				return -1, steps - 1
			}
		}
	}
	return -1, 0
}

// choose takes the preferred end of a loop and remembers the others.
func (m *matcher) choose(i *inst, pc, first, last int) int {
	switch {
	case first == last:
		return first
	case i.lazy:
		m.stack = append(m.stack, frame{pc, first + 1, last, true, m.group})
		return first
	}
	m.stack = append(m.stack, frame{pc, first, last - 1, false, m.group})
	return last
}

func holds(op opcode, t []byte, pos int) bool {
	if op == opStart {
		return pos == 0 || t[pos-1] == '\n'
	}
	if op == opEnd {
		return pos == len(t) || t[pos] == '\n'
	}
	before := pos > 0 && wordByte(t[pos-1])
	after := pos < len(t) && wordByte(t[pos])
	return (before != after) == (op == opWord)
}

func wordByte(b byte) bool { return is(b, isAlnum) || b == '_' }
