package pin_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// world is a book, the state that it is read from, and what it has told.
type world struct {
	t     *testing.T
	state *store.Memory
	pos   uint64
	now   time.Time
	told  []string
	fail  error
	book  *pin.Book
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, state: new(store.Memory), now: time.Unix(1_800_000_000, 0)}
	w.open()
	return w
}

// open reads the book from the state, as a start does.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.book, err = pin.Open(w.state, func() time.Time { return w.now }, look, w.tell)
	if err != nil {
		w.t.Fatal(err)
	}
	w.book.Reach(func(upstream string) []string {
		return slices.DeleteFunc([]string{"up", "other"}, func(u string) bool { return u == upstream })
	})
}

func look(dst, name []byte) []byte { return append(dst, bytes.ToLower(name)...) }

func (w *world) tell(n pin.News) error {
	w.told = append(w.told, n.Upstream+" "+n.Summary())
	w.save()
	return w.fail
}

// save does what the journal does with changes.
func (w *world) save() {
	w.t.Helper()
	var puts []store.Put
	w.book.Changes(func(p store.Put) {
		puts = append(puts, store.Put{Key: bytes.Clone(p.Key), Value: bytes.Clone(p.Value)})
	})
	w.pos++
	if err := w.state.Apply(w.pos, puts); err != nil {
		w.t.Fatal(err)
	}
}

// restart opens the book anew.
func (w *world) restart() {
	w.t.Helper()
	w.save()
	w.open()
}

// list shows the book a whole list of tools, as NAME=DEFINITION.
func (w *world) list(upstream string, tools ...string) {
	w.t.Helper()
	w.page(upstream, true, true, tools...)
}

func (w *world) page(upstream string, first, last bool, tools ...string) {
	w.t.Helper()
	p := pin.Page{Upstream: upstream, Agent: "bot", Kind: pin.Tool, First: first, Last: last}
	for _, t := range tools {
		name, raw, _ := strings.Cut(t, "=")
		p.Items = append(p.Items, pin.Definition{Name: []byte(name), Raw: []byte(raw)})
	}
	if err := w.book.See(&p); err != nil {
		w.t.Fatal(err)
	}
}

// is checks conditions, written as NAME CONDITION.
func (w *world) is(upstream string, want ...string) {
	w.t.Helper()
	for _, x := range want {
		name, condition, _ := strings.Cut(x, " ")
		if got := w.book.Find(upstream, pin.ID{Kind: pin.Tool, Name: name}).Condition().String(); got != condition {
			w.t.Errorf("%s of %s is %s, want %s", name, upstream, got, condition)
		}
	}
}

func (w *world) accept(upstream, name, definition string) error {
	return w.book.Accept(upstream, []pin.Wish{{ID: pin.ID{Kind: pin.Tool, Name: name}, Digest: pin.Sum([]byte(definition)).String()}})
}

func TestFirstListIsPinnedAndAChangeWithholdsOnlyThatItem(t *testing.T) {
	w := newWorld(t)
	w.list("up", "a=1", "b=2")
	w.is("up", "a pinned", "b pinned", "c unseen")
	w.list("up", "a=1", "b=two")
	w.is("up", "a pinned", "b changed")
	w.restart()
	w.is("up", "a pinned", "b changed")
	want := []string{"up tool: pinned 2", "up tool: changed 1: b"}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestWhiteSpaceAndOrderAreAChange(t *testing.T) {
	for name, changed := range map[string]string{"white space": `{"a":1, "b":2}`, "order": `{"b":2,"a":1}`, "spelling": `{"\u0061":1,"b":2}`} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.list("up", `a={"a":1,"b":2}`)
			w.list("up", "a="+changed)
			w.is("up", "a changed")
		})
	}
}

func TestWhatIsShownAsBeforeStaysWithheldUntilAccepted(t *testing.T) {
	w := newWorld(t)
	w.list("up", "a=1")
	w.list("up", "a=2")
	w.list("up", "a=1") // to another agent, perhaps
	w.is("up", "a changed")
	if err := w.accept("up", "a", "1"); err != nil {
		t.Fatal(err)
	}
	w.is("up", "a pinned")
	w.list("up", "a=1")
	w.is("up", "a pinned")
}

