package audit_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
)

func aStranger(remote string) *policy.Call {
	return &policy.Call{Ref: 5, Upstream: "files", Origin: policy.Origin{Transport: "http", Remote: remote}}
}

// counts returns how many records there are of each kind and source, and what the counted ones count.
func counts(t *testing.T, j *audit.Journal) map[string]int64 {
	t.Helper()
	got := map[string]int64{}
	for _, r := range all(t, j) {
		who := r.Agent + r.Remote
		got[string(r.Kind)+" "+who]++
		if r.Kind == audit.KindCounted {
			got["in all "+who+" "+r.Reason] += r.Count
		}
	}
	return got
}

func TestFloodsAreCounted(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		for second := range 3 {
			for i := range 50 {
				refuse(t, j, aStranger(fmt.Sprintf("192.0.2.1:%d", i)), policy.ReasonNobody)
				refuse(t, j, aCall(t, 1), garbage)
			}
			refuse(t, j, aStranger("192.0.2.2:1"), policy.ReasonNobody)
			for i := range 15 {
				refuse(t, j, aStranger("192.0.2.3:1"), []*policy.Reason{policy.ReasonNobody, garbage}[i%2])
			}
			if second < 2 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(2 * time.Second)
		want := map[string]int64{
			"refusal 192.0.2.2:1":              3,
			"refusal 192.0.2.3:1":              30,
			"counted 192.0.2.1":                3,
			"in all 192.0.2.1 UNAUTHENTICATED": 120,
			"counted 192.0.2.3":                3,
			"in all 192.0.2.3 ":                15, // for more than one reason
			"refusal ci-bot192.0.2.7:5123":     30,
			"counted ci-bot":                   3,
			"in all ci-bot NOT_JSON":           120,
		}
		for i := range 10 {
			want[fmt.Sprintf("refusal 192.0.2.1:%d", i)] = 3
		}
		if diff := cmp.Diff(want, counts(t, j)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// An agent answers for what it asks for and must not have: all of it is recorded in full.
func TestWhatAnAgentIsRefusedIsRecordedInFull(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		for range 100 {
			refuse(t, j, aCall(t, 1), denied)
		}
		if got := counts(t, j)["refusal ci-bot192.0.2.7:5123"]; got != 100 {
			t.Errorf("%d refusals are recorded, want 100", got)
		}
	})
}

func TestCloseRecordsWhatWasCounted(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		for range 25 {
			refuse(t, j, aStranger("192.0.2.1:1"), policy.ReasonNobody)
		}
		mustClose(t, j)
	})
	if got := counts(t, p.open(t))["in all 192.0.2.1 UNAUTHENTICATED"]; got != 15 {
		t.Errorf("%d refusals are counted, want 15", got)
	}
}

// Strangers from all over the world, for an hour: the journal grows by what they are given, their number is right, and
// no call of an agent is missing.
func TestStrangersCannotFillTheJournal(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		const seconds, hosts = 120, 1500
		for second := range seconds {
			for host := range hosts {
				refuse(t, j, aStranger(fmt.Sprintf("10.%d.%d.1:1", host/256, host%256)), policy.ReasonNobody)
			}
			begin(t, j, aCall(t, policy.Ref(second+1)))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Second)
		full, counted, intents := int64(0), int64(0), 0
		for _, r := range all(t, j) {
			counted += r.Count
			switch r.Kind {
			case audit.KindRefusal:
				full++
			case audit.KindIntent:
				intents++
			default:
			}
		}
		if full+counted != seconds*hosts || intents != seconds {
			t.Errorf("%d refusals and %d calls are on record, want %d and %d", full+counted, intents, seconds*hosts, seconds)
		}
		size := 0
		for _, name := range p.segments(t) {
			size += len(read(t, name))
		}
		// The burst, what two minutes earn, and the calls.
		if limit := 4<<20 + seconds*2<<10 + seconds*1200; size > limit {
			t.Errorf("the journal has %d bytes, more than %d", size, limit)
		}
	})
}

func TestMoreSourcesThanAreToldApartAreCountedTogether(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		for host := range 1100 {
			refuse(t, j, aStranger(fmt.Sprintf("10.%d.%d.1:1", host/256, host%256)), policy.ReasonNobody)
		}
		time.Sleep(2 * time.Second)
		got := counts(t, j)
		numbers := got["counted "] // one for each second, and a second may pass while the sources come
		if len(got) != 1024+2 || numbers < 1 || numbers > 2 || got["in all  UNAUTHENTICATED"] != 76 {
			t.Errorf("%d refusals in full and %d in %d numbers, want 1024, and 76 in one or two", len(got)-2, got["in all  UNAUTHENTICATED"], numbers)
		}
	})
}

// TestAServerCannotFillTheJournal: no rate bounds what a server says to an agent, so all that is refused of it is bounded here.
func TestAServerCannotFillTheJournal(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		for range 100 {
			c := aCall(t, 1)
			c.Direction = policy.ToAgent
			refuse(t, j, c, denied)
			refuse(t, j, aCall(t, 1), garbage) // which the agent itself sends
		}
		time.Sleep(2 * time.Second)
		full, counted := map[string]int{}, map[string]int64{}
		for _, r := range all(t, j) {
			if r.Kind == audit.KindRefusal {
				full[r.Reason]++
			}
			if r.Kind == audit.KindCounted {
				counted[r.Agent+" "+r.Upstream+" "+r.Reason] += r.Count
			}
		}
		c := aCall(t, 1)
		if diff := cmp.Diff(map[string]int{denied.Code: 10, garbage.Code: 10}, full); diff != "" {
			t.Errorf("in full (-want +got):\n%s", diff)
		}
		want := map[string]int64{c.Agent.Name + " " + c.Upstream + " " + denied.Code: 90, c.Agent.Name + "  " + garbage.Code: 90}
		if diff := cmp.Diff(want, counted); diff != "" {
			t.Errorf("by number (-want +got):\n%s", diff)
		}
	})
}
