package trust

import "github.com/hopgate/hopgate/policy"

const (
	// hammerEvery is the seconds in which hammering counts once. A loop that does not wait is one mistake, not thousands.
	hammerEvery = 60 * 60
	// normal is the reliability from which an upstream counts as known to work, in Q63: 0.9.
	normal = one / 10 * 9
)

// Observe takes in what became of a call. r is nil where the call was refused and not sent. What counts, against whom,
// and how much is decided here:
//   - A refusal counts against the agent by the severity of its reason; of severity Info it says nothing. Refusals of rate
//     and spend are of that kind; to go on hammering is not, and counts once in an hour.
//   - A call that does work and succeeds counts for the agent and for the upstream, in the class of its task type.
//   - No usable answer, an internal error, and a result that is refused count against the upstream alone.
//   - What a guardrail cuts out and would have refused as a violation of medium severity or more is a low one of whoever sent
//     it, once in an hour. Such a call earns nothing. What is cut out by a milder reason, such as personal data, says nothing.
//   - An error that says the request was wrong is a failure of the agent. A tool's own error, and any other, is one only
//     where the upstream is known to work; it never counts against the upstream, because agents cause it at will.
//   - A critical violation puts an agent into quarantine. An upstream it does not: else an agent that makes an upstream
//     repeat its words could shut out all others.
//
// It changes memory alone and keeps none of its arguments.
func (b *Book) Observe(c *policy.Call, o *policy.Outcome, r *policy.Report) {
	if b.assumed != nil || c.Agent == nil {
		return
	}
	now := b.clock().Unix()
	b.mu.Lock()
	defer b.mu.Unlock()
	x := attribute(c, o, r, &b.params.classes)
	if c.Connection == nil {
		// Without a connection the upstream is a name that the agent has said.
		b.take(Agent(c.Agent.Name), &x.agent, c.Ref, now)
		return
	}
	up := Upstream(c.Connection.Upstream.Name)
	if !x.disputed || b.normal(up, now) {
		b.take(Agent(c.Agent.Name), &x.agent, c.Ref, now)
	}
	b.take(up, &x.upstream, c.Ref, now)
}

// normal reports whether an upstream is known to work.
func (b *Book) normal(p Party, now int64) bool {
	e := b.entries[p]
	if e == nil || e.rec == nil || now < e.rec.at-late {
		return false
	}
	t := e.rec.tally
	t.advance(now, &b.params.rules)
	return t.reliability() >= normal
}

// take counts an event. Nothing can be counted where the record is missing: the party is not trusted already.
func (b *Book) take(p Party, ev *event, ref policy.Ref, now int64) {
	e := b.entries[p]
	if ev.none() || e == nil || e.rec == nil {
		return
	}
	rec, rules := e.rec, &b.params.rules
	rec.advance(now, rules)
	b.touch(e)
	if ev.good {
		rec.succeed(ev.class, rules)
		return
	}
	before := rec.shown()
	if ev.bad {
		rec.fail(ev.class)
	}
	if rec.counts(ev) {
		rec.violate(rules.weight[ev.severity])
	}
	if ev.severity == policy.Critical && !p.IsUpstream() {
		rec.quarantined = true
	}
	rec.note(cause{at: now, ref: ref, code: ev.code, effect: int64(rec.shown() - before)})
}

// counts reports whether a violation weighs anything now.
func (r *record) counts(ev *event) bool {
	if !ev.hammering {
		return true
	}
	if r.hammered != 0 && r.at < r.hammered+hammerEvery {
		return false
	}
	r.hammered = r.at
	return true
}

// shown is the score as it counts, at the time of the tally.
func (r *record) shown() int {
	if r.quarantined {
		return 0
	}
	return r.score()
}
