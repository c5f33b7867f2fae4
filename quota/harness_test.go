package quota_test

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

// noon is a Monday.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// read fills a value from the text that an admin would write.
func read[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](text string) T {
	var v T
	if err := P(&v).UnmarshalText([]byte(text)); err != nil {
		panic(text + ": " + err.Error())
	}
	return v
}

func ref[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](text string) *T {
	v := read[T, P](text)
	return &v
}

func buckets(texts ...string) (all []quota.Bucket) {
	for i, text := range texts {
		b := read[quota.Bucket](text)
		b.At = line(10 + i)
		all = append(all, b)
	}
	return all
}

func calls(texts ...string) (all []quota.Allowance) {
	for i, text := range texts {
		most, zone, _ := strings.Cut(text, " ")
		a := quota.Allowance{Max: read[quota.Calls](most), At: line(20 + i)}
		if zone != "" {
			a.Zone = read[quota.Zone](zone)
		}
		all = append(all, a)
	}
	return all
}

func budgets(texts ...string) (all []quota.Budget) {
	for i, text := range texts {
		all = append(all, quota.Budget{Max: read[quota.Cap](text), At: line(30 + i)})
	}
	return all
}

func spans(texts ...string) (all []quota.Schedule) {
	for i, text := range texts {
		s := read[quota.Schedule](text)
		s.At = line(40 + i)
		all = append(all, s)
	}
	return all
}

func line(n int) policy.Pos { return policy.Pos{File: "t.yaml", Line: n, Col: 1} }

// setup is a configuration of one connection, from agent bot of team crew of org acme to upstream up.
type setup struct {
	rate                            quota.RateKeys
	hours                           quota.HoursKeys
	size                            quota.SizeKeys
	spend                           quota.SpendKeys
	tools                           []policy.Scope
	agent, team, org, upstream, all policy.Settings
	sampling                        policy.Settings
	name, as, of, to                string // of the connection, its agent, team and upstream, where they are others
}

// link is a connection with all gates of this package over one book.
type link struct {
	*policy.Connection
	book *quota.Book
}

func specs(b *quota.Book) []policy.Spec {
	return []policy.Spec{quota.Refusals(b), quota.Hours(b), quota.Size(b), quota.Rate(b), quota.Spend(b)}
}

func (s *setup) connect(b *quota.Book) (*link, error) {
	org := &policy.Org{Name: "acme", Settings: s.org}
	team := &policy.Team{Name: cmp.Or(s.of, "crew"), Org: org, Settings: s.team}
	c := &policy.Connection{
		Name: cmp.Or(s.name, "c"), Agent: &policy.Agent{Name: cmp.Or(s.as, "bot"), Team: team, Settings: s.agent},
		Upstream: &policy.Upstream{Name: cmp.Or(s.to, "up"), Settings: s.upstream}, Tools: s.tools, File: s.all, Sampling: s.sampling,
		Limits: wire.DefaultLimits, At: line(99),
	}
	c.Limits.Frame = 64 << 10
	var wrong policy.Complaints
	for _, spec := range specs(b) {
		keys := spec.Config()
		switch k := keys.(type) {
		case *quota.RateKeys:
			*k = s.rate
		case *quota.HoursKeys:
			*k = s.hours
		case *quota.SizeKeys:
			*k = s.size
		case *quota.SpendKeys:
			*k = s.spend
		}
		gate, err := spec.Build(c, keys)
		var complaints policy.Complaints
		switch {
		case errors.As(err, &complaints):
			wrong = append(wrong, complaints...)
		case err != nil:
			return nil, err
		case gate != nil:
			c.Gates = append(c.Gates, policy.Named{Name: spec.Name, Gate: gate})
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	return &link{c, b}, nil
}

func mustConnect(tb testing.TB, b *quota.Book, s setup) *link {
	tb.Helper()
	l, err := s.connect(b)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// newBook opens an empty book.
func newBook(tb testing.TB) *quota.Book {
	tb.Helper()
	return openBook(tb, nil, nil)
}

func openBook(tb testing.TB, state store.Reader, tell func(quota.Event)) *quota.Book {
	tb.Helper()
	b, err := quota.Open(state, func() time.Time { return noon }, tell)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// toolCall makes a call of a tool.
func (l *link) toolCall(tb testing.TB, tool, args string, at time.Time) *policy.Call {
	tb.Helper()
	return l.message(tb, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, tool, args), at)
}

func (l *link) message(tb testing.TB, method, params string, at time.Time) *policy.Call {
	tb.Helper()
	f := parse(tb, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params), wire.FromAgent)
	return &policy.Call{
		Time: at, Agent: l.Agent, Connection: l.Connection, Upstream: "up", Frame: f, Method: method, Target: f.String(wire.ParamsName),
	}
}

func parse(tb testing.TB, raw string, from wire.Side) *wire.Frame {
	tb.Helper()
	f := new(wire.Frame)
	if err := wire.Parse(f, []byte(raw), from, &wire.DefaultLimits); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return f
}

// answered is the report of a call that the upstream answered.
func answered(tb testing.TB, result string) *policy.Report {
	tb.Helper()
	return &policy.Report{Status: policy.StatusOK, Result: parse(tb, `{"jsonrpc":"2.0","id":1,"result":`+result+`}`, wire.FromUpstream)}
}

// decision is what became of a call so far.
type decision struct {
	policy.Outcome
	settle policy.Settle
}

func (l *link) decide(tb testing.TB, c *policy.Call) *decision {
	tb.Helper()
	_, out, settle := policy.Decide(tb.Context(), c)
	return &decision{out, settle}
}

func (d *decision) code() string {
	if d.Reason == nil {
		return ""
	}
	return d.Reason.Code
}

func (d *decision) end(tb testing.TB, r *policy.Report) {
	tb.Helper()
	if err := d.settle(tb.Context(), &d.Outcome, r); err != nil {
		tb.Fatal(err)
	}
}

// try makes a call of a tool and returns the code of the refusal. The call stays under way.
func (l *link) try(tb testing.TB, tool string, at time.Time) string {
	tb.Helper()
	return l.decide(tb, l.toolCall(tb, tool, "{}", at)).code()
}

// tries makes calls of a tool until one is refused, and returns how many passed and what refused.
func (l *link) tries(tb testing.TB, tool string, at time.Time) (passed int, d *decision) {
	tb.Helper()
	for range 10_000 {
		if d = l.decide(tb, l.toolCall(tb, tool, "{}", at)); !d.Allowed {
			return passed, d
		}
		passed++
	}
	tb.Fatal("nothing refuses")
	return 0, nil
}

// save writes the changes of a book to a store, as the journal does.
func save(tb testing.TB, b *quota.Book, into *store.Memory) {
	tb.Helper()
	var puts []store.Put
	b.Changes(func(p store.Put) {
		puts = append(puts, store.Put{Key: append([]byte{}, p.Key...), Value: append([]byte{}, p.Value...)})
	})
	if err := into.Apply(into.Position()+1, puts); err != nil {
		tb.Fatal(err)
	}
}
