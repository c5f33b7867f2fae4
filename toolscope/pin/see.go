package pin

import (
	"bytes"
	"fmt"
	"slices"
)

// See takes a page in. What is seen for the first time is pinned, as long as the first list lasts; what differs from
// what is pinned is withheld from then on, whoever asks, and so is what comes later. It returns when the news are on
// record; after an error nothing of the page may be shown.
func (b *Book) See(p *Page) error {
	if b.assumed {
		return nil
	}
	n := b.see(p)
	if n.empty() || b.tell == nil {
		return nil
	}
	if err := b.tell(n); err != nil {
		return fmt.Errorf("recording definitions of upstream %s: %w", p.Upstream, err)
	}
	return nil
}

func (b *Book) see(p *Page) News {
	if b.settled(p) {
		return News{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a := arrival{Book: b, s: b.shelf(p.Upstream), p: p, now: b.clock().Unix()}
	a.news = News{Upstream: p.Upstream, Agent: p.Agent, Kind: p.Kind}
	a.first = a.begins()
	for i := range p.Items {
		a.take(&p.Items[i])
	}
	a.leave()
	if n := a.news.Beyond; n == a.s.beyond[p.Kind] {
		a.news.Beyond = 0 // it was told
	} else {
		a.s.beyond[p.Kind] = n
	}
	if began, known := a.s.head.open[p.Kind]; known && began != 0 && p.Last {
		a.s.head.open[p.Kind] = 0
		b.touch(headKey(p.Upstream), entry{head: a.s.head})
	}
	return a.news
}

// arrival is a page that is taken in. The mutex is held.
type arrival struct {
	*Book
	s     *shelf
	p     *Page
	now   int64
	first bool // what nothing is known of is pinned
	news  News
	near  []string // upstreams nearby, once they were asked for
	asked bool
}

// Settled reports whether a page says nothing new.
func (b *Book) Settled(p *Page) bool { return b.assumed || b.settled(p) }

// settled does it without a lock that keeps others from reading.
func (b *Book) settled(p *Page) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.shelves[p.Upstream]
	if s == nil || s.head.open[p.Kind] != 0 || len(s.gone) > 0 || p.First && p.Last && len(p.Items) < s.count(p.Kind) {
		return false
	}
	if _, known := s.head.open[p.Kind]; !known {
		return false
	}
	for i := range p.Items {
		d := &p.Items[i]
		it := s.items[slotOf(ID{p.Kind, string(d.Name)})]
		if it == nil || it.damaged || !bytes.Equal(d.Raw, it.Waiting()) && !bytes.Equal(d.Raw, it.Pinned) {
			return false
		}
	}
	return true
}

func (s *shelf) count(k Kind) (n int) {
	for at := range s.items {
		if at.kind == k {
			n++
		}
	}
	return n
}

// begins reports whether definitions of a kind are pinned as they come, and begins the first list.
func (a *arrival) begins() bool {
	h := a.s.head
	if h.bad || a.old != nil && a.old() {
		return false
	}
	began, known := h.open[a.p.Kind]
	switch {
	case !known && a.s.count(a.p.Kind) > 0: // the head is lost, and the items are not
		return false
	case !known:
		h.open[a.p.Kind] = max(a.now, 1)
		a.touch(headKey(a.p.Upstream), entry{head: h})
		return true
	case began == 0:
		return false
	}
	return a.now-began <= firstTime
}

// take holds one element against what is kept of it.
func (a *arrival) take(d *Definition) {
	id := ID{a.p.Kind, string(d.Name)}
	at := slotOf(id)
	was := a.s.items[at]
	if a.s.gone[at] {
		delete(a.s.gone, at)
		a.changes.Add(1)
	}
	switch {
	case len(d.Raw) > MaxBytes || len(d.Name) > maxName:
		a.news.Beyond++
		a.hold(was)
	case was == nil:
		a.meet(id, d)
	case was.damaged:
		a.keep(&Item{ID: id, Seen: bytes.Clone(d.Raw), Since: a.now, Changed: a.now, By: a.p.Agent})
		a.news.New = append(a.news.New, id.Name)
	case bytes.Equal(d.Raw, was.Pinned), bytes.Equal(d.Raw, was.Seen):
		// What was shown otherwise once stays withheld: an upstream could show one agent this and another one that.
	case was.Times >= maxTimes || a.s.bytes+len(d.Raw)-len(was.Seen) > maxTotal:
		a.hold(was)
	default:
		next := *was
		next.Seen, next.Changed, next.By = bytes.Clone(d.Raw), a.now, a.p.Agent
		next.Times++
		a.keep(&next)
		a.news.Changed = append(a.news.Changed, id.Name)
	}
}

func (a *arrival) keep(it *Item) { a.put(a.p.Upstream, a.s, it) }

// unkept stands for bytes that were seen and are not kept. It is no definition.
var unkept = []byte("null")

// hold withholds an item of which something was seen that is not kept.
func (a *arrival) hold(was *Item) {
	if was == nil || was.Condition() != Pinned && was.Condition() != Shadowing {
		return
	}
	next := *was
	next.Seen, next.Changed, next.By = unkept, a.now, a.p.Agent
	next.Times++
	a.keep(&next)
	a.news.Changed = append(a.news.Changed, was.ID.Name)
}

// meet keeps an element that nothing is known of.
func (a *arrival) meet(id ID, d *Definition) {
	if len(a.s.items) >= maxItems || a.s.bytes+len(d.Raw) > maxTotal {
		a.news.Beyond++
		return
	}
	it := &Item{ID: id, Since: a.now, By: a.p.Agent}
	if id.Kind == Tool {
		look := a.lookOf(id.Name)
		it.Shadows = a.shadowed(look)
		a.s.show(look, id.Name)
	}
	switch {
	case it.Shadows != "":
		a.news.Shadowing = append(a.news.Shadowing, id.Name+" like "+it.Shadows)
	case a.first:
		a.news.Pinned = append(a.news.Pinned, id.Name)
	default:
		a.news.New = append(a.news.New, id.Name)
	}
	if a.first {
		it.Pinned = bytes.Clone(d.Raw)
	} else {
		it.Seen, it.Changed = bytes.Clone(d.Raw), a.now
	}
	a.keep(it)
}

// shadowed returns a tool of another upstream with the same look, as UPSTREAM/TOOL, or nothing.
func (a *arrival) shadowed(look string) string {
	if !a.asked && a.Book.near != nil {
		a.near = a.Book.near(a.p.Upstream)
	}
	a.asked = true
	for _, other := range a.near {
		if s := a.shelves[other]; s != nil {
			if name, ok := s.looks[look]; ok {
				return other + "/" + name
			}
		}
	}
	return ""
}

// leave notes which definitions a whole list does not hold any more. They stay pinned: one that comes back changed is
// withheld all the same.
func (a *arrival) leave() {
	if !a.p.First || !a.p.Last {
		return
	}
	there := map[slot]bool{}
	for i := range a.p.Items {
		there[slotOf(ID{a.p.Kind, string(a.p.Items[i].Name)})] = true
	}
	for at, it := range a.s.items {
		if at.kind == a.p.Kind && !there[at] && !a.s.gone[at] && !it.damaged {
			a.s.gone[at] = true
			a.changes.Add(1)
			a.news.Gone = append(a.news.Gone, it.ID.Name)
		}
	}
	slices.Sort(a.news.Gone)
}

// Notice takes in which tools an upstream offers that is not pinned, so that others may be found to shadow them.
func (b *Book) Notice(p *Page) {
	if b.assumed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.near == nil {
		return
	}
	s := b.shelf(p.Upstream)
	for i := range p.Items {
		if name := p.Items[i].Name; len(s.looks) < maxItems && len(name) <= maxName {
			if s.show(b.lookOf(string(name)), string(name)) {
				b.changes.Add(1)
			}
		}
	}
}
