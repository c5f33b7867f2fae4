package quota

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Mark is what one window has used at one time, in a form to keep apart from the state directory: who puts back an older
// copy of the state is found out by it, and raises the counters to it.
type Mark struct {
	Key      string `json:"key"` // of the scope in the store
	Kind     string `json:"kind"`
	Per      string `json:"per"`
	Zone     string `json:"zone"`
	Currency string `json:"currency,omitempty"`
	Window   int64  `json:"window"` // number of the window
	Used     int64  `json:"used"`   // with what was reserved
}

// Snapshot returns a Mark of each window that something was counted in, in a stable order.
func (b *Book) Snapshot() []Mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Mark
	for _, a := range b.accounts {
		for _, w := range a.windows {
			if w.begun() {
				all = append(all, Mark{a.key, w.kind.String(), w.per.String(), w.zoneName, string(w.currency), w.id, w.used})
			}
		}
	}
	slices.SortFunc(all, func(x, y Mark) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Per, y.Per),
			cmp.Compare(x.Zone, y.Zone), cmp.Compare(x.Currency, y.Currency))
	})
	return all
}

// Raise brings each window to what a snapshot says, where that is later or more; it lowers none. It changes nothing where
// it returns an error, which names the mark that makes no sense.
func (b *Book) Raise(marks []Mark) error {
	windows := make([]window, len(marks))
	for i := range marks {
		w, err := marks[i].window()
		if err != nil {
			return fmt.Errorf("mark %d: %w", i+1, err)
		}
		windows[i] = w
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range windows {
		from := &windows[i]
		a := b.account(marks[i].Key)
		w := a.findWindow(from.windowKey, from.zone)
		switch {
		case from.id > w.id:
			w.begin(from.id, from.used)
		case from.id < w.id || from.used <= w.used:
			continue
		default:
			w.used = from.used
		}
		b.touch(a)
	}
	return nil
}

// window makes a window of a mark.
func (m *Mark) window() (window, error) {
	var w window
	for k := KindQuota; k <= KindSpend; k++ {
		if k.String() == m.Kind {
			w.kind = k
		}
	}
	zone, err := time.LoadLocation(m.Zone)
	switch {
	case len(m.Key) <= len(prefix) || m.Key[:len(prefix)] != prefix:
		return w, fmt.Errorf("%q is not the key of a scope", m.Key)
	case w.kind == KindRate:
		return w, fmt.Errorf("nothing of kind %q has windows", m.Kind)
	case periodNames[m.Per] == 0:
		return w, fmt.Errorf("there are no windows of a %q", m.Per)
	case err != nil || m.Zone == "" || m.Zone == "Local":
		return w, fmt.Errorf("there is no time zone %q", m.Zone)
	case m.Window <= 0 || m.Window > maxWindow || m.Used < 0:
		return w, fmt.Errorf("window %d, used %d: out of range", m.Window, m.Used)
	}
	w.windowKey = windowKey{w.kind, periodNames[m.Per], m.Zone, Code(m.Currency)}
	w.zone, w.id, w.used = zone, m.Window, m.Used
	return w, nil
}
