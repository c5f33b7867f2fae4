package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Defaults and bounds of the language.
const (
	defaultAddr    = "127.0.0.1:7070"
	defaultTimeout = 5 * time.Minute
	minTimeout     = time.Second
	maxTimeout     = 24 * time.Hour
	defaultKeep    = 180 * 24 * time.Hour
	minKeep        = 24 * time.Hour

	defaultIdle     = 30 * time.Minute
	maxIdle         = 7 * 24 * time.Hour
	defaultLifetime = 24 * time.Hour
	maxLifetime     = 90 * 24 * time.Hour
	minSession      = time.Second
)

// compiler turns what was decoded into a File, and reports what is not sound. It compiles what it can of a file with
// mistakes, to find all of them.
type compiler struct {
	report  *report
	gates   []policy.Spec
	base    string          // folder of the file
	broken  map[string]bool // paths of entries that were not decoded whole; nothing is built on them
	spoiled map[string]bool // gates whose keys at the top of the file were not decoded whole; none of them is built
	shared  policy.Settings // of the file
	group   groups
	said    map[Named]bool // those in file.Named
	file    *File
}

func (c *compiler) compile(doc *document) {
	if doc.Version.At.Line > 0 && doc.Version.N != 1 {
		c.report.fail(CodeValue, doc.Version.At, "version", fmt.Sprintf("unknown version %d", doc.Version.N), "write version: 1")
	}
	c.listener(&doc.Listen.MCP)
	c.file.Limits = c.limits("limits", &doc.Limits, wire.DefaultLimits, false)
	c.store(doc.Store)
	c.file.Audit.Keep = c.duration("audit.keep", doc.Audit.Keep, defaultKeep, minKeep, 0)
	c.anchor(doc.Audit.Anchor)
	c.file.Sessions.Idle = c.duration("sessions.idle", doc.Sessions.Idle, defaultIdle, minSession, maxIdle)
	c.file.Sessions.Lifetime = c.duration("sessions.lifetime", doc.Sessions.Lifetime, defaultLifetime, minSession, maxLifetime)
	c.shared = doc.Gates
	c.groups(doc)
	for i := range doc.Agents {
		c.agent(&doc.Agents[i])
	}
	for i := range doc.Upstreams {
		c.upstream(&doc.Upstreams[i])
	}
	c.file.Own = credentials(c.file.Upstreams)
	if keys := &doc.Defaults.Connection; keys.Gates != nil {
		c.keys("defaults.connection", keys)
	}
	c.connections(doc.Connections)
	c.tests(doc.Tests)
	c.unused()
}

// duration checks a duration against bounds; an upper bound of 0 is none.
func (c *compiler) duration(path string, d *duration, absent, least, most time.Duration) time.Duration {
	switch {
	case d == nil || d.At.Line == 0: // absent, or not readable, which is reported already
		return absent
	case d.Duration < least:
		c.report.fail(CodeValue, d.At, path, "the duration is too short", "it is at least "+short(least))
	case most > 0 && d.Duration > most:
		c.report.fail(CodeValue, d.At, path, "the duration is too long", "it is at most "+short(most))
	}
	return d.Duration
}

// short writes a bound as people write it.
func short(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.String()
}

// limits applies limits to those that hold around them. Where they only tighten, a wider one is an error.
func (c *compiler) limits(path string, l *limits, around wire.Limits, tighten bool) wire.Limits {
	out := around
	set := func(key string, at policy.Pos, value int, into *int, least, most int) {
		switch {
		case at.Line == 0: // it was not readable, which is reported already
		case value < least || value > most:
			c.report.fail(CodeValue, at, path+"."+key, fmt.Sprintf("%d is out of range", value),
				fmt.Sprintf("it is %d to %d", least, most))
		case tighten && value > *into:
			c.report.fail(CodeValue, at, path+"."+key, fmt.Sprintf("%d is wider than the limit of the file, %d", value, *into),
				"a connection may only tighten; raise the limit at the top of the file")
		default:
			*into = value
		}
	}
	if l.Frame != nil {
		set("frame", l.Frame.At, l.Frame.Bytes, &out.Frame, 1<<10, 64<<20)
	}
	if l.Depth != nil {
		set("depth", l.Depth.At, l.Depth.N, &out.Depth, 16, 1000)
	}
	if l.Keys != nil {
		set("keys", l.Keys.At, l.Keys.N, &out.Keys, 64, 1_000_000)
		if !tighten {
			out.UpstreamKeys = max(out.UpstreamKeys, out.Keys)
		}
	}
	if l.UpstreamKeys != nil {
		set("upstream_keys", l.UpstreamKeys.At, l.UpstreamKeys.N, &out.UpstreamKeys, 64, 5_000_000)
	}
	if l.Name != nil {
		set("name", l.Name.At, l.Name.N, &out.Name, 64, 1024)
	}
	return out
}

