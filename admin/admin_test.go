package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
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
func (d *desk) Agents(context.Context) ([]admin.Agent, error) {
	return []admin.Agent{{Name: "a", Auth: "key", Keys: []admin.Credential{key.Details}}}, d.note("agents")
}

func (d *desk) AddKey(_ context.Context, agent string, ttl time.Duration) (admin.NewKey, error) {
	return key, d.note("add %s %s", agent, ttl)
}

func (d *desk) Rotate(_ context.Context, agent string, overlap time.Duration) (admin.NewKey, error) {
	return key, d.note("rotate %s %s", agent, overlap)
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

func connect(t *testing.T, d *desk) *admin.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "hg") //nolint:usetesting // t.TempDir can be longer than a socket's name may be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "d", "s")
	s, err := admin.Serve(socket, d, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
			t.Error("the socket is left behind")
		}
	})
	for path, want := range map[string]os.FileMode{filepath.Dir(socket): 0o700, socket: 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, fi.Mode(), err, want)
		}
	}
	return admin.NewClient(socket)
}

func TestClientIsTheAPIOnTheOtherSide(t *testing.T) {
	ctx := t.Context()
	cases := map[string]struct {
		call  func(*admin.Client) (any, error)
		want  any
		asked string
	}{
		"status": {func(c *admin.Client) (any, error) { return c.Status(ctx) }, admin.Status{PID: 7, Started: moment, Observe: []string{"c"}}, "status"},
		"reload": {func(c *admin.Client) (any, error) { return nil, c.Reload(ctx) }, nil, "reload"},
		"agents": {func(c *admin.Client) (any, error) { return c.Agents(ctx) }, []admin.Agent{{Name: "a", Auth: "key", Keys: []admin.Credential{key.Details}}}, "agents"},
		"add":    {func(c *admin.Client) (any, error) { return c.AddKey(ctx, "a b/c", time.Hour) }, key, "add a b/c 1h0m0s"},
		"rotate": {func(c *admin.Client) (any, error) { return c.Rotate(ctx, "a", 0) }, key, "rotate a 0s"},
		"revoke": {func(c *admin.Client) (any, error) { return c.Revoke(ctx, "a", "k 1") }, 2, `revoke a "k 1"`},
		"show":   {func(c *admin.Client) (any, error) { return c.Show(ctx, "7F3K-Q2XM-9RTA") }, []json.RawMessage{record}, "show 7F3K-Q2XM-9RTA"},
		"search": {func(c *admin.Client) (any, error) {
			return c.Search(ctx, admin.Query{Agent: "a&b", Since: moment, Limit: 3})
		}, []json.RawMessage{record}, fmt.Sprintf("search %+v", admin.Query{Agent: "a&b", Since: moment, Limit: 3})},
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

func TestNobodyAnswers(t *testing.T) {
	c := admin.NewClient(filepath.Join(t.TempDir(), "none"))
	if _, err := c.Status(t.Context()); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}
