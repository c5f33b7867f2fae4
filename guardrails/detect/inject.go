package detect

import (
	"bytes"
	"slices"
)

// Instructions addressed to a model are scored: words of certain kinds near each other say more than any of them alone.

// sort of a phrase.
type sort8 uint8

const (
	override      sort8 = iota // verbs that set something aside
	scope                      // what came before, everything
	order                      // instructions, rules
	disclose                   // verbs that give something away
	inner                      // the system prompt and its kin
	template                   // role markers of chat formats
	address                    // somebody speaks to a model
	conceal                    // the user is not to know
	send                       // verbs that carry something out
	do                         // verbs of other deeds
	source                     // what is worth carrying out, said in general
	loot                       // what only a thief asks for: key files, password files
	sink                       // where to
	toolFirst                  // which tool to use, and when
	persist                    // from now on
	notice                     // forged authority
	persona                    // what jailbreaks ask for
	talk                       // what they talk about
	container                  // where people do not look
	whole                      // a sentence that needs no company
	turned                     // words spelled backwards or by ROT13
	quoting                    // words of people who talk about attacks
	history                    // the conversation itself
	tool                       // the name of another upstream's tool
	persistAgain               // persist, twice
	templateAgain              // template, twice
	sorts
)

// phrase is a literal with its sort.
type phrase struct {
	text string
	sort sort8
}

// phraseHit is a phrase found in a leaf.
type phraseHit struct {
	rule       uint16
	start, end int32
}

// toolPhrase stands for names of tools, which have no row in the table.
const toolPhrase = 0xFFFF

const (
	nearReach   = 72
	wideReach   = 280
	injectFloor = 50
)

func (e *Engine) sortOf(h phraseHit) sort8 {
	if h.rule == toolPhrase {
		return tool
	}
	return e.phrases[h.rule].sort
}

// judge scores the phrases found in one leaf and forgets them.
func (e *Engine) judge(s *Scratch, text []byte, p *piece, tr *trail) {
	all := e.sorts(s.phrases)
	if s.tools != nil && all&steering != 0 && s.addTools(text[p.lo:p.hi]) {
		all |= bit(tool)
	}
	if !mayScore(all) {
		s.phrases = s.phrases[:0]
		return
	}
	tr.enter(p)
	t := text[p.lo:p.hi]
	if all&bit(turned) != 0 {
		e.turn(s, t, int(p.leaf), tr)
	}
	if b := e.weighPhrases(s, t, tr); b.score >= injectFloor {
		s.add(int(p.leaf), tr, Finding{Rule: "injected-instructions", Entity: b.entity, Kind: Injection, Confidence: uint8(min(b.score, 99)), Start: b.start, End: b.end})
	}
	s.phrases = s.phrases[:0]
}

// sorts are those of the phrases, as if each came twice.
func (e *Engine) sorts(hits []phraseHit) (all kinds) {
	for _, h := range hits {
		all |= bit(e.sortOf(h))
	}
	if all&bit(persist) != 0 {
		all |= bit(persistAgain)
	}
	if all&bit(template) != 0 {
		all |= bit(templateAgain)
	}
	return all
}

// scoreAlone are the sorts that may score without another.
var scoreAlone = func() (alone kinds) {
	for k := range sorts {
		if mayScoreTogether(bit(k)) {
			alone |= bit(k)
		}
	}
	return alone
}()

// mayScore holds where phrases of these sorts could make a sentence, if they stood together.
func mayScore(all kinds) bool {
	return all&scoreAlone != 0 || all&(all-1) != 0 && mayScoreTogether(all)
}

func mayScoreTogether(all kinds) bool {
	score, _ := assess(all, all)
	return score > 0 || all&(bit(turned)|bit(persona)) != 0
}

// verdict is the best that was found in one leaf.
type verdict struct {
	score      int
	entity     string
	start, end int
}

// weighPhrases slides over the phrases; at each one it asks what stands close by, and what not far.
func (e *Engine) weighPhrases(s *Scratch, t []byte, tr *trail) verdict {
	var near, wide tally
	var best verdict
	kept, quoted := e.sift(s, t)
	ni, wi := 0, 0
	for i, h := range kept {
		k := e.sortOf(h)
		near.add(k)
		wide.add(k)
		for ; kept[ni].start < h.end-nearReach; ni++ {
			near.take(e.sortOf(kept[ni]))
		}
		for ; kept[wi].start < h.end-wideReach; wi++ {
			wide.take(e.sortOf(kept[wi]))
		}
		score, entity := assess(near.kinds(), wide.kinds())
		if score > best.score && (tr == nil || tr.via != stepRevealed) {
			score -= discount(t, int(h.start), int(h.end), quoted)
		}
		if score > best.score {
			best = verdict{score, entity, int(kept[min(wi, i)].start), int(h.end)}
		}
	}
	if p := e.personas(kept, len(t)); p > best.score {
		best = verdict{p - 20*min(quoted, 1), "jailbreak", int(kept[0].start), int(kept[len(kept)-1].end)}
	}
	return best
}

