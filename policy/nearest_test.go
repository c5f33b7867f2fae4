package policy_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/policy"
)

func TestDidYouMean(t *testing.T) {
	known := []string{"tools", "tasks", "timeout", "deny", "from", "to", "resources", ""}
	cases := map[string]string{
		"toosl": "tools", "Tools": "tools", "tool": "tools", "task": "tasks", "timout": "timeout", "form": "from", "ressources": "resources",
		"dney": "deny", "tools": "", "quota": "", "x": "", "": "", "zz": "", strings.Repeat("tools", 20): "", "TIMEOUT": "timeout",
	}
	for name, want := range cases {
		if got := policy.Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
