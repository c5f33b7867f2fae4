//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSDKClientSeesNoDifference runs the client of go-sdk, which lists, calls, is told of progress, log messages and
// changed lists, and is asked for samples, input and roots, against the reference server of go-sdk. What it sees through
// Hopgate is what it sees directly, but for the name of who asks.
func TestSDKClientSeesNoDifference(t *testing.T) {
	type pair struct{ revision, front, up string }
	pairs := []pair{
		{"2024-11-05", "sse", "http"},
		{"2024-11-05", "sse", "stdio"},
		{"2024-11-05", "stdio", "http"},
		{"2025-03-26", "http", "http"},
		{"2025-03-26", "stdio", "stdio"},
		{"2025-06-18", "http", "stdio"},
		{"2025-06-18", "stdio", "http"},
	}
	for _, revision := range []string{legacy, modern} {
		for _, front := range []string{"http", "stdio"} {
			pairs = append(pairs, pair{revision, front, "http"}, pair{revision, front, "stdio"})
		}
	}
	for _, p := range pairs {
		t.Run(p.revision+" "+p.front+" to "+p.up, func(t *testing.T) {
			t.Parallel()
			var direct []string
			if p.front == "stdio" {
				direct = sdkClient(t, nil, "-revision", p.revision, program(t, everythingServer))
			} else { // the reference server does not speak the transport of 2024-11-05
				direct = sdkClient(t, nil, "-revision", p.revision, "-url", everything(t, home(p.revision)))
			}
			h := sample(t, "permissive-stdio.yaml", "SERVER="+program(t, everythingServer))
			if p.up == "http" {
				h = sample(t, "permissive.yaml", "UPSTREAM_URL="+everything(t, home(p.revision)))
			}
			got := h.sdkClient(t, p.front, p.revision)
			if p.revision == modern && p.front == "http" && p.up == "stdio" {
				// Agents share the process, so the progress token that it sees, and here repeats, is not theirs.
				direct, got = slices.DeleteFunc(direct, repeatsToken), slices.DeleteFunc(got, repeatsToken)
			}
			for i, line := range direct { // people are told who asks
				if strings.Contains(line, `"what":"elicitation"`) {
					direct[i] = strings.Replace(line, `"value":"\"`, `"value":"\"up asks: `, 1)
				}
			}
			slices.Sort(direct)
			if diff := cmp.Diff(direct, got); diff != "" {
				t.Errorf("through Hopgate (-direct +through):\n%s", diff)
			}
			for _, what := range []string{"tool", "progress", "log", "sampling", "elicitation", "list changed"} {
				if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, `"what":"`+what+`"`) }) {
					t.Errorf("nothing of %s was seen", what)
				}
			}
			if all := strings.Join(got, "\n"); !strings.Contains(all, "Client exposed 1 root(s): file:///home/ada/work") || !strings.Contains(all, `"`+p.revision+`"`) {
				t.Errorf("no roots, or another revision than %s:\n%s", p.revision, all)
			}
			h.verify()
		})
	}
}

// repeatsToken reports whether a line is the result that consists of the progress token.
func repeatsToken(line string) bool {
	return strings.Contains(line, `"test_tool_with_progress"`) && strings.Contains(line, `"what":"result"`)
}

// sdkClient runs the client through Hopgate.
func (h *hopgate) sdkClient(t *testing.T, front, revision string) []string {
	t.Helper()
	key := h.key("tester")
	switch front {
	case "http":
		h.serve()
		return sdkClient(t, []string{"SDKCLIENT_KEY=" + key}, "-revision", revision, "-url", h.base+"/mcp/up")
	case "sse":
		h.serve()
		return sdkClient(t, []string{"SDKCLIENT_KEY=" + key}, "-revision", revision, "-sse", h.base+"/sse/up")
	}
	cmd := h.command("stdio", "--to", "up", "--log-level", "warn")
	return sdkClient(t, append(h.env, "HOPGATE_KEY="+key), append([]string{"-revision", revision}, cmd.Args...)...)
}

// sdkClient runs the client and returns what it saw, sorted: notifications and answers race in the client itself.
func sdkClient(t *testing.T, env []string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "sdkclient"), args...)
	cmd.Env = append(os.Environ(), env...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("sdkclient %v: %v\n%s%s", args, err, words.String(), out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	return lines
}
