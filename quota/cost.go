package quota

import (
	"fmt"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// UpstreamKeys are the keys of upstreams that say what calls cost.
type UpstreamKeys struct {
	Cost *Cost `yaml:"cost" doc:"What a tool call costs: a price for each, like $0.002, or a mapping. All that is given is added up. A result is priced up to the largest message that the connection takes."`
}

// Cost is what the calls of an upstream cost.
type Cost struct {
	At     policy.Pos
	Prices `yaml:",inline"`
	Tools  []ToolCost `yaml:"tools" doc:"What calls of some tools cost instead: tools by name, with * for any run of characters. The first one that fits counts, and alone."`
}

// ToolCost is what calls of some tools cost.
type ToolCost struct {
	Name   policy.Pattern `yaml:",key"`
	At     policy.Pos
	Prices Prices `yaml:",value"`
}

// Prices add up to what a call costs.
type Prices struct {
	Call        *Price    `yaml:"call,scalar" doc:"Price of each call."`
	PerArgKB    *Price    `yaml:"per_arg_kb" doc:"Price of each 1024 bytes of arguments that are begun."`
	PerResultKB *Price    `yaml:"per_result_kb" doc:"Price of each 1024 bytes of the result that are begun."`
	Argument    *Argument `yaml:"argument" doc:"Price by an argument: for each unit of a number, or for each element of a list."`
	Reported    *Reported `yaml:"reported" doc:"Price that the upstream reports in _meta of its result. Until then, and where it reports none, it is the most that it may be."`
	X402        bool      `yaml:"x402" doc:"Whether calls may carry x402 payments, which count at the signed amount: of a token of 6 decimals that is worth a US dollar. Where it is false, a call with a payment is refused if anything is priced or capped."`
	Max         *Price    `yaml:"max" doc:"The most that a call may cost, whatever the rest adds up to. What would be more is charged at this and reported. What an x402 payment signs counts besides."`
}

// Argument is a price by an argument.
type Argument struct {
	Pointer Pointer `yaml:"pointer,required" doc:"JSON pointer into the arguments, like /limit."`
	Each    Price   `yaml:"each,required" doc:"Price of each unit."`
	Absent  *Count  `yaml:"absent" doc:"Units where the argument is absent. Without it, such a call is refused."`
	At      policy.Pos
}

// Reported is a price that the upstream reports.
type Reported struct {
	Pointer  Pointer `yaml:"pointer,required" doc:"JSON pointer into _meta of the result, like /usage/cost. The value is a plain decimal, as a number or in a string."`
	Max      *Price  `yaml:"max" doc:"The most that is believed; it is reserved. What is above is charged at this and reported. It must be there, unless max of the whole call is."`
	Min      *Price  `yaml:"min" doc:"The least that is believed. Default 0."`
	Currency Code    `yaml:"currency" doc:"Currency of the reported number. Default: that of max."`
	At       policy.Pos
}

// price is what a call of some tools costs, in one currency.
type price struct {
	currency                   Code
	at                         policy.Pos
	call, argKB, resultKB, max int64 // billionths; max is the largest amount where there is none
	argument                   *Argument
	each                       int64 // billionths of the price's currency for a unit
	reported                   *Pointer
	least, most                int64    // that is believed of what is reported
	claim                      exchange // from the currency in which it is reported
	payments                   bool
	payment                    exchange // from US dollars
}

// compile brings prices into one currency: that of the first one given.
func (p *Prices) compile(r *rates, at policy.Pos) (*price, policy.Complaints) {
	out := &price{at: at, max: never, payments: p.X402}
	var wrong policy.Complaints
	convert := func(from *Price, into *int64) {
		if from == nil {
			return
		}
		if out.currency == "" {
			out.currency = from.Currency
		}
		x, complaints := r.exchange(from.Currency, out.currency, from.At)
		wrong = append(wrong, complaints...)
		if complaints == nil {
			*into = x.apply(from.Nanos)
		}
	}
	convert(p.Call, &out.call)
	convert(p.PerArgKB, &out.argKB)
	convert(p.PerResultKB, &out.resultKB)
	if p.Argument != nil {
		out.argument = p.Argument
		convert(&p.Argument.Each, &out.each)
	}
	convert(p.Max, &out.max)
	if p.Reported != nil {
		wrong = append(wrong, p.Reported.compile(r, out, convert)...)
	}
	if out.currency == "" {
		out.currency = "USD"
	}
	if p.X402 {
		var complaints policy.Complaints
		out.payment, complaints = r.exchange("USD", out.currency, at)
		wrong = append(wrong, complaints...)
	}
	return out, wrong
}

// compile takes a reported price into the price of a call. A price without a bound is refused, because no cap could hold
// it.
func (p *Reported) compile(r *rates, out *price, convert func(*Price, *int64)) policy.Complaints {
	out.reported, out.most = &p.Pointer, out.max
	convert(p.Max, &out.most)
	convert(p.Min, &out.least)
	currency := p.Currency
	switch {
	case out.most == never:
		return policy.Complaints{{
			At: p.At, Text: "nothing bounds what the upstream may report",
			Hint: "add max, e.g. reported: {pointer: " + p.Pointer.Text + ", max: $0.50}",
		}}
	case out.least > out.most:
		return policy.Complaints{{At: p.Min.At, Text: "min is more than max", Hint: "lower min, or raise max"}}
	case currency == "" && p.Max != nil:
		currency = p.Max.Currency
	case currency == "":
		currency = out.currency
	}
	var complaints policy.Complaints
	out.claim, complaints = r.exchange(currency, out.currency, p.At)
	return complaints
}

// fixed is what is known of a call's price before it is sent: what it costs, and what it pays by itself.
func (p *price) fixed(c *policy.Call) (sum, paid int64, reason *policy.Reason) {
	args := arguments(c.Frame)
	sum = add(p.call, scale(p.argKB, kilobytes(len(args)), 1))
	if a := p.argument; a != nil {
		units, ok := a.units(c.Frame.Get(wire.ParamsArguments))
		if !ok {
			return 0, 0, reasonPrice
		}
		sum = add(sum, scale(p.each, units, nano))
	}
	paid, ok := payment(c.Frame)
	if !ok || paid > 0 && !p.payments {
		return 0, 0, reasonPayment
	}
	if paid > 0 {
		paid = p.payment.apply(paid)
	}
	return sum, paid, nil
}

// units is how many units an argument stands for, in billionths.
func (a *Argument) units(args []byte) (int64, bool) {
	raw := a.Pointer.find(args)
	switch {
	case raw == nil && a.Absent != nil:
		return scale(a.Absent.N, nano, 1), true
	case len(raw) > 0 && raw[0] == '[':
		n := int64(0)
		for range wire.Elements(raw) {
			n++
		}
		return scale(n, nano, 1), true
	case len(raw) > 0 && raw[0] != '"':
		return decimal(raw)
	default:
		return 0, false
	}
}

// bound is the most that a call can cost of which a part is known, but for what it pays by itself.
func (p *price) bound(fixed int64, frame int) int64 {
	sum := add(fixed, scale(p.resultKB, kilobytes(frame), 1))
	if p.reported != nil {
		sum = add(sum, p.most)
	}
	return min(sum, p.max)
}

// goOn takes in a result that is not the last of its call. What the upstream reports in it counts besides what it will
// report at the end.
func (p *price) goOn(h *hold, result *wire.Frame) {
	h.fixed = add(h.fixed, scale(p.resultKB, kilobytes(len(answered(result))), 1))
	if p.reported == nil {
		return
	}
	if n, ok := decimal(p.reported.find(result.Get(wire.ResultMeta))); ok {
		h.told = add(h.told, p.claim.apply(n))
	}
}

// actual is what a call that was answered has cost, before the bound. What the upstream reports is believed between the
// least and the most; more than that is an overrun. Where it reports nothing that can be read, it is the most.
func (p *price) actual(h *hold, result *wire.Frame) (sum int64, overrun string) {
	sum = add(h.fixed, scale(p.resultKB, kilobytes(len(answered(result))), 1))
	if p.reported == nil {
		return sum, ""
	}
	claimed := p.most
	if n, ok := decimal(p.reported.find(result.Get(wire.ResultMeta))); ok {
		claimed = max(add(h.told, p.claim.apply(n)), p.least)
	}
	if claimed > p.most {
		overrun = fmt.Sprintf("reported %s %s, of which %s count", formatNanos(claimed), p.currency, formatNanos(p.most))
	}
	return add(sum, min(claimed, p.most)), overrun
}
