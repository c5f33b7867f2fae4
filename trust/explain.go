package trust

import (
	"time"
)

// Explanation is how a score has come about, and what would raise it. It is for operators alone: who is judged by a score
// is not to know it.
type Explanation struct {
	Agent    string `json:"agent,omitempty"`
	Upstream string `json:"upstream,omitempty"`
	Standing
	Base        int        `json:"base"`        // points that the party began with
	Earned      int        `json:"earned"`      // points of its credit
	Reliability int        `json:"reliability"` // thousandths that failures leave of these
	Leniency    int        `json:"leniency"`    // thousandths that violations leave of them
	Penalty     int        `json:"penalty"`     // weight of the violations, in thousandths; 1000 halves the score
	Causes      []Cause    `json:"causes"`      // the latest first
	Prospects   []Prospect `json:"prospects"`   // in the order in which they were asked for
}

// Cause is why a score has changed: what happened with one code, all together.
type Cause struct {
	Code   string    `json:"code"`
	Times  int       `json:"times"`
	Effect int       `json:"effect"` // points, as they were when it happened
	Last   time.Time `json:"last"`
	Ref    string    `json:"ref,omitempty"` // of the record of the last
}

// Prospect is what would bring a score to a minimum.
type Prospect struct {
	Min int `json:"min"`
	// Reached says that the score is there.
	Reached bool `json:"reached,omitempty"`
	// After is the time until it is there without new violations and failures, where the credit is kept up. It is 0 where
	// time alone does not do.
	After time.Duration `json:"after,omitempty"`
	// Credits are those that are missing once violations and failures are forgotten, and Days how many days it takes at
	// least to earn them. Both are 0 where time alone does.
	Credits int `json:"credits,omitempty"`
	Days    int `json:"days,omitempty"`
	// Operator says that only an operator can do it.
	Operator bool `json:"operator,omitempty"`
}

// Explain says how the score of a party has come about, and what would bring it to each of some minima.
func (b *Book) Explain(p Party, minima ...int) (Explanation, error) {
	x := Explanation{Causes: []Cause{}, Prospects: []Prospect{}}
	if p.IsUpstream() {
		x.Upstream = p.name
	} else {
		x.Agent = p.name
	}
	if b.assumed != nil {
		return x, ErrUnknown
	}
	now := b.clock().Unix()
	x.Standing, _ = b.look(p, now)
	t, params, c, _ := b.peek(p)
	switch c {
	case Unknown:
		return x, ErrUnknown
	case Damaged:
		return x, nil
	default:
	}
	t.advance(now, &params.rules)
	x.Base = int(t.start)
	x.Earned = int(t.points()>>pointBits) - x.Base
	x.Reliability = int(mul(1000, t.reliability()))
	x.Leniency = int(mul(1000, t.leniency()))
	x.Penalty = int(t.penalty * 1000 / penaltyOne) // at most 16000 << 48
	x.Causes = b.causes(p)
	for _, m := range minima {
		x.Prospects = append(x.Prospects, x.prospect(t, m, &params.rules))
	}
	return x, nil
}

// causes copies the causes of a party.
func (b *Book) causes(p Party) []Cause {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[p]
	all := []Cause{}
	if e == nil || e.rec == nil {
		return all
	}
	for i := len(e.rec.causes) - 1; i >= 0; i-- {
		c := &e.rec.causes[i]
		x := Cause{Code: c.code, Times: int(c.times), Effect: int(c.effect), Last: time.Unix(c.at, 0).UTC()}
		if c.ref != 0 {
			x.Ref = c.ref.String()
		}
		all = append(all, x)
	}
	return all
}

// prospect says what would bring a tally to a minimum. With the credit kept up time only raises the score, so the moment
// can be searched for with the arithmetic that will decide.
func (x *Explanation) prospect(t tally, score int, r *rules) Prospect {
	p := Prospect{Min: score}
	switch {
	case x.Condition == Sound && x.Score >= score:
		p.Reached = true
		return p
	case x.Condition != Sound || score >= most:
		p.Operator = true
		return p
	}
	const horizon = 10 * 365 * day // by then everything is forgotten
	after := least(horizon, func(elapsed uint64) bool {
		later := t
		later.mend(elapsed, r)
		return later.score() >= score
	})
	if after < horizon {
		p.After = time.Duration(after) * time.Second
		return p
	}
	clean := tally{start: t.start}
	needed := least(creditMost, func(credit uint64) bool {
		clean.credit = credit
		return clean.score() >= score
	})
	missing := needed - min(needed, t.credit)
	p.Credits = int((missing + unit - 1) / unit)
	perDay := r.perDay * unit
	p.Days = int((missing - min(missing, t.allowed) + perDay - 1) / perDay)
	// Where a day takes all that a day can earn, no work gets there.
	if lost := needed - fade(day, r.creditLife).of(needed); lost >= perDay {
		p.Credits, p.Days, p.Operator = 0, 0, true
	}
	return p
}
