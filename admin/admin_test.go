package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/admin"
)

// desk is an API that notes what it was asked.
type desk struct {
	asked string
	err   error
}

func (d *desk) note(format string, args ...any) error {
	d.asked = fmt.Sprintf(format, args...)
	return d.err
}

var (
	moment = time.Date(2026, 11, 23, 9, 0, 0, 5, time.UTC)
	key    = admin.NewKey{Key: "hga_x", Details: admin.Credential{ID: "k1", State: "active", Created: moment}}
	record = json.RawMessage(`{"seq":1,"detail":"a b"}`)
)

func (d *desk) Status(context.Context) (admin.Status, error) {
	return admin.Status{PID: 7, Started: moment, Observe: []string{"c"}}, d.note("status")
}
func (d *desk) Reload(context.Context) error { return d.note("reload") }
func (d *desk) AcceptRollback(_ context.Context, reason string) error {
	return d.note("accept %q", reason)
}

func (d *desk) Agents(context.Context) ([]admin.Agent, error) {
	return []admin.Agent{{Name: "a", Auth: "key", Keys: []admin.Credential{key.Details}}}, d.note("agents")
}

func (d *desk) AddKey(_ context.Context, agent string, ttl time.Duration) (admin.NewKey, error) {
	return key, d.note("add %s %s", agent, ttl)
}

func (d *desk) Rotate(_ context.Context, agent string, overlap time.Duration) (admin.NewKey, error) {
	return key, d.note("rotate %s %s", agent, overlap)
}

func (d *desk) Untaint(_ context.Context, agent string) error {
	return d.note("untaint %s", agent)
}

func (d *desk) Revoke(_ context.Context, agent, key string) (int, error) {
	return 2, d.note("revoke %s %q", agent, key)
}

func (d *desk) Search(_ context.Context, q admin.Query) ([]json.RawMessage, error) {
	return []json.RawMessage{record}, d.note("search %+v", q)
}

func (d *desk) Show(_ context.Context, ref string) ([]json.RawMessage, error) {
	return []json.RawMessage{record}, d.note("show %s", ref)
}

func (d *desk) Tail(_ context.Context, n int, follow bool) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		err := d.note("tail %d %v", n, follow)
		if yield(record, nil) && err != nil {
			yield(nil, err)
		}
	}
}

func (d *desk) Connections(context.Context) ([]admin.Connection, error) {
	return []admin.Connection{{Name: "c", Hour: admin.Window{Reasons: map[string]uint64{"X": 1}}}}, d.note("connections")
}

func (d *desk) Limits(context.Context) ([]admin.Limit, error) {
	return []admin.Limit{{Place: "team t", Max: 1 << 62, Resets: moment}}, d.note("limits")
}

func (d *desk) Explain(_ context.Context, q admin.Question) (admin.Explanation, error) {
	return admin.Explanation{Reason: "X", Steps: []admin.Step{{Gate: "g"}}}, d.note("explain %s %s %s %v", q.Agent, q.Args, q.Time.Format(time.RFC3339Nano), *q.Score)
}

func (d *desk) Scores(context.Context) ([]admin.Standing, error) {
	return []admin.Standing{{Party: admin.Party{Name: "a"}, Score: 7}}, d.note("scores")
}

func (d *desk) Score(_ context.Context, p admin.Party) (admin.Score, error) {
	return admin.Score{Standing: admin.Standing{Party: p, Score: 7}, Details: record}, d.note("score %s", p)
}

func (d *desk) Adjust(_ context.Context, p admin.Party, a admin.Adjustment, o admin.Order) (admin.Adjusted, error) {
	to := -1
	if a.To != nil {
		to = *a.To
	}
	return admin.Adjusted{Before: 1, After: 2}, d.note("adjust %s to %d by %d for %s: %s", p, to, a.By, o.By, o.Reason)
}

func (d *desk) Quarantine(_ context.Context, p admin.Party, o admin.Order) error {
	return d.note("quarantine %s for %s: %s", p, o.By, o.Reason)
}

func (d *desk) Release(_ context.Context, p admin.Party, o admin.Order) error {
	return d.note("release %s for %s: %s", p, o.By, o.Reason)
}

func (d *desk) Upstreams(context.Context) ([]admin.Upstream, error) {
	return []admin.Upstream{{Name: "u", Pinned: 3, Failed: moment}}, d.note("upstreams")
}

func (d *desk) Tools(_ context.Context, upstream string) ([]admin.Tool, error) {
	return []admin.Tool{{Name: "t", Denied: map[string]string{"a": "X"}}}, d.note("tools %s", upstream)
}

func (d *desk) BeginLogin(_ context.Context, upstream, redirect string) (admin.Login, error) {
	return admin.Login{Address: "https://a?b=c&d", Issuer: "i"}, d.note("login %s %s", upstream, redirect)
}

