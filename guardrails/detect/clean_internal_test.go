package detect

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// finds is how much there is in a leaf, whether it is clean or not.
func (e *Engine) finds(s *Scratch, l *Leaf) int {
	s.leaves, s.found, s.table, s.budget = []Leaf{*l}, s.found[:0], table{}, newBudget([]Leaf{*l}, 0)
	own := s.own(0, piece{hi: int32(len(l.Text))})
	e.place(s, l, &own[0])
	e.page(s, l.Text, own, nil, 0)
	return len(s.found)
}

// TestNothingIsFoundInCleanLeaves asks every detector about short words: whatever detectors look for in words, alone and
// beside each other, and words by chance. What is said to be clean must be so, under each name and as a name.
func TestNothingIsFoundInCleanLeaves(t *testing.T) {
	e, err := New(Options{Known: []Known{{Name: "canary", Value: []byte("a1b2c3d4")}}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 8))
	fields := []string{"", "x", "data", "auth", "api_key", "password", "q17"}
	for _, l := range labelTable() {
		for p := range strings.SplitSeq(l.phrases, ",") {
			fields = append(fields, p)
		}
	}
	s := NewScratch()
	words := shortLiterals(e)
	var tools []string // that say in one word what steers towards them
	for _, w := range words {
		tools = append(tools, w+"1", w+"12")
	}
	s.Hear(NewTools(map[string][]string{"other": tools}), "own")
	clean := 0
	try := func(word string) {
		field := fields[r.IntN(len(fields))]
		for _, l := range []Leaf{
			{Text: []byte(word), Name: true},
			{Text: []byte(word), Field: []byte("it")},
			{Text: []byte(word), Field: []byte(field)},
			{Text: []byte(word), Field: []byte("data"), Parent: []byte(field)},
			{Text: []byte(word), Field: []byte("it"), Label: []byte(field)},
			{Text: []byte(word)},
		} {
			if len(word) == 0 || !e.Clean(s, &l) {
				continue
			}
			if clean++; e.finds(s, &l) > 0 {
				t.Errorf("%q, called %q, beside %q, below %q, is clean, and %s is found in it", word, l.Field, l.Label, l.Parent, s.found[0].f.Rule)
			}
		}
	}
	for _, a := range words {
		try(a)
		for _, b := range words {
			for over := 0; over <= min(len(a), len(b)); over++ {
				if len(a)+len(b)-over < minKnown && strings.HasSuffix(a, b[:over]) {
					try(a + b[over:])
				}
			}
		}
	}
	alphabets := []string{"0123456789", "abcdefghijklmnopqrstuvwxyz", "ABHRX0123456789", "hrab01", "aB3.", "0123456789abcdef-", "12.-+e", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"}
	for range 60_000 {
		alphabet := alphabets[r.IntN(len(alphabets))]
		word := make([]byte, 1+r.IntN(minKnown))
		for i := range word {
			word[i] = alphabet[r.IntN(len(alphabet))]
		}
		try(string(word))
	}
	if clean < 200_000 {
		t.Errorf("only %d leaves were clean", clean)
	}
}

// shortLiterals are what an engine looks for, as far as it is short, in one order.
func shortLiterals(e *Engine) (words []string) {
	for _, p := range e.phrases {
		words = append(words, p.text)
	}
	for word := range e.names.grades {
		words = append(words, word)
	}
	for _, s := range e.structures {
		words = append(words, s.anchor)
	}
	for _, l := range toldLabels() {
		words = append(words, strings.Split(l.phrases, ",")...)
	}
	short := words[:0]
	for _, w := range append(words, "123", "12", "1", "hrb", "HRA", "use", "feb", "80") {
		if len(w) < minKnown {
			short = append(short, w)
		}
	}
	slices.Sort(short)
	return short
}

// TestWhatTheirNamesSayIsNotClean: a name that makes a short word a secret or somebody's is asked first.
func TestWhatTheirNamesSayIsNotClean(t *testing.T) {
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewScratch()
	for text, l := range map[string]Leaf{
		"Smith": {Field: []byte("last_name")}, "1234": {Field: []byte("pin")}, "123": {Label: []byte("cvv")}, "hunter2": {Field: []byte("password")}, "12.50": {Field: []byte("salary")},
		"HRB1234": {Field: []byte("it")}, "M123456": {Field: []byte("driver_license")}, "SW1A1AA": {Field: []byte("data")}, "1.1.1.1": {Field: []byte("it")}, "[1,2]": {Field: []byte("it")}, "\u200b": {Field: []byte("it")},
	} {
		l.Text = []byte(text)
		if e.Clean(s, &l) {
			t.Errorf("%q is clean where it is called %q and stands beside %q", text, l.Field, l.Label)
		}
	}
}

// TestEveryLabelHasALetter: texts without one are not asked for labels.
func TestEveryLabelHasALetter(t *testing.T) {
	for _, l := range slices.Concat(labelTable(), fieldNames()) {
		for p := range strings.SplitSeq(l.phrases, ",") {
			if wordless([]byte(p)) {
				t.Errorf("%s is called %q", l.entity, p)
			}
		}
	}
}
