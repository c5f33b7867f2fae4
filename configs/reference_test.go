package configs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.yaml.in/yaml/v4"

	"github.com/hopgate/hopgate/configs"
)

// argument returns what one argument of a command is resolved to.
func argument(t *testing.T, text string, w world) string {
	t.Helper()
	f := parse(t, "version: 1\nupstreams:\n  up:\n    command:\n      - server\n      - "+text+"\n", w)
	return f.Upstream("up").Command[1]
}

func TestReferencesAreResolvedInsideOneScalar(t *testing.T) {
	w := world{
		env: map[string]string{"A": "one", "EMPTY": "", "TRICK": "${env:A}", "LINES": "x: 1\ny: [", "DOLLAR": "$${"},
		files: map[string]string{
			"/abs": "absolute\n", "beside": "relative\r\n", "two": "line\n\n", "none": "", "sub/deep": "deep", "trick": "${env:A}",
		},
	}
	cases := map[string]struct{ text, want string }{
		"variable":            {"${env:A}", "one"},
		"empty variable":      {`"x${env:EMPTY}"`, "x"},
		"default":             {"${env:B:-two}", "two"},
		"default not needed":  {"${env:A:-two}", "one"},
		"default for empty":   {"${env:EMPTY:-two}", "two"},
		"empty default":       {`"x${env:B:-}"`, "x"},
		"default with signs":  {`"${env:B:-a:b-c$d}"`, "a:b-c$d"},
		"file":                {"${file:/abs}", "absolute"},
		"file beside":         {"${file:beside}", "relative"},
		"file below":          {"${file:sub/deep}", "deep"},
		"file by a detour":    {"${file:sub/../beside}", "relative"},
		"one newline":         {"${file:two}", "line\n"},
		"empty file":          {`"x${file:none}"`, "x"},
		"several":             {"a${env:A}b${file:/abs}c", "aonebabsolutec"},
		"escape":              {"$${env:A}", "${env:A}"},
		"escape and not":      {"$${env:A}${env:A}", "${env:A}one"},
		"bare":                {"$A $ $$ $5 a$", "$A $ $$ $5 a$"},
		"dollar before":       {"$5${env:A}", "$5one"},
		"not looked at again": {"${env:TRICK}", "${env:A}"},
		"nor in a file":       {"${file:trick}", "${env:A}"},
		"no structure":        {"${env:LINES}", "x: 1\ny: ["},
		"value is no escape":  {"${env:DOLLAR}", "$${"},
		"number":              {"8080", "8080"},
		"boolean":             {"true", "true"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := argument(t, c.text, w); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestReferencesThatCannotBeResolved(t *testing.T) {
	w := world{
		env:   map[string]string{"NUL": "s3cret\x00", "LATIN": "s3cret\xff"},
		files: map[string]string{"binary": "s3cret\x00\x01", "huge": strings.Repeat("s", 512<<10+1), "latin": "s3cret\xe9"},
	}
	cases := map[string]string{
		"${env:NUL}": "variable NUL holds something that is not text", "${env:LATIN}": "variable LATIN holds something",
		"${file:binary}": `file "/box/binary" holds something`, "${file:latin}": `file "/box/latin" holds something`,
		"${file:huge}": "larger than 512 KiB", "${file:nowhere}": `cannot read file "/box/nowhere": file does not exist`,
		"${env:}": "does not name a variable", "${env:A B}": "does not name a variable", "${env:A:b}": "does not name a variable",
		"${}": "no reference of this kind", "${file}": "names no file", "${ENV:A}": "no reference of this kind",
		"${env:A:-${env:B}}": "inside another", "${env:A": "no closing brace", "${": "no closing brace",
	}
	for text, want := range cases {
		found := wrong(t, "version: 1\nupstreams: { up: { command: [x, '"+text+"'] } }\n", w)
		d := found[0]
		if len(found) != 1 || d.Code != configs.CodeReference || !strings.Contains(d.Text, want) || strings.Contains(found.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %s", text, found, want)
		}
		if d.Line != 2 || d.Col != 34 {
			t.Errorf("%s: it is told at %d:%d", text, d.Line, d.Col)
		}
	}
}

func secretOf(t *testing.T, value string) configs.Secret {
	t.Helper()
	f := parse(t, "version: 1\nupstreams: { up: { command: x, env: { KEY: '${env:KEY}' } } }\n", world{env: map[string]string{"KEY": value}})
	return f.Upstream("up").Env[0].Value
}

func TestSecretsCannotBeShown(t *testing.T) {
	const hidden = "s3cret"
	s := secretOf(t, hidden)
	if got := s.Reveal(); got != hidden {
		t.Fatalf("got %q", got)
	}
	if (configs.Secret{}).Reveal() != "" {
		t.Error("the zero Secret is not empty")
	}
	type holder struct {
		Exported configs.Secret
		private  configs.Secret
		Pointer  *configs.Secret
		List     []configs.Secret
		Map      map[string]configs.Secret
	}
	h := holder{s, s, &s, []configs.Secret{s}, map[string]configs.Secret{"k": s}}
	shown := map[string]string{"String": s.String(), "GoString": s.GoString(), "error": fmt.Errorf("x %w", fmt.Errorf("%v", h)).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%c", "%10s", "%T"} {
		shown["value "+verb] = fmt.Sprintf(verb, s)
		shown["holder "+verb] = fmt.Sprintf(verb, h)
		shown["pointer "+verb] = fmt.Sprintf(verb, &h)
	}
	var logs bytes.Buffer
	log := zerolog.New(&logs)
	log.Info().Any("s", s).Interface("h", h).Stringer("t", s).Str("u", fmt.Sprint(s)).Send()
	slog.New(slog.NewJSONHandler(&logs, nil)).Info("x", "s", s, "h", h)
	slog.New(slog.NewTextHandler(&logs, nil)).Info("x", "s", s, "h", h)
	shown["logs"] = logs.String()
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": func(v any) ([]byte, error) { return yaml.Marshal(v) }} {
		b, err := marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		shown[name] = string(b)
	}
	for name, text := range shown {
		if strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) {
			t.Errorf("%s shows it: %s", name, text)
		}
	}
	for _, name := range []string{"String", "GoString", "value %d", "json", "yaml", "logs"} {
		if !strings.Contains(shown[name], "«secret»") {
			t.Errorf("%s says %q", name, shown[name])
		}
	}
}

func TestDiagnosticsHideSecretsInEveryForm(t *testing.T) {
	forms := map[string]string{
		"plain": "Bearer s3cret", "quoted": `"s3cret"`, "single": "'s3cret it''s'", "literal": "|\n        s3cret\n        s3cret",
		"folded": ">-\n        s3cret\n\n        s3cret", "plain in lines": "s3cret\n        s3cret", "quoted in lines": "\"s3cret\n        s3cret\"",
		"anchored": "&a s3cret", "default": "${env:X:-s3cret}", "partly": "s3cret${env:X:-}", "wrong": "${s3cret}", "tagged": "!s s3cret",
		"unclosed": "\"s3cret", "no YAML": "s3cret: s3cret",
	}
	for name, form := range forms {
		for _, key := range []string{"X-Other", "Authorization"} {
			for _, under := range []string{"headers", "headerz"} {
				if key == "X-Other" && (under == "headerz" || name == "unclosed" || name == "no YAML") {
					continue // nobody can know that this is one
				}
				text := "version: 2\nupstreams:\n  up:\n    url: http://[::1\n    " + under + ":\n      " + key + ": " + form + "\n      te : x\n"
				found := wrong(t, text, world{})
				if got := rendered(t, found); strings.Contains(got, "s3cret") {
					t.Errorf("%s under %s, %s:\n%s", key, under, name, got)
				}
			}
		}
	}
}

func TestATextThatIsNotYAMLHidesWhatFollowsASecretsName(t *testing.T) {
	const fault = "\u202e" // a character that is refused
	hidden := []string{
		"Authorization: s3cret]", `  { "api_key": "s3cret }`, "MY_TOKEN : [s3cret", "{ x: y, password: 's3cret", "X-Secret: ${env:A:-s3cret}",
	}
	for _, line := range hidden {
		if text := wrong(t, line+fault, world{})[0].Source; strings.Contains(text, "s3cret") || !strings.Contains(text, "•") {
			t.Errorf("%s: shown as %s", line, text)
		}
	}
	shown := []string{
		"x: y" + fault, "agent: get_secret, x: y" + fault, "# the secret is this: x" + fault, `{ Authorization: "${env:T}"`, "token:\n\t",
	}
	for _, line := range shown {
		if text := wrong(t, line, world{})[0].Source; strings.Contains(text, "•") {
			t.Errorf("%s: shown as %s", line, text)
		}
	}
}
