package detect

import (
	"fmt"
	"regexp/syntax"
	"slices"
)

// tokenRule is a token, compiled.
type tokenRule struct {
	token
	code *pattern
}

// addTokens compiles the built-in tokens and derives their anchors.
func (b *builder) addTokens() error {
	for _, t := range builtInTokens() {
		code, err := compile(t.pattern)
		if err != nil {
			return fmt.Errorf("rule %s: %w", t.name, err)
		}
		n := uint16(len(b.engine.tokens))
		b.engine.tokens = append(b.engine.tokens, tokenRule{t, code})
		literals := []string{t.anchor}
		if t.anchor == "" {
			if literals, err = leading(t.pattern); err != nil {
				return fmt.Errorf("rule %s: %w", t.name, err)
			}
		}
		for _, l := range literals {
			b.add(l, anchor{kind: anchorToken, rule: n})
		}
	}
	return nil
}

const (
	maxLeading = 40 // alternatives of one pattern
	minAnchor  = 3
)

// leading returns the literals with which every match of the pattern begins.
func leading(text string) ([]string, error) {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	found, _ := prefixes(re)
	for _, l := range found {
		if len(l) < minAnchor {
			return nil, fmt.Errorf("matches may begin with %q: at least %d literal bytes are needed", l, minAnchor)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// prefixes returns what a match may begin with, and whether that is all of the match.
func prefixes(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, true
	case syntax.OpCharClass:
		return smallClass(re.Rune)
	case syntax.OpCapture:
		return prefixes(re.Sub[0])
	case syntax.OpQuest:
		sub, whole := prefixes(re.Sub[0])
		return append(sub, ""), whole
	case syntax.OpEmptyMatch, syntax.OpWordBoundary:
		return []string{""}, true
	case syntax.OpAlternate:
		var all []string
		complete := true
		for _, s := range re.Sub {
			sub, whole := prefixes(s)
			all, complete = append(all, sub...), complete && whole
		}
		return all, complete
	case syntax.OpConcat:
		return concatPrefixes(re.Sub)
	default:
		return []string{""}, false
	}
}

func smallClass(ranges []rune) ([]string, bool) {
	var all []string
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(all) == 16 {
				return []string{""}, false
			}
			all = append(all, string(r))
		}
	}
	return all, true
}

func shortest(all []string) int {
	n := len(all[0])
	for _, a := range all {
		n = min(n, len(a))
	}
	return n
}

func concatPrefixes(subs []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, s := range subs {
		sub, whole := prefixes(s)
		if len(all)*len(sub) > maxLeading || shortest(all) > 12 {
			return all, false
		}
		var longer []string
		for _, a := range all {
			for _, b := range sub {
				longer = append(longer, a+b)
			}
		}
		all = longer
		if !whole {
			return all, false
		}
	}
	return all, true
}

// verify runs the token's pattern where its anchor was found, t[s:e], and returns the token's bounds.
func (r *tokenRule) verify(m *matcher, t []byte, s int) (lo, hi int) {
	lo = s - r.back
	if r.back < 0 {
		lo = runBack(t, s, isDigit)
	}
	if lo < 0 || !r.open && lo > 0 && joins(t, lo) {
		return 0, -1
	}
	if hi = m.match(r.code, t, lo); hi < 0 {
		return lo, hi
	}
	if r.brief && inDigest(t, lo, hi) {
		return lo, -1
	}
	v := t[lo:hi]
	if r.floor > 0 && entropy(v)*10 < float64(r.floor) || filler(v, r.name) {
		return lo, -1
	}
	return lo, hi
}

// inDigest holds for a word that goes on as base64 on both sides, up to the padding of a digest or longer.
func inDigest(t []byte, lo, hi int) bool {
	if lo == 0 || t[lo-1] != '+' && t[lo-1] != '/' {
		return false
	}
	end := run(t, hi, isBase64)
	for i := 0; i < 2 && end < len(t) && t[end] == '='; i++ {
		end++
	}
	return padded(t[:end])
}

// joins holds where the byte before at belongs to the same word. The letter of an escape such as \n does not.
func joins(t []byte, at int) bool {
	b := t[at-1]
	if !is(b, isAlnum) {
		return false
	}
	escaped := at > 1 && t[at-2] == '\\' && (b == 'n' || b == 't' || b == 'r')
	encoded := at > 2 && t[at-3] == '%'
	return !escaped && !encoded
}

// filler holds for tokens whose body is made of x's or stars, or says that it is an example.
func filler(v []byte, name string) bool {
	x := 0
	for _, b := range v {
		if b == 'X' || b == '*' || b == '.' {
			x++
		}
	}
	return x*2 > len(v) || name == "aws-access-key" && foldSuffix(v, "example")
}