func (d *desk) FinishLogin(_ context.Context, upstream string, answer url.Values, by string) error {
	return d.note("finish %s %s for %s", upstream, answer.Encode(), by)
}

func (d *desk) Logout(_ context.Context, upstream string, o admin.Order) (admin.Logout, error) {
	return admin.Logout{Why: "w"}, d.note("logout %s for %s: %s", upstream, o.By, o.Reason)
}

func (d *desk) Definitions(_ context.Context, upstream string) ([]admin.Definition, error) {
	return []admin.Definition{{ID: "t", Seen: `{"a":"<b>"}`}}, d.note("definitions %s", upstream)
}

func (d *desk) Accept(_ context.Context, upstream string, all []admin.Acceptance, o admin.Order) error {
	return d.note("accept %v of %s for %s: %s", all, upstream, o.By, o.Reason)
}

func connect(t *testing.T, d *desk) *admin.Client {
	t.Helper()
	return admin.NewClient(serve(t, d, anybody), anybody)
}

// anybody and nobody say who is known.
func anybody(*net.UnixConn) error { return nil }
func nobody(*net.UnixConn) error  { return errors.New("a stranger") }

// serve puts an API behind a socket.
func serve(t *testing.T, d *desk, known admin.Known) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hg") //nolint:usetesting // t.TempDir and TMPDIR can be longer than a socket's name may be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	s := admin.Serve(l, known, d, zerolog.Nop())
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return socket
}