// sift leaves the phrases that count where they stand, and counts the words of people who talk about attacks.
func (e *Engine) sift(s *Scratch, t []byte) (kept []phraseHit, quoted int) {
	kept = s.phrases[:0]
	for _, h := range s.phrases {
		switch k := e.sortOf(h); {
		case k == turned:
		case k == quoting:
			// "example.org" is no talk.
			host := int(h.end)+1 < len(t) && t[h.end] == '.' && is(t[h.end+1], isLetter)
			if !host && wholeWord(t, int(h.start), int(h.end)) {
				quoted++
			}
		case e.counts(t, h, k):
			kept = append(kept, h)
		}
	}
	return kept, quoted
}

// personas: what precedes a jailbreak is long, and comes back to the same few things in many words.
func (e *Engine) personas(kept []phraseHit, size int) int {
	asks, talks := 0, 0
	for i, h := range kept {
		if slices.ContainsFunc(kept[:min(i, 64)], func(o phraseHit) bool { return o.rule == h.rule }) {
			continue
		}
		switch e.sortOf(h) {
		case persona:
			asks++
		case talk:
			talks++
		default:
		}
	}
	switch points := 4*asks + talks; {
	case asks >= 3 || asks >= 2 && points >= 11:
		return 80
	case asks >= 2 && size < 2048, asks == 1 && points >= 8:
		return 60
	}
	return 0
}

// tally counts phrases by sort.
type tally struct {
	n   [sorts]int32
	has kinds // of what there is one at least
}

func (y *tally) add(k sort8) {
	y.n[k]++
	y.has |= bit(k)
}

func (y *tally) take(k sort8) {
	if y.n[k]--; y.n[k] == 0 {
		y.has &^= bit(k)
	}
}

// kinds are the sorts that a tally holds, as bits.
func (y *tally) kinds() kinds {
	k := y.has
	if y.n[persist] > 1 {
		k |= bit(persistAgain)
	}
	if y.n[template] > 1 {
		k |= bit(templateAgain)
	}
	return k
}

// assess returns the best sentence of the grammar. What hides, forges a role or conceals makes it worse.
func assess(near, wide kinds) (score int, entity string) {
	for i := range grammar {
		if g := &grammar[i]; g.score > score && meets(near, g.near[:]) && meets(wide, g.wide[:]) {
			score, entity = g.score, g.entity
		}
	}
	if score > 0 && wide&(bit(container)|bit(template)|bit(conceal)) != 0 {
		score += 15
	}
	return score, entity
}

// meets holds if each of the sets that are not empty has something of k.
func meets(k kinds, sets []kinds) bool {
	for _, s := range sets {
		if s != 0 && s&k == 0 {
			return false
		}
	}
	return true
}

// counts holds for verbs only where somebody commands: at the begin of a sentence, or after a word that leads there.
func (e *Engine) counts(t []byte, h phraseHit, k sort8) bool {
	s, end := int(h.start), int(h.end)
	switch k {
	case override, disclose:
		return wholeWord(t, s, end) && commands(t, s)
	case send, do:
		return wholeWord(t, s, end)
	case scope, order, source, notice, persona, talk, address:
		return (s == 0 || !is(t[s-1], isAlnum)) || !is(t[s], isAlnum)
	default:
		return true
	}
}

// commands looks at what stands before a verb.
func commands(t []byte, at int) bool {
	i := at
	for i > 0 && is(t[i-1], isSpace) {
		if i--; t[i] == '\n' {
			return true
		}
	}
	if i == 0 || !is(t[i-1], isAlnum) {
		return true
	}
	lo := runBack(t, i, isAlnum)
	for _, w := range [...]string{
		"and", "then", "please", "must", "now", "just", "also", "you", "to", "should", "instead", "simply", "or", "but", "can", "will", "shall", "immediately", "first", "next", "always", "not", "kindly", "page", "tool", "so",
		"y", "et", "und", "e", "puis", "por", "favor", "bitte", "sie", "ahora", "luego", "let", "could", "would", "us", "me",
	} {
		if foldEqual(t[lo:i], w) {
			return true
		}
	}
	return false
}

// discount is for text that quotes an attack to talk about it.
func discount(t []byte, start, end, talk int) int {
	quoted := openQuote(t, start) && closeQuote(t, end)
	switch {
	case quoted && talk > 0:
		return 60
	case quoted && end-start < len(t)*3/4:
		return 45
	case talk > 1:
		return 40
	case talk == 1:
		return 15
	}
	return 0
}

func openQuote(t []byte, at int) bool {
	for i := at - 1; i >= max(0, at-64); i-- {
		switch t[i] {
		case '\'', '"', '`':
			if i == 0 || !is(t[i-1], isAlnum) {
				return true
			}
		case '\n', '>', ';':
			return false
		}
		if bytes.HasPrefix(t[i:], []byte("“")) {
			return true
		}
	}
	return false
}

func closeQuote(t []byte, at int) bool {
	for i := at; i < min(len(t), at+40); i++ {
		if t[i] == '\'' && (i+1 == len(t) || !is(t[i+1], isAlnum)) || t[i] == '"' || t[i] == '`' || bytes.HasPrefix(t[i:], []byte("”")) {
			return true
		}
		if t[i] == '\n' {
			return false
		}
	}
	return false
}
