//go:build unix

package upstream_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
)

func TestConfinedChildIsAChildLikeOthers(t *testing.T) {
	c := childConfig("environ", "a b", "$HOME")
	c.Dir = t.TempDir()
	c.Rules = sandbox.Rules{Limits: sandbox.Limits{Files: 100}}
	if with := (sandbox.Rules{Limits: c.Rules.Limits, Files: &sandbox.Files{Read: []string{c.Dir}}}); with.Check() == nil {
		c.Rules = with
	}
	raw, err := call(t, open(t, newServer(t, c)), request(t, "1", "x"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Result struct{ Args, FDs, Dir string }
	}
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		t.Fatal(err)
	}
	if r := got.Result; r.Args != "a b|$HOME" || r.FDs != "0,1,2" || r.Dir != c.Dir {
		t.Errorf("got %+v", r)
	}
}

func TestChildThatIsAnotherProgramIsNotStarted(t *testing.T) {
	c := childConfig("serve")
	c.Rules.Digest = strings.Repeat("0", 64)
	if _, err := newServer(t, c).Open(t.Context()); !errors.Is(err, upstream.ErrUnavailable) || !errors.Is(err, sandbox.ErrDigest) {
		t.Errorf("got %v, want ErrUnavailable and ErrDigest", err)
	}
}

func TestChildThatCannotBeConfinedIsNotStarted(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("neither a program nor a script"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := childConfig("serve")
	c.Command = []string{program}
	c.Rules.Limits.Files = 100
	if _, err := newServer(t, c).Open(t.Context()); !errors.Is(err, upstream.ErrUnavailable) || !strings.Contains(err.Error(), "starting the program") {
		t.Errorf("got %v, want ErrUnavailable and the reason", err)
	}
}
