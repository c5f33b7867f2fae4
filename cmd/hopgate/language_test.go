package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/toolscope"
)

// compiledSchema is the schema in the repository, as an editor reads it.
func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repo, "configs/hopgate.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("hopgate.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("hopgate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fits reports what the schema has against a document.
func fits(t *testing.T, s *jsonschema.Schema, document []byte) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(document, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// TestDecoderAndSchemaAgree reads testdata/language.txtar, whose comment says what the folders mean.
func TestDecoderAndSchemaAgree(t *testing.T) {
	schema := compiledSchema(t)
	archive, err := txtar.ParseFile("testdata/language.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		kind, name, _ := strings.Cut(f.Name, "/")
		t.Run(f.Name, func(t *testing.T) {
			_, decoder := configs.Parse(name, f.Data, configs.Options{Gates: mcpproxy.Gates(imagined(toolscope.NewCatalog()))})
			schema := fits(t, schema, f.Data)
			wantDecoder, wantSchema := false, false
			switch kind {
			case "accepted":
				wantDecoder, wantSchema = true, true
			case "refused":
			case "meaning":
				wantSchema = true
			default:
				t.Fatalf("there is no folder %s", kind)
			}
			if (decoder == nil) != wantDecoder {
				t.Errorf("the decoder says %v", decoder)
			}
			if (schema == nil) != wantSchema {
				t.Errorf("the schema says %v", schema)
			}
		})
	}
}

var (
	variable  = regexp.MustCompile(`\$\{env:(\w+)\}`)
	secret    = regexp.MustCompile(`\$\{file:(/[^}]+)\}`)
	schemaRef = regexp.MustCompile(`^# yaml-language-server: \$schema=(\S+)\n`)
)

// TestSamplesAreSound checks each sample as its reader would, with the variables and files that it names.
func TestSamplesAreSound(t *testing.T) {
	schema := compiledSchema(t)
	dir := filepath.Join(repo, "configs/samples")
	names, err := fs.Glob(configs.Samples(), "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			ref := schemaRef.FindSubmatch(text)
			if ref == nil {
				t.Fatal("the first line does not name the schema for editors")
			}
			if got, want := filepath.Join(dir, string(ref[1])), filepath.Join(repo, "configs/hopgate.schema.json"); got != want {
				t.Errorf("the schema is %s, want %s", got, want)
			}
			if err := fits(t, schema, text); err != nil {
				t.Errorf("the schema says %v", err)
			}
			for _, m := range variable.FindAllSubmatch(text, -1) {
				t.Setenv(string(m[1]), "http://127.0.0.1:1/mcp") // a word as good as any where no URL is wanted
			}
			own := t.TempDir()
			text = secret.ReplaceAllFunc(text, func(ref []byte) []byte {
				path := filepath.Join(own, filepath.Base(string(secret.FindSubmatch(ref)[1])))
				if err := os.WriteFile(path, []byte("a-token\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				return []byte("${file:" + path + "}")
			})
			path := filepath.Join(own, name)
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if code, _, words := hopgate(t, "check", "--elsewhere", path); code != 0 || strings.Contains(words, "warning") {
				t.Errorf("hopgate check: exit code %d\n%s", code, words)
			}
		})
	}
}