func TestNewItemsWaitAndAcceptedOnesAreRelied(t *testing.T) {
	w := newWorld(t)
	w.list("up", "a=1")
	w.list("up", "a=1", "b=2")
	w.is("up", "a pinned", "b new")
	w.restart()
	w.is("up", "b new")
	if err := w.accept("up", "b", "2"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.is("up", "b pinned")
	w.list("up", "a=1", "b=3")
	w.is("up", "b changed")
}

func TestAcceptTakesOnlyWhatWasLookedAt(t *testing.T) {
	w := newWorld(t)
	w.list("up", "a=1", "b=1")
	w.list("up", "a=2", "b=2")
	w.list("up", "a=3", "b=2")
	both := []pin.Wish{
		{ID: pin.ID{Kind: pin.Tool, Name: "b"}, Digest: pin.Sum([]byte("2")).String()},
		{ID: pin.ID{Kind: pin.Tool, Name: "a"}, Digest: pin.Sum([]byte("2")).String()},
	}
	if err := w.book.Accept("up", both); !errors.Is(err, pin.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
	w.is("up", "a changed", "b changed") // all or none
	if err := w.accept("up", "a", "3"); err != nil {
		t.Error(err)
	}
	if err := w.accept("up", "a", "3"); !errors.Is(err, pin.ErrSettled) {
		t.Errorf("got %v, want ErrSettled", err)
	}
	for _, upstream := range []string{"up", "nowhere"} {
		if err := w.accept(upstream, "c", "3"); !errors.Is(err, pin.ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
	}
}

func TestFirstListMayHavePagesAndEnds(t *testing.T) {
	w := newWorld(t)
	w.page("up", true, false, "a=1")
	w.page("up", true, false, "a=1") // another agent begins too
	w.page("up", false, false, "b=1")
	w.page("up", false, true, "c=1")
	w.page("up", false, true, "d=1")
	w.is("up", "a pinned", "b pinned", "c pinned", "d new")

	w.page("other", true, false, "x=1")
	w.now = w.now.Add(11 * time.Minute)
	w.page("other", false, false, "y=1") // a list without an end pins nothing for ever
	w.is("other", "x pinned", "y new")
}

func TestRemovedItemsAreNotedAndStayPinned(t *testing.T) {
	w := newWorld(t)
	w.list("up", "a=1", "b=1")
	w.list("up", "a=1")
	if got := w.told[len(w.told)-1]; got != "up tool: gone 1: b" {
		t.Errorf("told %q", got)
	}
	for _, e := range w.book.List("up") {
		if e.Gone != (e.ID.Name == "b") {
			t.Errorf("%s is gone: %v", e.ID, e.Gone)
		}
	}
	w.list("up", "a=1", "b=2")
	w.is("up", "b changed")
}

func TestToolThatLooksLikeOneOfANeighbourIsWithheld(t *testing.T) {
	w := newWorld(t)
	w.list("up", "send=1")
	w.list("other", "SEND=1", "get=1")
	w.is("other", "SEND shadowing", "get pinned")
	w.is("up", "send pinned")
	w.restart()
	w.is("other", "SEND shadowing")
	if err := w.accept("other", "SEND", "1"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.is("other", "SEND pinned")
}

func TestToolsOfUpstreamsThatAreNotPinnedCanBeShadowed(t *testing.T) {
	w := newWorld(t)
	w.book.Notice(&pin.Page{Upstream: "up", Kind: pin.Tool, Items: []pin.Definition{{Name: []byte("send")}}})
	w.list("other", "Send=1")
	w.is("other", "Send shadowing")
}

func TestUnreadableRecordsWithhold(t *testing.T) {
	w := newWorld(t)
	w.list("up", "a=1", "b=2")
	for _, damage := range []string{"p/i/", "p/h/"} {
		t.Run(damage, func(t *testing.T) {
			w := newWorld(t)
			w.list("up", "a=1", "b=2")
			var puts []store.Put
			for item, err := range w.state.Scan([]byte(damage), nil, false) {
				if err != nil {
					t.Fatal(err)
				}
				v := bytes.Clone(item.Value)
				v[len(v)/2] ^= 1
				puts = append(puts, store.Put{Key: bytes.Clone(item.Key), Value: v})
			}
			w.pos++
			if err := w.state.Apply(w.pos, puts); err != nil {
				t.Fatal(err)
			}
			w.open()
			if damage == "p/i/" {
				w.is("up", "a damaged", "b damaged")
				w.list("up", "a=1", "b=2")
				w.is("up", "a new", "b new")
				return
			}
			w.list("up", "a=1", "b=2", "c=3")
			w.is("up", "a pinned", "b pinned", "c new")
		})
	}
}

func TestLostRecordsPinNothingAnew(t *testing.T) {
	for _, lost := range []string{"p/i/", "p/h/"} {
		t.Run(lost, func(t *testing.T) {
			w := newWorld(t)
			w.list("up", "a=1", "b=2")
			var puts []store.Put
			for item := range w.state.Scan([]byte(lost), nil, false) {
				puts = append(puts, store.Put{Key: bytes.Clone(item.Key)})
			}
			w.pos++
			if err := w.state.Apply(w.pos, puts); err != nil {
				t.Fatal(err)
			}
			w.open()
			w.list("up", "a=1", "c=3")
			w.is("up", "c new")
		})
	}
}

func TestDoubtfulStatePinsNothing(t *testing.T) {
	w := newWorld(t)
	old := true
	w.book.Doubt(func() bool { return old })
	w.list("up", "a=1")
	w.is("up", "a new")
}

func TestBoundsWithholdAndAreTold(t *testing.T) {
	w := newWorld(t)
	w.list("up", "big="+strings.Repeat("x", pin.MaxBytes+1), "a=1")
	w.is("up", "big unseen", "a pinned")
	w.list("up", "big="+strings.Repeat("x", pin.MaxBytes+1), "a=1")
	if got := strings.Join(w.told, "\n"); got != "up tool: pinned 1; beyond the bounds 1" {
		t.Errorf("told %s", got)
	}
	w.list("up", "a="+strings.Repeat("x", pin.MaxBytes+1))
	w.is("up", "a changed")
	for i := range 100 {
		w.list("up", fmt.Sprintf("a=%d", i+2))
	}
	told := len(w.told)
	for i := range 100 {
		w.list("up", fmt.Sprintf("a=%d", i+2))
	}
	if len(w.told) != told {
		t.Error("an upstream that changes all the time fills the journal")
	}
	w.is("up", "a changed")
}

func TestNewsThatAreNotOnRecordAreAnError(t *testing.T) {
	w := newWorld(t)
	w.fail = errors.New("the disk is full")
	p := pin.Page{Upstream: "up", Kind: pin.Tool, First: true, Last: true, Items: []pin.Definition{{Name: []byte("a"), Raw: []byte("1")}}}
	if err := w.book.See(&p); !errors.Is(err, w.fail) {
		t.Errorf("got %v", err)
	}
}

func TestIDsAreReadAsTheyAreWritten(t *testing.T) {
	for text, id := range map[string]pin.ID{
		"get":                    {Kind: pin.Tool, Name: "get"},
		"tool:prompt:x":          {Kind: pin.Tool, Name: "prompt:x"},
		"prompt:x":               {Kind: pin.Prompt, Name: "x"},
		"template:file:///{p}":   {Kind: pin.Template, Name: "file:///{p}"},
		"instructions:":          {Kind: pin.Instructions},
		"a:b":                    {Kind: pin.Tool, Name: "a:b"},
		"tool:tool:instructions": {Kind: pin.Tool, Name: "tool:instructions"},
	} {
		if got := pin.ParseID(text); got != id {
			t.Errorf("%s is read as %+v", text, got)
		}
		if got := id.String(); got != text {
			t.Errorf("%+v is written %s, want %s", id, got, text)
		}
	}
}

func TestAssumedBookKeepsNothing(t *testing.T) {
	b := pin.Assume()
	if err := b.See(&pin.Page{Upstream: "up", Kind: pin.Tool}); err != nil || b.List("up") != nil || !b.Assumes() {
		t.Errorf("got %v, %v", err, b.List("up"))
	}
	if err := b.Accept("up", nil); !errors.Is(err, pin.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	b.Changes(func(store.Put) { t.Error("something is to be written") })
}

func FuzzRecordsAreReadOrRefused(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0})
	w := &world{state: new(store.Memory)}
	b, err := pin.Open(w.state, time.Now, look, nil)
	if err != nil {
		f.Fatal(err)
	}
	if err := b.See(&pin.Page{Upstream: "up", Kind: pin.Tool, First: true, Items: []pin.Definition{{Name: []byte("a"), Raw: []byte("{}")}}}); err != nil {
		f.Fatal(err)
	}
	b.Changes(func(p store.Put) { f.Add(bytes.Clone(p.Value)) })
	f.Fuzz(func(t *testing.T, value []byte) {
		state := new(store.Memory)
		at := "p/i/up/t" + strings.Repeat("0", 32)
		if err := state.Apply(1, []store.Put{{Key: []byte(at), Value: value}, {Key: []byte("p/h/up"), Value: value}}); err != nil {
			t.Skip()
		}
		b, err := pin.Open(state, time.Now, look, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.List("up") {
			if e.Condition() == pin.Pinned {
				t.Error("a record that nobody wrote pins something")
			}
		}
	})
}
