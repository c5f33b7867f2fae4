//go:build unix

package upstream_test

import (
	"os"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestChildStartsWhereTheAgentWorks(t *testing.T) {
	ours, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	theirs, configured := t.TempDir(), t.TempDir()
	for name, c := range map[string]struct{ configured, in, want string }{
		"nobody says where":         {want: ours},
		"the agent says where":      {in: theirs, want: theirs},
		"the configuration does":    {configured: configured, want: configured},
		"the configuration decides": {configured: configured, in: theirs, want: configured},
	} {
		t.Run(name, func(t *testing.T) {
			config := childConfig("environ")
			config.Dir = c.configured
			s := newServer(t, config).In(c.in)
			for kind, l := range map[string]upstream.Link{"session": open(t, s), "shared": stateless(t, s)} {
				got, err := call(t, l, request(t, "1", "x"))
				if err != nil || !strings.Contains(got, `"dir":"`+c.want+`"`) {
					t.Errorf("%s: got %s, %v; want it in %s", kind, got, err, c.want)
				}
			}
		})
	}
}
