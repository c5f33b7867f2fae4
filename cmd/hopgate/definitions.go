package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// Upstreams implements admin.API.
func (d desk) Upstreams(context.Context) ([]admin.Upstream, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	all := make([]admin.Upstream, len(v.file.Upstreams))
	for i, u := range v.file.Upstreams {
		a := d.watches.Of(u.Name)
		x := admin.Upstream{
			Name: u.Name, Kind: "stdio", Pin: toolscope.PinsOf(u.Upstream).String(), Counted: d.proxy != nil,
			Answered: a.Answered, Failed: a.Failed, Reason: a.Reason, Cause: a.Cause, Protocol: a.Protocol,
		}
		x.Address, x.Breaker = addressOf(u), d.breaker(u.Name)
		x.Token = d.token(u)
		if u.URL != "" {
			x.Kind = "http"
		}
		x.Pinned, x.Withheld = d.pinned(u.Name)
		for _, c := range v.file.Connections {
			if c.Upstream.Name == u.Name {
				x.Agents = append(x.Agents, c.Agent.Name)
			}
		}
		all[i] = x
	}
	return all, nil
}

// pinned counts what is kept of the definitions of an upstream: those that are relied on, and those that wait for somebody.
func (e *engine) pinned(upstream string) (relied, withheld int) {
	for _, x := range e.memory.Pins.List(upstream) {
		if x.Condition() == pin.Pinned {
			relied++
		} else {
			withheld++
		}
	}
	return relied, withheld
}

// breaker returns the state of an upstream's breaker; nil where it lets calls pass.
func (e *engine) breaker(upstream string) *admin.Breaker {
	e.mu.Lock()
	s := e.servers[upstream]
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	c := s.Condition()
	if !c.Open {
		return nil
	}
	return &admin.Breaker{Failures: c.Failures, Since: c.Since, Next: c.Next}
}

// addressOf says where an upstream is, without what may be a secret: arguments, paths and queries.
func addressOf(u *configs.Upstream) string {
	if u.URL == "" {
		return filepath.Base(u.Command[0])
	}
	parsed, err := url.Parse(u.URL)
	if err != nil {
		return ""
	}
	return parsed.Host
}

// upstreamOf finds an upstream of a configuration.
func upstreamOf(file *configs.File, name string) (*configs.Upstream, error) {
	if u := file.Upstream(name); u != nil {
		return u, nil
	}
	return nil, &because{fmt.Sprintf("%s declares no upstream %q", file.Path, name), admin.ErrNotFound}
}

// Tools implements admin.API.
func (d desk) Tools(_ context.Context, name string) ([]admin.Tool, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	u, err := upstreamOf(v.file, name)
	if err != nil {
		return nil, err
	}
	names := d.memory.Catalog.Tools(name)
	conditions := map[string]string{}
	for _, e := range d.memory.Pins.List(name) {
		if e.ID.Kind == pin.Tool && e.ID.Name != "" {
			names = append(names, e.ID.Name)
			conditions[e.ID.Name] = condition(e)
		}
	}
	slices.Sort(names)
	var all []admin.Tool
	for _, tool := range slices.Compact(names) {
		t := v.tool(name, tool)
		t.Task = u.Task(tool)
		if toolscope.PinsOf(u.Upstream) != toolscope.PinOff {
			t.Pin = cmp.Or(conditions[tool], pin.Unseen.String())
		}
		all = append(all, t)
	}
	return all, nil
}

// tool says who may call a tool, and who may not.
func (v *view) tool(upstream, name string) admin.Tool {
	t := admin.Tool{Name: name, Denied: map[string]string{}}
	for _, c := range v.file.Connections {
		if c.Upstream.Name != upstream {
			continue
		}
		if why := toolscope.Withheld(c, name); why != "" {
			t.Denied[c.Agent.Name] = why
		} else {
			t.Agents = append(t.Agents, c.Agent.Name)
		}
	}
	return t
}

func condition(e pin.Entry) string {
	if e.Gone {
		return e.Condition().String() + ", gone"
	}
	return e.Condition().String()
}

// Definitions implements admin.API.
func (d desk) Definitions(_ context.Context, name string) ([]admin.Definition, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	if _, err := upstreamOf(v.file, name); err != nil {
		return nil, err
	}
	var all []admin.Definition
	for _, e := range d.memory.Pins.List(name) {
		x := admin.Definition{
			ID: e.ID.String(), Condition: e.Condition().String(), Gone: e.Gone, Shadows: e.Shadows, Since: unixTime(e.Since),
			Changed: unixTime(e.Changed), Times: e.Times, By: e.By, Pinned: string(e.Pinned), Seen: string(e.Seen),
		}
		if e.Pinned != nil {
			x.Digest = e.Digest().String()
		}
		if w := e.Waiting(); w != nil && e.Condition() != pin.Pinned {
			x.Waiting = pin.Sum(w).String()
		}
		all = append(all, x)
	}
	return all, nil
}

// unixTime is a time of a record, which has none at 0.
func unixTime(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0)
}

// mostAccepted bounds the definitions that one record names, so that it names all of them.
const mostAccepted = 4

// Accept implements admin.API.
func (d desk) Accept(ctx context.Context, name string, all []admin.Acceptance, o admin.Order) error {
	if err := sensible(o); err != nil {
		return err
	}
	wishes := make([]pin.Wish, len(all))
	for i, a := range all {
		wishes[i] = pin.Wish{ID: pin.ParseID(a.ID), Digest: a.Digest}
	}
	if len(wishes) == 0 {
		return &because{"nothing is to be accepted", admin.ErrInvalid}
	}
	if err := d.memory.Pins.Accept(name, wishes); err != nil {
		kind := admin.ErrInvalid
		if errors.Is(err, pin.ErrUnknown) {
			kind = admin.ErrNotFound
		}
		return &because{fmt.Sprintf("upstream %s: %v", name, err), kind}
	}
	if d.proxy != nil {
		d.proxy.TellChanged()
	}
	var errs []error
	for part := range slices.Chunk(wishes, mostAccepted) {
		var items []string
		for _, w := range part {
			items = append(items, w.ID.String()+"@"+w.Digest)
		}
		facts := map[string]string{"upstream": name, "items": strings.Join(items, " "), "by": o.By, "detail": o.Reason}
		errs = append(errs, d.journal.Event(context.WithoutCancel(ctx), "definitions accepted", facts, nil))
	}
	return errors.Join(errs...)
}