func TestClientIsTheAPIOnTheOtherSide(t *testing.T) {
	ctx := t.Context()
	zero, order := 0, admin.Order{By: "me", Reason: "because"}
	cases := map[string]struct {
		call  func(*admin.Client) (any, error)
		want  any
		asked string
	}{
		"status":  {func(c *admin.Client) (any, error) { return c.Status(ctx) }, admin.Status{PID: 7, Started: moment, Observe: []string{"c"}}, "status"},
		"reload":  {func(c *admin.Client) (any, error) { return nil, c.Reload(ctx) }, nil, "reload"},
		"accept":  {func(c *admin.Client) (any, error) { return nil, c.AcceptRollback(ctx, "a b") }, nil, `accept "a b"`},
		"agents":  {func(c *admin.Client) (any, error) { return c.Agents(ctx) }, []admin.Agent{{Name: "a", Auth: "key", Keys: []admin.Credential{key.Details}}}, "agents"},
		"add":     {func(c *admin.Client) (any, error) { return c.AddKey(ctx, "a b/c", time.Hour) }, key, "add a b/c 1h0m0s"},
		"rotate":  {func(c *admin.Client) (any, error) { return c.Rotate(ctx, "a", 0) }, key, "rotate a 0s"},
		"untaint": {func(c *admin.Client) (any, error) { return nil, c.Untaint(ctx, "a b") }, nil, "untaint a b"},
		"revoke":  {func(c *admin.Client) (any, error) { return c.Revoke(ctx, "a", "k 1") }, 2, `revoke a "k 1"`},
		"show":    {func(c *admin.Client) (any, error) { return c.Show(ctx, "7F3K-Q2XM-9RTA") }, []json.RawMessage{record}, "show 7F3K-Q2XM-9RTA"},
		"search": {func(c *admin.Client) (any, error) {
			return c.Search(ctx, admin.Query{Agent: "a&b", Since: moment, Limit: 3})
		}, []json.RawMessage{record}, fmt.Sprintf("search %+v", admin.Query{Agent: "a&b", Since: moment, Limit: 3})},
		"connections": {
			func(c *admin.Client) (any, error) { return c.Connections(ctx) },
			[]admin.Connection{{Name: "c", Hour: admin.Window{Reasons: map[string]uint64{"X": 1}}}},
			"connections",
		},
		"limits": {func(c *admin.Client) (any, error) { return c.Limits(ctx) }, []admin.Limit{{Place: "team t", Max: 1 << 62, Resets: moment}}, "limits"},
		"explain": {func(c *admin.Client) (any, error) {
			return c.Explain(ctx, admin.Question{Agent: "a", Args: record, Time: moment, Score: &zero})
		}, admin.Explanation{Reason: "X", Steps: []admin.Step{{Gate: "g"}}}, "explain a " + string(record) + " 2026-11-23T09:00:00.000000005Z 0"},
		"scores": {func(c *admin.Client) (any, error) { return c.Scores(ctx) }, []admin.Standing{{Party: admin.Party{Name: "a"}, Score: 7}}, "scores"},
		"score": {
			func(c *admin.Client) (any, error) { return c.Score(ctx, admin.Party{Name: "u/ v", Upstream: true}) },
			admin.Score{Standing: admin.Standing{Party: admin.Party{Name: "u/ v", Upstream: true}, Score: 7}, Details: record},
			"score upstream u/ v",
		},
		"adjust to": {func(c *admin.Client) (any, error) {
			return c.Adjust(ctx, admin.Party{Name: "a"}, admin.Adjustment{To: &zero}, order)
		}, admin.Adjusted{Before: 1, After: 2}, "adjust agent a to 0 by 0 for me: because"},
		"adjust by": {func(c *admin.Client) (any, error) {
			return c.Adjust(ctx, admin.Party{Name: "a"}, admin.Adjustment{By: -50}, order)
		}, admin.Adjusted{Before: 1, After: 2}, "adjust agent a to -1 by -50 for me: because"},
		"quarantine": {
			func(c *admin.Client) (any, error) {
				return nil, c.Quarantine(ctx, admin.Party{Name: "u", Upstream: true}, order)
			}, nil, "quarantine upstream u for me: because",
		},
		"upstreams": {
			func(c *admin.Client) (any, error) { return c.Upstreams(ctx) }, []admin.Upstream{{Name: "u", Pinned: 3, Failed: moment}}, "upstreams",
		},
		"login": {
			func(c *admin.Client) (any, error) { return c.BeginLogin(ctx, "u/ v", "http://127.0.0.1:1/x") },
			admin.Login{Address: "https://a?b=c&d", Issuer: "i"},
			"login u/ v http://127.0.0.1:1/x",
		},
		"finish a login": {
			func(c *admin.Client) (any, error) {
				return nil, c.FinishLogin(ctx, "u", url.Values{"code": {"&"}, "state": {"s"}}, "me")
			}, nil, "finish u code=%26&state=s for me",
		},
		"logout": {func(c *admin.Client) (any, error) { return c.Logout(ctx, "u", order) }, admin.Logout{Why: "w"}, "logout u for me: because"},
		"tools": {
			func(c *admin.Client) (any, error) { return c.Tools(ctx, "u/ v") }, []admin.Tool{{Name: "t", Denied: map[string]string{"a": "X"}}}, "tools u/ v",
		},
		"definitions": {
			func(c *admin.Client) (any, error) { return c.Definitions(ctx, "u") }, []admin.Definition{{ID: "t", Seen: `{"a":"<b>"}`}}, "definitions u",
		},
		"accept definitions": {func(c *admin.Client) (any, error) {
			return nil, c.Accept(ctx, "u", []admin.Acceptance{{ID: "t", Digest: "d"}}, order)
		}, nil, "accept [{t d}] of u for me: because"},
		"release": {func(c *admin.Client) (any, error) { return nil, c.Release(ctx, admin.Party{Name: "a"}, order) }, nil, "release agent a for me: because"},
		"tail": {func(c *admin.Client) (any, error) {
			var all []json.RawMessage
			for r, err := range c.Tail(ctx, 5, true) {
				if err != nil {
					return nil, err
				}
				all = append(all, r)
			}
			return all, nil
		}, []json.RawMessage{record}, "tail 5 true"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := &desk{}
			client := connect(t, d)
			got, err := c.call(client)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if d.asked != c.asked {
				t.Errorf("asked %s, want %s", d.asked, c.asked)
			}
			for want, sent := range map[error]error{
				admin.ErrNotFound: fmt.Errorf("agent x: %w", admin.ErrNotFound), admin.ErrInvalid: admin.ErrInvalid, nil: errors.New("broken"),
			} {
				d.err = sent
				_, err := c.call(client)
				if err == nil || want != nil && name != "tail" && !errors.Is(err, want) {
					t.Errorf("%v arrives as %v", sent, err)
				}
			}
		})
	}
}

func TestOrdersThatAreNotUnderstoodAreNotObeyed(t *testing.T) {
	d := &desk{}
	socket := serve(t, d, anybody)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	for name, body := range map[string]string{
		"unknown member": `{"name":"a","too":900,"by":"me","reason":"r"}`,
		"not JSON":       `{`,
		"wrong type":     `{"name":"a","to":"900"}`,
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := client.Post("http://hopgate/v1/trust/adjust", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest || d.asked != "" {
				t.Errorf("got %s, and the API was asked %q", resp.Status, d.asked)
			}
		})
	}
	client.CloseIdleConnections()
}

func TestNobodyAnswers(t *testing.T) {
	c := admin.NewClient(filepath.Join(t.TempDir(), "none"), anybody)
	if _, err := c.Status(t.Context()); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestStrangersAreNotTalkedTo(t *testing.T) {
	for name, x := range map[string]struct{ server, client admin.Known }{
		"a stranger asks":    {server: nobody, client: anybody},
		"a stranger answers": {server: anybody, client: nobody},
	} {
		t.Run(name, func(t *testing.T) {
			d := &desk{}
			if _, err := admin.NewClient(serve(t, d, x.server), x.client).Status(t.Context()); err == nil || d.asked != "" {
				t.Errorf("got %v, and the API was asked %q", err, d.asked)
			}
		})
	}
}
