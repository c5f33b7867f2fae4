package detect

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Tools are names of tools by the upstreams that have them. Text of one upstream that tells a model to use a tool of another
// is suspect. Names that are plain words, such as search, are left out: any text has them. Tools are immutable.
type Tools struct{ owners map[string][]string }

// NewTools returns the tools that each upstream has.
func NewTools(byUpstream map[string][]string) *Tools {
	t := &Tools{owners: map[string][]string{}}
	for upstream, names := range byUpstream {
		for _, n := range names {
			if folded := strings.ToLower(n); compound(n) && !slices.Contains(t.owners[folded], upstream) {
				t.owners[folded] = append(t.owners[folded], upstream)
			}
		}
	}
	return t
}

// compound holds for names that nobody writes who does not mean the tool.
func compound(name string) bool {
	if len(name) < 6 || len(name) > maxToolName {
		return false
	}
	for i := 1; i < len(name); i++ {
		if c := name[i]; c == '_' || c == '-' || is(c, isDigit) || is(c, isUpper) && is(name[i-1], isLower) {
			return true
		}
	}
	return false
}

// Hear says whose tools the texts of the scans that follow must not name, and which upstream they come from. With a nil t
// they may name any.
func (s *Scratch) Hear(t *Tools, upstream string) { s.tools, s.speaker = t, upstream }

// steering are the sorts beside which the name of a tool says something.
const steering = someSend | someDisclose | someFirst | somePersist | someConceal

const maxToolName = 128

// addTools adds the tools of other upstreams that a text names to the phrases, and reports whether there are any.
func (s *Scratch) addTools(text []byte) bool {
	known := len(s.phrases)
	for i := 0; i < len(text); i++ {
		if !inToolName(text[i]) {
			continue
		}
		lo := i
		for i < len(text) && inToolName(text[i]) {
			i++
		}
		word := bytes.TrimRight(text[lo:i], "-.")
		// A client may put the upstream before the name: mcp__crm__send_mail, crm.send_mail.
		if cut := max(bytes.LastIndex(word, []byte("__"))+1, bytes.LastIndexByte(word, '.')); cut > 0 && s.foreign(word[cut+1:]) || s.foreign(word) {
			s.phrases = append(s.phrases, phraseHit{rule: toolPhrase, start: int32(lo), end: int32(lo + len(word))})
		}
	}
	if len(s.phrases) == known {
		return false
	}
	slices.SortStableFunc(s.phrases, func(a, b phraseHit) int { return cmp.Compare(a.end, b.end) })
	return true
}

func inToolName(c byte) bool { return is(c, isAlnum) || c == '_' || c == '-' || c == '.' }

// foreign reports whether a word is the name of a tool that other upstreams have and the one that speaks has not.
func (s *Scratch) foreign(word []byte) bool {
	var folded [maxToolName]byte
	if len(word) < 6 || len(word) > len(folded) {
		return false
	}
	for i, c := range word {
		folded[i] = lower(c)
	}
	owners := s.tools.owners[string(folded[:len(word)])]
	return owners != nil && !slices.Contains(owners, s.speaker)
}
