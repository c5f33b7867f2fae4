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
// Hopgate is what it sees directly.
func TestSDKClientSeesNoDifference(t *testing.T) {
	for _, revision := range []string{legacy, modern} {
		for _, front := range []string{"http", "stdio"} {
			for _, up := range []string{"http", "stdio"} {
				t.Run(revision+" "+front+" to "+up, func(t *testing.T) {
					t.Parallel()
					var direct []string
					if front == "http" {
						direct = sdkClient(t, nil, "-revision", revision, "-url", everything(t, home(revision)))
					} else {
						direct = sdkClient(t, nil, "-revision", revision, program(t, everythingServer))
					}
					h := sample(t, "permissive-stdio.yaml", "SERVER="+program(t, everythingServer))
					if up == "http" {
						h = sample(t, "permissive.yaml", "UPSTREAM_URL="+everything(t, home(revision)))
					}
					got := h.sdkClient(t, front, revision)
					if revision == modern && front == "http" && up == "stdio" {
						// Agents share the process, so the progress token that it sees, and here repeats, is not theirs.
						direct, got = slices.DeleteFunc(direct, repeatsToken), slices.DeleteFunc(got, repeatsToken)
					}
					named := 0
					for i, line := range got { // whose question it is, Hopgate says before it
						got[i] = strings.Replace(line, `"up asks: `, `"`, 1)
						if got[i] != line {
							named++
						}
					}
					if slices.Sort(got); named == 0 {
						t.Error("no question names who asks")
					}
					if diff := cmp.Diff(direct, got); diff != "" {
						t.Errorf("through Hopgate (-direct +through):\n%s", diff)
					}
					for _, what := range []string{"tool", "progress", "log", "sampling", "elicitation", "list changed"} {
						if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, `"what":"`+what+`"`) }) {
							t.Errorf("nothing of %s was seen", what)
						}
					}
					if all := strings.Join(got, "\n"); !strings.Contains(all, "Client exposed 1 root(s): file:///home/ada/work") || !strings.Contains(all, `"`+revision+`"`) {
						t.Errorf("no roots, or another revision than %s:\n%s", revision, all)
					}
					h.verify()
				})
			}
		}
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
	if front == "http" {
		h.serve()
		return sdkClient(t, []string{"SDKCLIENT_KEY=" + key}, "-revision", revision, "-url", h.base+"/mcp/up")
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
