package guardrails_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// written is a configuration around profiles and the keys of a connection.
func written(guardrails, connection string) string {
	return "version: 1\nagents: { a: { auth: key } }\nupstreams: { u: { url: 'https://u.example/mcp' } }\n" + guardrails +
		"connections:\n  c: { from: a, to: u" + connection + " }\n"
}

func load(t *testing.T, text string) (*configs.File, error) {
	t.Helper()
	return loadWith(newVault(), text)
}

func loadWith(v *guardrails.Vault, text string) (*configs.File, error) {
	return configs.Parse("hopgate.yaml", []byte(text), configs.Options{
		Gates: []policy.Spec{guardrails.Spec(v, guardrails.NewBook())}, Env: func(string) (string, bool) { return "", false },
	})
}

func TestProfilesAreReadFromYAML(t *testing.T) {
	const customer = `
guardrails:
  customer-data:
    - { find: [secret], in: both, do: block }
    - { find: [email, phone, iban, card, us-ssn], in: result, do: redact }
    - { find: injection, in: result, do: block, at: medium }
    - find:
        regex: 'ACME-[0-9]{8}'
        name: customer-id
        examples: [see ACME-12345678]
        counterexamples: [ACME-1]
      in: args
      do: block
      except: [u/get_account]
    - { on_unscannable: log }
`
	f, err := load(t, written(customer, ", guard: customer-data"))
	if err != nil {
		t.Fatal(err)
	}
	c := f.Connections[0]
	if _, o := send(t, c, fill(ask, "about ACME-00112233 please")); o.Allowed || !strings.Contains(o.Detail, "customer-id") {
		t.Errorf("the operator's rule does not act: %+v", o)
	}
	if _, o := send(t, c, strings.Replace(fill(ask, "about ACME-00112233"), `"name":"t"`, `"name":"get_account"`, 1)); !o.Allowed {
		t.Errorf("the exception does not hold: %s", o.Detail)
	}
	if out, o := answer(t, c, fill(said, email)); !o.Allowed || !strings.Contains(out, "[email#1]") {
		t.Errorf("got %s, %+v", out, o)
	}
}

func TestMistakesInProfilesAreTold(t *testing.T) {
	cases := map[string]struct{ guardrails, connection, want string }{
		"unknown profile":    {"", ", guard: strickt", `did you mean "strict"?`},
		"unknown finding":    {"guardrails: { p: [{ find: emial, do: log }] }\n", ", guard: p", `did you mean "email"?`},
		"nothing to do":      {"guardrails: { p: [{ find: email }] }\n", ", guard: p", "does not say what to do"},
		"no surrogate":       {"guardrails: { p: [{ find: us-passport, do: surrogate }] }\n", ", guard: p", "would be found again"},
		"surrogate of all":   {"guardrails: { p: [{ find: pii, do: surrogate }] }\n", ", guard: p", "name what is to have surrogates"},
		"surrogate of own":   {"guardrails: { p: [{ find: { name: n, words: [xyz], examples: [xyz], counterexamples: [y] }, do: surrogate }] }\n", ", guard: p", "a rule of your own"},
		"scope of no hash":   {"guardrails: { p: [{ find: email, do: mask, scope: agent }] }\n", ", guard: p", "scope is for do: hash"},
		"restore nothing":    {"guardrails: { p: [{ find: email, do: redact, restore: ['t:/q'] }] }\n", ", guard: p", "restore is for do: tokenize"},
		"restore nowhere":    {"guardrails: { p: [{ find: email, do: tokenize, restore: [t] }] }\n", ", guard: p", "write TOOL:/ARGUMENT"},
		"keep nothing":       {"guardrails: { p: [{ find: email, do: redact, keep: 1h }] }\n", ", guard: p", "keep is for do: tokenize and do: hold"},
		"hold an argument":   {"guardrails: { p: [{ find: email, do: hold }] }\n", ", guard: p", "only results can be held"},
		"keep for too long":  {"guardrails: { p: [{ find: email, do: tokenize, keep: 91d }] }\n", ", guard: p", "1m to 90d"},
		"unknown scope":      {"guardrails: { p: [{ find: email, do: hash, scope: team }] }\n", ", guard: p", "is not connection, agent, upstream or all"},
		"empty":              {"guardrails: { p: [] }\n", ", guard: p", "no rule"},
		"no name":            {"guardrails: { p: [{ find: { words: [x], examples: [x], counterexamples: [y] }, do: log }] }\n", ", guard: p", "needs a name"},
		"known name":         {"guardrails: { p: [{ find: { name: email, words: [xyz], examples: [xyz], counterexamples: [y] }, do: log }] }\n", ", guard: p", "known already"},
		"wrong example":      {"guardrails: { p: [{ find: { name: n, words: [xyz], examples: [abc], counterexamples: [y] }, do: log }] }\n", ", guard: p", "does not find its example"},
		"no examples":        {"guardrails: { p: [{ find: { name: n, words: [xyz] }, do: log }] }\n", ", guard: p", "examples"},
		"two of one name":    {"guardrails: { p: [{ find: [{ name: n, words: [xyz], examples: [xyz], counterexamples: [y] }, { name: n, words: [abc], examples: [abc], counterexamples: [y] }], do: log }] }\n", ", guard: p", "two rules"},
		"mixed rule":         {"guardrails: { p: [{ find: email, on_unscannable: log }] }\n", ", guard: p", "on_unscannable"},
		"profile of nothing": {"guardrails: { p: [{ do: log }] }\n", ", guard: p", "find"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, written(x.guardrails, x.connection))
			if err == nil {
				t.Fatal("no mistake is told")
			}
			var text strings.Builder
			if d := (configs.Diagnostics{}); errors.As(err, &d) {
				_ = d.Render(&text, false) // a builder takes all
			}
			if !strings.Contains(text.String(), x.want) {
				t.Errorf("got %s, want %s", &text, x.want)
			}
		})
	}
}

// TestEveryEntityHasAName holds the table of names to what the detectors know.
func TestEveryEntityHasAName(t *testing.T) {
	all, err := guardrails.Compile(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	entities := []string{"STREET_ADDRESS", "exfiltration", "own-credential"} // of rules that are described under other names, or not always there
	detectors, err := detect.New(detect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range slices.Concat(all.Rules(), detectors.Rules()) { // as people call them, and as the detectors do
		entities = append(entities, r.Entity)
	}
	for _, entity := range entities {
		name := strings.ToLower(strings.ReplaceAll(entity, "_", "-"))
		find := guardrails.Rule{Find: []guardrails.Find{{Known: name}}, Do: guardrails.Log}
		if _, err := guardrails.Compile(&guardrails.FileKeys{Guardrails: []guardrails.Profile{profile("p", find)}}, nil); err != nil {
			missing = append(missing, entity)
		}
	}
	slices.Sort(missing)
	if missing = slices.Compact(missing); missing != nil {
		t.Errorf("without a name: %v", missing)
	}
}
