package quota_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
)

// TestTeamsShareAmongThemselvesAlone has agents of two teams of one organisation use up what is theirs.
func TestTeamsShareAmongThemselvesAlone(t *testing.T) {
	b := newBook(t)
	from := func(agent, team, to string) *link {
		return mustConnect(t, b, setup{
			as: agent, of: team, to: to, upstream: cost(quota.Prices{Call: price("$1")}),
			agent: one("spend", &quota.SpendKeys{Spend: budgets("$4/month")}),
			team:  one("spend", &quota.SpendKeys{Spend: budgets("$6/month")}),
			org:   one("spend", &quota.SpendKeys{Spend: budgets("$9/month")}),
		})
	}
	links := []*link{
		from("a", "red", "up"), from("a", "red", "other"), from("b", "red", "up"), from("c", "blue", "up"), from("d", "blue", "up"),
	}
	for i, want := range []struct {
		passed int
		by     string
	}{
		{4, "agent a: 4 USD/month"}, {0, "agent a: 4 USD/month"}, {2, "team red: 6 USD/month"}, {3, "org acme: 9 USD/month"}, {0, "org acme: 9 USD/month"},
	} {
		if n, d := links[i].tries(t, "x", noon); n != want.passed || d.Detail != want.by {
			t.Errorf("connection %d: %d calls passed, then %q; want %+v", i, n, d.Detail, want)
		}
	}
	var connections []*policy.Connection
	for _, l := range links {
		connections = append(connections, l.Connection)
	}
	got := map[string]int64{}
	for _, u := range b.Usage(connections...) {
		if u.Kind != quota.KindSpend {
			continue
		}
		if _, again := got[u.Place]; again {
			t.Errorf("%s is listed twice", u.Place)
		}
		got[u.Place] = u.Reserved / unit
	}
	for place, want := range map[string]int64{"agent a": 4, "agent b": 2, "agent c": 3, "agent d": 0, "team red": 6, "team blue": 3, "org acme": 9} {
		if got[place] != want {
			t.Errorf("%s: %d reserved, want %d", place, got[place], want)
		}
	}
}

// TestAConnectionIsKnownByItsEnds has an admin rename a connection whose limits are used up.
func TestAConnectionIsKnownByItsEnds(t *testing.T) {
	b := newBook(t)
	s := setup{rate: quota.RateKeys{Quota: calls("1/day")}}
	mustConnect(t, b, s).tries(t, "x", noon)
	s.name = "renamed"
	l := mustConnect(t, b, s)
	if got := l.try(t, "x", noon); got != "QUOTA_EXCEEDED" {
		t.Errorf("got %q", got)
	}
	s.to = "other"
	if got := mustConnect(t, b, s).try(t, "x", noon); got != "" {
		t.Errorf("another connection: %s", got)
	}
}

func TestLongPatternsAreNotTakenForEachOther(t *testing.T) {
	long := strings.Repeat("x", 400)
	l := mustConnect(t, newBook(t), setup{tools: append(toolRate(long+"a", "1/day"), toolRate(long+"b", "1/day")...)})
	for _, tool := range []string{long + "a", long + "b"} {
		if n, _ := l.tries(t, tool, noon); n != 1 {
			t.Errorf("%d calls passed", n)
		}
	}
}
