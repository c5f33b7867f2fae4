package main

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// recordTime bounds how long a list waits for the record of what is new in it.
const recordTime = 30 * time.Second

// definitions puts on record what an upstream was first seen to define, and what of it has changed.
func (e *engine) definitions(n pin.News) error {
	event := "definitions pinned"
	switch {
	case n.Withheld():
		event = "definitions withheld"
		e.log.Warn().Str("upstream", n.Upstream).Str("definitions", n.Summary()).Msg("definitions of an upstream are withheld")
	case len(n.Pinned) == 0:
		event = "definitions gone"
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	return e.journal.Event(ctx, event, map[string]string{"upstream": n.Upstream, "agent": n.Agent, "detail": n.Summary()}, nil)
}

// neighbours says which other upstreams an agent can reach that can reach one. It is nil where nothing is pinned.
func neighbours(file *configs.File) func(string) []string {
	pins := func(u *configs.Upstream) bool { return toolscope.PinsOf(u.Upstream) != toolscope.PinOff }
	if !slices.ContainsFunc(file.Upstreams, pins) {
		return nil
	}
	return func(upstream string) []string {
		agents, others := map[string]bool{}, map[string]bool{}
		for _, c := range file.Connections {
			agents[c.Agent.Name] = agents[c.Agent.Name] || c.Upstream.Name == upstream
		}
		for _, c := range file.Connections {
			if agents[c.Agent.Name] && c.Upstream.Name != upstream {
				others[c.Upstream.Name] = true
			}
		}
		return slices.Sorted(maps.Keys(others))
	}
}
