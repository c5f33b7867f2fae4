package guardrails_test

import (
	"encoding/base64"
	hexcode "encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/policy"
)

// Values by which servers know Hopgate. No detector would take them for secrets where they stand alone.
const (
	bearer = "kestrel-over-" + "the-long-barn-7"
	phrase = "correct horse " + "battery staple"
	dsn    = "Wq7" + "pLm2Zx"
)

const ownYAML = `
version: 1
agents: { a: { auth: key } }
upstreams:
  u: { url: 'https://u.example/mcp' }
  v:
    url: 'https://v.example/mcp'
    headers: { X-Access: "${env:BEARER}", X-Tenant: platform-payments-core, X-Zone: "${env:ZONE}" }
  w:
    command: [serve, --token, "${env:DASHED}", --root, /srv/data/files]
    env: { SIGNING_SECRET: "${env:PHRASE}", DB: "postgres://app:${env:DSN}@db.internal/x", NODE_ENV: production, PORT_TOKEN: "12345678", TOKEN_FILE: /run/secrets/token }
GUARDRAILS
connections:
  c: { from: a, to: [u, v, w] GUARD }
`

// owned loads a configuration with credentials and returns the connection to the upstream that has none.
func owned(t *testing.T, book *guardrails.Book, guards ...string) *policy.Connection {
	t.Helper()
	env := map[string]string{"BEARER": "Bearer " + bearer, "PHRASE": phrase, "DSN": dsn, "ZONE": "production", "DASHED": "x7Tq-9pLw-2mZr"}
	text := strings.ReplaceAll(strings.ReplaceAll(ownYAML, "GUARDRAILS", strings.Join(guards, "")), "GUARD", "")
	if len(guards) > 0 {
		text = strings.Replace(text, "[u, v, w] ", "[u, v, w], guard: p", 1)
	}
	f, err := configs.Parse("hopgate.yaml", []byte(text), configs.Options{
		Gates: []policy.Spec{guardrails.Spec(newVault(), book)},
		Env:   func(n string) (string, bool) { v, ok := env[n]; return v, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f.Connection("a", "u")
}

func TestOwnCredentialsAreSecretsEverywhere(t *testing.T) {
	c := owned(t, guardrails.NewBook())
	for name, value := range map[string]string{"header": bearer, "variable": phrase, "password in a variable": dsn, "argument of the command": "x7Tq-9pLw-2mZr"} {
		for form, text := range map[string]string{
			"plain":          value,
			"base64":         base64.StdEncoding.EncodeToString([]byte("x" + value + "y")),
			"hex":            hexcode.EncodeToString([]byte(value)),
			"base64 in hex":  hexcode.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte("the value is " + value + ", keep it")))),
			"other case":     strings.ToUpper(value),
			"with separator": strings.Join(strings.Split(value, ""), "\u200b"),
		} {
			t.Run(name+"/"+form, func(t *testing.T) {
				if _, o := answer(t, c, fill(said, "it is "+text+" now")); o.Allowed || !strings.Contains(o.Detail, "own-credential") && !strings.Contains(o.Detail, "generic-secret") {
					t.Errorf("a result passes: %+v", o)
				}
				if _, o := send(t, c, fill(ask, "it is "+text+" now")); o.Allowed || strings.Contains(fmt.Sprintf("%+v", o), value) {
					t.Errorf("a call passes, or its record tells: %+v", o)
				}
			})
		}
	}
}

func TestOrdinaryValuesAreNoCredentials(t *testing.T) {
	c := owned(t, guardrails.NewBook())
	for _, text := range []string{"production", "we run it in production", "/srv/data/files", "/run/secrets/token", "12345678", "platform-payments-core", "postgres://db.internal/x", "serve --token"} {
		if _, o := answer(t, c, fill(said, text)); !o.Allowed {
			t.Errorf("%q is refused: %s", text, o.Detail)
		}
	}
}

func TestOwnCredentialsCanBeCutOut(t *testing.T) {
	c := owned(t, guardrails.NewBook(), "guardrails: { p: [{ find: own-credential, do: redact }] }")
	out, o := answer(t, c, fill(said, "it is "+bearer+" now"))
	if !o.Allowed || text(t, out) != "it is [own-credential#1] now" {
		t.Errorf("got %s, %+v", out, o)
	}
}

func TestVeilHidesOwnCredentials(t *testing.T) {
	book := guardrails.NewBook()
	owned(t, book)
	if got := book.Veil("file:///" + bearer + "/x"); got != "file:///[own-credential]/x" {
		t.Errorf("got %s", got)
	}
}

func TestOwnCredentialsAreThoseOfTheConfigurationInForce(t *testing.T) {
	spec := guardrails.Spec(newVault(), guardrails.NewBook())
	with := func(token string) *policy.Connection {
		t.Helper()
		f, err := configs.Parse("hopgate.yaml", []byte(strings.Replace(written("", ""), "/mcp' }", "/mcp', headers: { X-Access: '${env:T}' } }", 1)), configs.Options{
			Gates: []policy.Spec{spec}, Env: func(string) (string, bool) { return token, true },
		})
		if err != nil {
			t.Fatal(err)
		}
		return f.Connections[0]
	}
	const other = "osprey-under-" + "the-old-bridge-3"
	before, after := with(bearer), with(other)
	for name, x := range map[string]struct {
		c       *policy.Connection
		text    string
		allowed bool
	}{
		"old value before": {before, bearer, false}, "new value before": {before, other, true},
		"old value after": {after, bearer, true}, "new value after": {after, other, false},
	} {
		if _, o := answer(t, x.c, fill(said, x.text)); o.Allowed != x.allowed {
			t.Errorf("%s: allowed is %v, %s", name, o.Allowed, o.Detail)
		}
	}
}

func TestKeysOfAgentsAreSecrets(t *testing.T) {
	c := connection(t, "")
	key := "hga_" + strings.Repeat("k3Y9zQ7", 7)
	if _, o := answer(t, c, fill(said, "use "+key)); o.Allowed || !strings.Contains(o.Detail, "hopgate-key") {
		t.Errorf("a key passes: %+v", o)
	}
}
