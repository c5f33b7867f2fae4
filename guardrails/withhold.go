package guardrails

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// holdable reports whether the result of a call can be held: it is a result, of something that an agent can ask for once
// more, and asks for nothing itself.
func holdable(c *policy.Call, f *wire.Frame) bool {
	if c.Direction != policy.ToUpstream || f.Kind != wire.KindResult || f.Has(wire.ResultInputRequests) || f.Has(wire.ResultRequestState) {
		return false
	}
	switch c.Method {
	case "tools/call", "prompts/get", "resources/read":
		return true
	}
	return false
}

// same is the keyed digest of a call: its method, its target, and its arguments, however they are written down.
func (k *keys) same(c *policy.Call) ([]byte, error) {
	var arguments []byte
	if raw := c.Frame.Get(wire.ParamsArguments); raw != nil {
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		var v any
		err := d.Decode(&v)
		if err == nil {
			arguments, err = json.Marshal(v)
		}
		if err != nil {
			return nil, errors.New("reading the arguments of a call")
		}
	}
	return sum(k.hashing, []byte("held"), []byte(c.Agent.Name), []byte(c.Connection.Name), []byte(c.Method), []byte(c.Target), arguments), nil
}

// hold withholds a result until a person has decided about it.
func (s *scan) hold(g *gate, c *policy.Call, f *wire.Frame, why *causes) (policy.Verdict, error) {
	plain := s.refuse(why, "", acts)
	if !holdable(c, f) {
		return plain, nil
	}
	v := s.refuse(why, "", func(x *sighting) bool { return x.do == Hold })
	keep := keepDefault
	for i := range s.found {
		if x := &s.found[i]; x.do == Hold {
			keep = x.rule.keep
		}
	}
	v.Reason = reasonHeld
	if plain.Reason.Always {
		v.Reason = reasonSecretHeld
	}
	if c.Trace != nil || !v.Reason.Always && observed(c) {
		return v, nil
	}
	k, err := g.vault.need()
	if err != nil {
		return policy.Verdict{}, err
	}
	call, err := k.same(c)
	if err != nil {
		return policy.Verdict{}, err
	}
	now, result := g.vault.Clock().Unix(), f.Get(wire.Result)
	err = g.vault.hold(&held{Held: Held{
		Ref: c.Ref.String(), Agent: c.Agent.Name, Connection: c.Connection.Name, Method: c.Method, Target: c.Target, State: HeldWaiting,
		Since: now, Until: now + seconds(keep), Keep: seconds(keep), Size: len(result), Found: v.Detail, Rule: v.At.String(), Call: call,
	}}, result)
	if errors.Is(err, errRoom) {
		plain.Detail = errRoom.Error() + ": " + plain.Detail
		return plain, nil
	}
	return v, err
}

// answer gives a call the result that is held for it, in the place of an answer of the server, or refuses it as long as
// nobody has decided: to make it once more could do once more what it does.
func (g *gate) answer(c *policy.Call, v policy.Verdict) (policy.Verdict, error) {
	if c.Direction != policy.ToUpstream || c.Frame.Kind != wire.KindRequest || c.Round > 0 || g.vault.holds.Load() == 0 {
		return v, nil
	}
	k, err := g.vault.need()
	if err != nil {
		return policy.Verdict{}, err
	}
	call, err := k.same(c)
	if err != nil {
		return policy.Verdict{}, err
	}
	to := c.Ref
	if c.Trace != nil {
		to = 0
	}
	h, waits := g.vault.claim(c.Agent.Name, c.Connection.Name, call, to)
	switch {
	case h == nil:
		return v, nil
	case waits:
		return policy.Refuse(reasonWaits, policy.Pos{}, "the result of this call is held under "+h.Ref), nil
	case c.Trace != nil:
		return v, nil
	}
	settle := func(_ context.Context, _ *policy.Outcome, r *policy.Report) error {
		if r == nil {
			g.vault.unclaim(h.Ref)
			return nil
		}
		return g.vault.drop(h.Ref)
	}
	v.Settle = settle
	v.Findings = append(v.Findings, policy.Finding{Detail: "answered with the result that was held under " + h.Ref})
	result, err := g.vault.content(h.Ref)
	if err != nil {
		return v, fmt.Errorf("handing a held result over: %w", err)
	}
	v.Answer = result
	return v, nil
}
