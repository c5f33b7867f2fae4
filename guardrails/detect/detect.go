// Package detect says what a text gives away or smuggles in: secrets, personal data, instructions addressed to a model,
// and text that people cannot see. Its detectors are pure functions over bytes; they give positions and never the value.
// It does not walk messages, decide what to do about a finding, or keep anything between calls.
package detect

import "strings"

// Kind is the family of a finding.
type Kind uint8

// The families. A text that could not be read to its end is a finding as well, so that nobody mistakes silence for
// cleanliness.
const (
	Secret Kind = iota + 1
	PII
	Injection
	Hidden
	Unread
)

func (k Kind) String() string {
	switch k {
	case Secret:
		return "secret"
	case PII:
		return "pii"
	case Injection:
		return "injection"
	case Hidden:
		return "hidden"
	case Unread:
		return "unread"
	default:
		return "unknown"
	}
}

// Finding is one detection. It never holds what was found.
type Finding struct {
	Rule       string // the rule, as in Engine.Rules
	Entity     string // what it is: US_SSN, github-token, override
	Kind       Kind
	Confidence uint8 // percent; below 50 means that only the bare shape speaks for it
	Start, End int   // bytes of Leaf.Text
	Via        Via   // how the text was read where the finding is not in the plain bytes
}

// Leaf is one piece of text with what is known about its place. It is not changed; a Scratch may hold copies of its
// parts until it is used again.
type Leaf struct {
	Text   []byte // decoded: JSON strings without quotes and escapes
	Field  []byte // the name of the JSON member, column or parameter that holds the text, if any
	Label  []byte // a name that stands beside: the sibling "name" of a "value", a column's header, the array element before
	Parent []byte // the name above Field
	Name   bool   // the text is itself a member's name
}

// Options are what an engine knows beyond the built-in rules.
type Options struct {
	// Known are values that must never appear: own credentials, entries of a vault, canaries. Each has at least 8
	// bytes. They are found plain and in encoded forms.
	Known []Known
	// Rules are the operator's own.
	Rules []UserRule
}

// Engine is a compiled set of rules. It is immutable and may be used by any number of goroutines, each with a Scratch
// of its own.
type Engine struct {
	words      *automaton // anchors of every rule that looks at ASCII text
	anchors    []anchor   // by number of the literal
	foreign    *automaton // phrases in scripts other than Latin
	sentences  int        // how many of them command a model; the others name secrets
	phrases    []phrase
	compact    *automaton // phrases without blanks, for spaced and joined writing
	squeezed   []phrase
	tokens     []tokenRule
	structures []structure
	users      []userRule
	known      []knownForm
	names      *lexicon
	labels     *labels
	tells      []string // entities that words in running text name, by anchor
	forms      *forms
}

// anchor is what a literal of the automaton stands for.
type anchor struct {
	kind  anchorKind
	grade grade  // of secret words
	rule  uint16 // index of the token, user rule, form of a known value, phrase or label
	size  uint8
}

type anchorKind uint8

const (
	anchorToken anchorKind = iota
	anchorWord
	anchorStructure
	anchorPhrase
	anchorKnown
	anchorUser
	anchorLabel
)

// effortOf is what a look at an anchor of a kind counts.
var effortOf = [...]int{anchorToken: 1, anchorWord: 3, anchorStructure: 20, anchorPhrase: 0, anchorKnown: 0, anchorUser: 2, anchorLabel: 3}

// foundEffort is what a finding counts: it is mapped to its place, sorted, and compared with its neighbours.
const foundEffort = 50

// nameEffort and decideEffort are what a name and its value count, beside the value's length.
const (
	nameEffort   = 8
	decideEffort = 30
)

// foreignEffort comes on top for a rule that is tried at every byte near its keyword.
const foreignEffort = 20

// New compiles an engine: some milliseconds, a few megabytes. It fails on rules that do not find their examples, find
// their counterexamples, or cannot be compiled.
func New(o Options) (*Engine, error) {
	e := &Engine{names: newLexicon()}
	b := &builder{engine: e}
	if err := b.build(o); err != nil {
		return nil, err
	}
	return e, e.proveUsers()
}

// builder collects the literals of the automata.
type builder struct {
	engine   *Engine
	literals []string
}

func (b *builder) add(literal string, a anchor) {
	a.size = uint8(len(literal))
	b.literals = append(b.literals, literal)
	b.engine.anchors = append(b.engine.anchors, a)
}

func (b *builder) build(o Options) (err error) {
	e := b.engine
	if err := b.addTokens(); err != nil {
		return err
	}
	for word, g := range e.names.grades {
		b.add(word, anchor{kind: anchorWord, grade: g})
	}
	e.structures = structures()
	for i, s := range e.structures {
		b.add(s.anchor, anchor{kind: anchorStructure, rule: uint16(i)})
	}
	for i, p := range phrases() {
		b.add(p.text, anchor{kind: anchorPhrase, rule: uint16(i)})
		e.phrases = append(e.phrases, p)
	}
	for i, l := range toldLabels() {
		e.tells = append(e.tells, l.entity)
		for p := range strings.SplitSeq(l.phrases, ",") {
			b.add(p, anchor{kind: anchorLabel, rule: uint16(i)})
		}
	}
	if err := b.addKnown(o.Known); err != nil {
		return err
	}
	if err := b.addUsers(o.Rules); err != nil {
		return err
	}
	if e.words, err = newAutomaton(b.literals); err != nil {
		return err
	}
	foreign, sentences := foreignWords()
	e.sentences = sentences
	if e.foreign, err = newAutomaton(foreign); err != nil {
		return err
	}
	e.squeezed = squeezedPhrases()
	if e.compact, err = newAutomaton(texts(e.squeezed)); err != nil {
		return err
	}
	if e.labels, err = newLabels(); err != nil {
		return err
	}
	e.forms = newForms(e.labels.ids)
	return nil
}
