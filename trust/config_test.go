package trust_test

import (
	"encoding"
	"testing"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/trust"
)

// TestKeysSayTheirBounds reads texts at both ends of each key's bounds, and just outside.
func TestKeysSayTheirBounds(t *testing.T) {
	cases := map[string]struct {
		key  encoding.TextUnmarshaler
		good []string
		bad  []string
		hint string
	}{
		"min":         {new(trust.Points), []string{"0", "1000"}, []string{"1001", "-1", "5.5", "07", "+7", "", "high"}, "it is a whole number, 0 to 1000"},
		"below":       {new(trust.Below), []string{"block"}, []string{"approve", ""}, "write block, or leave the key out"},
		"start":       {new(trust.StartScore), []string{"0", "800"}, []string{"801", "-1", "1e2", "00", "99999999999"}, "it is a whole number, 0 to 800"},
		"per_day":     {new(trust.DailyCredits), []string{"1", "100"}, []string{"0", "101"}, "it is a whole number, 1 to 100"},
		"penalty":     {new(trust.PenaltyLife), []string{"1d", "24h", "12w", "90d"}, []string{"23h", "91d", "0d", "1.5d", "1d12h", "7"}, "it is 1d to 90d, in whole h, d or w"},
		"credit":      {new(trust.CreditLife), []string{"1d", "365d"}, []string{"366d", "53w"}, "it is 1d to 365d, in whole h, d or w"},
		"reliability": {new(trust.ReliabilityLife), []string{"1h", "30d"}, []string{"31d", "721h"}, "it is 1h to 30d, in whole h, d or w"},
		"low":         {new(trust.LowWeight), []string{"0.01", "0.25", "0.250"}, []string{"0.009", "0.251", ".1", "0.0100", "1e-1"}, "it is 0.01 to 0.25, with up to three digits behind the point"},
		"medium":      {new(trust.MediumWeight), []string{"0.25", "1"}, []string{"0.249", "1.001"}, "it is 0.25 to 1, with up to three digits behind the point"},
		"high":        {new(trust.HighWeight), []string{"1", "3.000"}, []string{"0.999", "3.001"}, "it is 1 to 3, with up to three digits behind the point"},
		"critical":    {new(trust.CriticalWeight), []string{"3", "8"}, []string{"2.999", "8.5", "999.999"}, "it is 3 to 8, with up to three digits behind the point"},
		"worth":       {new(trust.Worth), []string{"0", "1"}, []string{"1.001", "-0.1"}, "it is 0 to 1, with up to three digits behind the point"},
	}
	for name, c := range cases {
		for _, text := range c.good {
			if err := c.key.UnmarshalText([]byte(text)); err != nil {
				t.Errorf("%s: %q: %v", name, text, err)
			}
		}
		for _, text := range c.bad {
			err := c.key.UnmarshalText([]byte(text))
			hinted, ok := err.(interface{ Hint() string })
			if !ok || hinted.Hint() != c.hint {
				t.Errorf("%s: %q: %v, not the hint %q", name, text, err, c.hint)
			}
		}
	}
}

func TestEachParameterCounts(t *testing.T) {
	cases := map[string]struct {
		set  func(*trust.Section)
		do   func(*world)
		want int
	}{
		"defaults": {
			func(*trust.Section) {},
			func(w *world) { w.pass(day); w.succeed("write", 200); w.violate(policy.High, 1); w.pass(7 * day) }, 340, // (500 + 500 * 17/117) * 2^-0.75
		},
		"start": {
			func(s *trust.Section) { s.Start = read[trust.StartScore](t, "300") },
			func(*world) {}, 300,
		},
		"penalty half-life": {
			func(s *trust.Section) { s.HalfLife = &trust.HalfLife{Penalty: read[trust.PenaltyLife](t, "1d")} },
			func(w *world) { w.violate(policy.High, 1); w.pass(day) }, 297, // 500 * 2^-0.75
		},
		"credit half-life": {
			func(s *trust.Section) { s.HalfLife = &trust.HalfLife{Credit: read[trust.CreditLife](t, "1d")} },
			func(w *world) { w.pass(day); w.succeed("delete", 20); w.pass(day) }, 545, // 10 credits are left
		},
		"reliability half-life": {
			func(s *trust.Section) {
				s.HalfLife = &trust.HalfLife{Reliability: read[trust.ReliabilityLife](t, "1h")}
			},
			func(w *world) { w.fail("write", 20); w.pass(day / 24) }, 333, // 10 failures are left: 20/30
		},
		"weights": {
			func(s *trust.Section) {
				s.Weights = &trust.Weights{
					Low: read[trust.LowWeight](t, "0.2"), Medium: read[trust.MediumWeight](t, "0.3"),
					High: read[trust.HighWeight](t, "1"), Critical: read[trust.CriticalWeight](t, "3"),
				}
			},
			func(w *world) {
				w.violate(policy.Low, 1)
				w.violate(policy.Medium, 1)
				w.violate(policy.High, 1)
				w.violate(policy.Critical, 1)
				if err := w.Release(trust.Agent(bot), orders); err != nil {
					t.Fatal(err)
				}
			}, 22, // 500 * 2^-4.5
		},
		"earnings": {
			func(s *trust.Section) {
				s.Earn = &trust.Earn{
					PerDay: read[trust.DailyCredits](t, "100"), Read: read[trust.Worth](t, "0.1"),
					Write: read[trust.Worth](t, "0.5"), Destructive: read[trust.Worth](t, "0"),
				}
			},
			func(w *world) {
				w.pass(day)
				w.succeed("read", 100)
				w.succeed("write", 30)
				w.succeed("delete", 1000)
			}, 600, // 25 credits
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Book = nil
			w.reopen(t)
			w.Register(params(t, c.set), []string{bot}, []string{hub})
			c.do(w)
			if got := w.score(); got != c.want {
				t.Errorf("the score is %d, want %d", got, c.want)
			}
		})
	}
}

func TestSpecHasItsKeysWhereTheyBelong(t *testing.T) {
	spec := trust.Spec(newWorld(t).Book)
	for place, want := range map[policy.Place]bool{
		policy.OnFile: true, policy.OnTool: true, policy.OnTask: true, policy.OnAgent: false, policy.OnTeam: false, policy.OnOrg: false, policy.OnUpstream: false,
	} {
		if got := spec.ConfigOn(place) != nil; got != want {
			t.Errorf("keys at place %d: %v, want %v", place, got, want)
		}
	}
	codes := map[string]bool{}
	for _, r := range spec.Reasons {
		if codes[r.Code] || r.Hint == "" || r.Answer == nil || r.Answer.Code != "ACCESS_PAUSED" || r.Severity != policy.Info {
			t.Errorf("the reason %s is not in order", r.Code)
		}
		codes[r.Code] = true
	}
}
