//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketsHaveShortNames(t *testing.T) {
	short, err := os.MkdirTemp("/tmp", "hg") //nolint:usetesting // a test's own directory may be too deep
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	deep := filepath.Join(short, strings.Repeat("x", 80))
	if err := os.Mkdir(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ session, temp, below string }{
		"of the session":             {short, short, filepath.Join(short, "hopgate")},
		"no session":                 {"", short, filepath.Join(short, "hopgate-")},
		"a session that is not told": {filepath.Join(short, "none"), short, filepath.Join(short, "hopgate-")},
		"a session that is too deep": {deep, short, filepath.Join(short, "hopgate-")},
		"everything is too deep":     {deep, deep, "/tmp/hopgate-"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", c.temp)
			a := &app{env: func(string) (string, bool) { return c.session, true }}
			got, err := a.sockets("/a/state")
			if err != nil || !strings.HasPrefix(got, c.below) || len(got) > 90 {
				t.Errorf("got %s, %v; want one below %s", got, err, c.below)
			}
		})
	}
}