func (c *compiler) store(t text) {
	if t.At.Line == 0 {
		return
	}
	scheme, rest, ok := strings.Cut(t.Text, "://")
	switch {
	case t.Text == "":
		c.report.fail(CodeValue, t.At, "store", "the state directory is empty", "")
	case !ok:
		c.file.Store = c.relative("store", t)
	case scheme != "badger":
		c.report.fail(CodeValue, t.At, "store", "unknown kind of store", "write badger:///absolute/path, or a path")
	case !filepath.IsAbs(rest):
		c.report.fail(CodeValue, t.At, "store", "the state directory is not an absolute path",
			"write badger:///absolute/path with three slashes, or a path without badger:")
	default:
		c.file.Store = filepath.Clean(rest)
	}
}

func (c *compiler) anchor(t text) {
	const path = "audit.anchor"
	if t.At.Line == 0 {
		return
	}
	anchor := c.relative(path, t)
	if anchor == "" {
		c.report.fail(CodeValue, t.At, path, "the name of the anchor is empty", "leave the key out for a file beside the state directory")
		return
	}
	if in, err := filepath.Rel(c.file.Store, anchor); c.file.Store != "" && err == nil && filepath.IsLocal(in) {
		c.report.fail(CodeValue, t.At, path, "the anchor lies in the state directory",
			"put it where whatever is done to the state directory is not done to it too")
	}
	c.file.Audit.Anchor = anchor
}

// relative resolves a path against the folder of the file.
func (c *compiler) relative(path string, t text) string {
	if t.Text == "" || filepath.IsAbs(t.Text) {
		return t.Text
	}
	if strings.HasPrefix(t.Text, "~") {
		c.report.warn(CodeSuspect, t.At, path, "~ is not your home here, but a folder beside this file", "write ${env:HOME}")
	}
	return filepath.Join(c.base, t.Text)
}

func (c *compiler) agent(a *agent) {
	c.file.Agents = append(c.file.Agents, &Agent{Agent: &policy.Agent{Name: string(a.Name), Team: c.team(a), Settings: a.Gates, At: a.At}, Auth: a.Auth})
	c.file.agents[string(a.Name)] = c.file.Agents[len(c.file.Agents)-1]
}

// unused warns of what is declared and leads nowhere. It does so only in a file without errors, in which nothing is
// missing for another reason.
func (c *compiler) unused() {
	if c.report.raised > 0 {
		return
	}
	c.unusedGroups()
	agents, upstreams := map[string]bool{}, map[string]bool{}
	for _, k := range c.file.Connections {
		agents[k.Agent.Name], upstreams[k.Upstream.Name] = true, true
	}
	for _, a := range c.file.Agents {
		if !agents[a.Name] {
			c.report.warn(CodeUnused, a.At, "agents."+a.Name, "no connection leads from this agent", "")
		}
	}
	for _, u := range c.file.Upstreams {
		if !upstreams[u.Name] {
			c.report.warn(CodeUnused, u.At, "upstreams."+u.Name, "no connection leads to this upstream", "")
		}
	}
}

// known tells the name nearest to one that is not declared, or what is.
func (c *compiler) known(name string, names []string, section string) string {
	if hint := c.report.suggest(name, names); hint != "" {
		return hint
	}
	if len(names) == 0 {
		return "nothing is declared under " + section
	}
	const most = 6
	if names = slices.Clone(names); len(names) > most {
		names = append(names[:most], "...")
	}
	return section + ": " + strings.Join(names, ", ")
}

// plainError is an error of the file system without the path that the message names already.
func plainError(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
