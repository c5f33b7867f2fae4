package ingress_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// reason is one of the transport's.
func reason(t *testing.T, code string) *policy.Reason {
	t.Helper()
	all := ingress.Reasons()
	i := slices.IndexFunc(all, func(r *policy.Reason) bool { return r.Code == code })
	if i < 0 {
		t.Fatalf("there is no reason %s", code)
	}
	return all[i]
}

// TestRefusalsOnTheWire is the table of what agents see: each answer, for each kind of method, in both eras.
func TestRefusalsOnTheWire(t *testing.T) {
	rated := &policy.Answer{Code: "RATED", Text: "Not done.", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 429, HTTP: 200}
	answers := []*policy.Answer{
		policy.AnswerNotPermitted, policy.AnswerUnknown, policy.AnswerUnavailable, policy.AnswerUnauthenticated, policy.AnswerForbidden,
		reason(t, "ORIGIN_NOT_ALLOWED").Answer, rated,
	}
	var b strings.Builder
	for _, a := range answers {
		for _, method := range []string{"tools/call", "prompts/get", "resources/read", ""} {
			for _, modern := range []bool{false, true} {
				r := ingress.Refusal{Reason: &policy.Reason{Code: "INTERNAL_NAME", Answer: a}, Ref: 1 << 30, Method: method, Modern: modern}
				if method != "" {
					r.ID = []byte(`"7"`)
				}
				if a == rated {
					r.Wait = 22100 * time.Millisecond
				}
				raw := r.Append(nil)
				if !json.Valid(raw) {
					t.Errorf("not JSON: %s", raw)
				}
				if strings.Contains(string(raw), "INTERNAL_NAME") {
					t.Errorf("the internal reason shows: %s", raw)
				}
				fmt.Fprintf(&b, "%s %s modern=%v: %d\n%s\n", a.Code, method, modern, r.Status(), raw)
			}
		}
	}
	const golden = "testdata/refusals.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Error(d)
	}
}

func TestRefusalCarriesData(t *testing.T) {
	r := ingress.Refusal{Reason: reason(t, "DUPLICATE_HEADER"), ID: []byte("1"), Modern: true, Data: []byte(`{"supported":["a"]}`)}
	var got struct {
		Error struct {
			Data map[string]any `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(r.Append(nil), &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.Error.Data["supported"]) != "[a]" || got.Error.Data["hopgate/denial"] == nil {
		t.Errorf("got %v", got.Error.Data)
	}
}
