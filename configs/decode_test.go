package configs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/policy"
)

// kindsOf returns what the decoder made of the keys of one connection.
func kindsOf(t *testing.T, keys ...string) *kinds {
	t.Helper()
	f := parse(t, connect(keys...), world{})
	for _, g := range f.Connection("bot", "up").Gates {
		if k, ok := g.Gate.(*kindsGate); ok {
			return k.kinds
		}
	}
	t.Fatal("the gate was not built")
	return nil
}

func TestEachTypeIsDecoded(t *testing.T) {
	pats := func(texts ...string) (all []policy.Pattern) {
		for _, text := range texts {
			all = append(all, policy.Pattern{Text: text})
		}
		return all
	}
	cases := map[string]struct {
		yaml string
		want kinds
	}{
		"text":                         {"text: hello", kinds{Text: "hello"}},
		"text that looks old":          {"text: yes", kinds{Text: "yes"}},
		"text in quotes":               {`text: "12"`, kinds{Text: "12"}},
		"text like a reference":        {"text: $HOME", kinds{Text: "$HOME"}},
		"text of a date":               {"text: 2026-01-05", kinds{Text: "2026-01-05"}},
		"text in a block":              {"text: |\n      a\n      b\n", kinds{Text: "a\nb\n"}},
		"flag":                         {"flag: true", kinds{Flag: true}},
		"number":                       {"number: -12", kinds{Number: -12}},
		"duration":                     {"pause: 1d12h0.5s", kinds{Pause: 36*time.Hour + 500*time.Millisecond}},
		"list":                         {"names: [a, b]", kinds{Names: []string{"a", "b"}}},
		"list of one":                  {"names: a", kinds{Names: []string{"a"}}},
		"empty list":                   {"names: []", kinds{Names: []string{}}},
		"map":                          {"levels: { a: 1, 7: 2 }", kinds{Levels: map[string]int{"a": 1, "7": 2}}},
		"map of pointers":              {"corners: { red: { x: 1, y: 2 } }", kinds{Corners: map[colour]*point{"red": {X: 1, Y: 2}}}},
		"pointer to zero":              {"maybe: 0", kinds{Maybe: new(int)}},
		"one of a few":                 {"colour: blue", kinds{Colour: "blue"}},
		"text with a form":             {"speed: 12/s", kinds{Speed: speed{N: 12}}},
		"mapping":                      {"where: { x: 3 }", kinds{Where: point{X: 3}}},
		"scalar for a mapping":         {"watch: now", kinds{Watch: watch{Once: "NOW"}}},
		"mapping for a scalar":         {"watch: { every: 5s, loud: true }", kinds{Watch: watch{Every: 5 * time.Second, Loud: true}}},
		"scalar for a mapping's list":  {"pick: a", kinds{Pick: pick{Of: []string{"a"}}}},
		"list for a mapping":           {"pick: [a, b]", kinds{Pick: pick{Of: []string{"a", "b"}}}},
		"mapping with its list":        {"pick: { of: a, most: 3 }", kinds{Pick: pick{Of: []string{"a"}, Most: 3}}},
		"ordered":                      {"steps: { z: [a, b], a: c }", kinds{Steps: []stage{{Name: "z", Tools: pats("a", "b")}, {Name: "a", Tools: pats("c")}}}},
		"ordered mappings":             {"points: { red: { x: 1 }, green: {} }", kinds{Points: []place{{Name: "red", X: 1}, {Name: "green"}}}},
		"a struct inside":              {"extra: x", kinds{Shared: shared{Extra: "x"}}},
		"alias":                        {"names: &a [x]\n    text: y", kinds{Names: []string{"x"}, Text: "y"}},
		"anchor and quotes":            {`text: &a "x"`, kinds{Text: "x"}},
		"a key in quotes":              {`"text": x`, kinds{Text: "x"}},
		"white space around a scalar":  {"text:    x   # comment", kinds{Text: "x"}},
		"folded":                       {"text: >-\n      a\n      b", kinds{Text: "a b"}},
		"escapes":                      {`text: "a\tb\u00e9"`, kinds{Text: "a\tbé"}},
		"single quotes":                {`text: 'it''s'`, kinds{Text: "it's"}},
		"bytes beyond ASCII":           {"text: häß", kinds{Text: "häß"}},
		"an escape of what is no text": {"text: $${x}", kinds{Text: "$${x}"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(&c.want, kindsOf(t, c.yaml), cmpopts.IgnoreTypes(policy.Pos{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func at(p policy.Pos) string { return fmt.Sprintf("%d:%d", p.Line, p.Col) }

func TestEachValueKnowsItsPlace(t *testing.T) {
	text := base + strings.Join([]string{
		"connections:",     // 6
		"  c:",             // 7
		"    from: bot",    // 8
		"    to: up",       // 9
		"    speed: 12/s",  // 10
		`    watch: "now"`, // 11: behind the quote
		"    where:",       // 12
		"      x: 1",       // 13: where the mapping begins
		"    steps: { read: [a, &b b, 'ü', c*] }", // 14: behind an anchor, counted in characters
		"    points:",                    // 15
		"      green:",                   // 16: the key
		"        x: 1",                   // 17
		"    corners: { red: { x: 1 } }", // 18
		"    tools:",                     // 19
		"      - get",                    // 20
		"      - { name: put, when: args.x == 1 }", // 21
		"    when: |",       // 22
		"",                  // 23
		"      args.a == 1", // 24: the first line with a text
	}, "\n") + "\n"
	f := parse(t, text, world{})
	c := f.Connection("bot", "up")
	var k *kinds
	var s *scopeKeys
	for _, g := range c.Gates {
		switch g := g.Gate.(type) {
		case *kindsGate:
			k = g.kinds
		case *scopeGate:
			s = g.scopeKeys
		}
	}
	got := map[string]string{
		"connection": at(c.At), "agent": at(c.Agent.At), "upstream": at(c.Upstream.At),
		"text": at(k.Speed.At), "scalar": at(k.Watch.At), "mapping": at(k.Where.At), "key": at(k.Steps[0].At),
		"list": at(k.Steps[0].Tools[0].At), "anchor": at(k.Steps[0].Tools[1].At), "quote": at(k.Steps[0].Tools[2].At),
		"behind": at(k.Steps[0].Tools[3].At), "entry": at(k.Points[0].At), "map": at(k.Corners["red"].At),
		"grant": at(s.Tools[0].At), "name": at(s.Tools[0].Name.At), "grant mapping": at(s.Tools[1].At),
		"its name": at(s.Tools[1].Name.At), "block": at(s.When.At),
	}
	want := map[string]string{
		"connection": "7:3", "agent": "2:11", "upstream": "4:3",
		"text": "10:12", "scalar": "11:13", "mapping": "13:7", "key": "14:14",
		"list": "14:21", "anchor": "14:27", "quote": "14:31",
		"behind": "14:35", "entry": "16:7", "map": "18:21",
		"grant": "20:9", "name": "20:9", "grant mapping": "21:9",
		"its name": "21:17", "block": "24:7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if c.At.File != fileName {
		t.Errorf("the file is %q", c.At.File)
	}
}

func TestYAMLOfAnotherAgeIsText(t *testing.T) {
	for _, value := range []string{"yes", "no", "on", "off", "Yes", "NO", "y", "n"} {
		if got := kindsOf(t, "text: "+value).Text; got != value {
			t.Errorf("%s is read as %q", value, got)
		}
	}
	for _, value := range []string{"0777", "0x1F", "0b11", "1_000", "+1", "1e3", "12:30", "0o17", "-0"} {
		found := wrong(t, connect("number: "+value), world{})
		if found.Count(configs.Error) != 1 {
			t.Errorf("number: %s: %v", value, found)
		}
	}
}

func TestDefaultsAreDecodedForEachConnection(t *testing.T) {
	f := parse(t, base+`defaults: { connection: { levels: { a: 1 } } }
connections: { c: { from: "*", to: up }, d: { from: bot, to: web } }
`, world{})
	first, ok1 := f.Connection("bot", "up").Gates[1].Gate.(*kindsGate)
	second, ok2 := f.Connection("bot", "web").Gates[1].Gate.(*kindsGate)
	if !ok1 || !ok2 {
		t.Fatal("the gate was not built")
	}
	first.Levels["a"] = 2
	if second.Levels["a"] != 1 {
		t.Error("two connections share what they take from the defaults")
	}
}

// TestManyDefaultsAreNoBomb has more defaults than a file of aliases may stand for, and no alias.
func TestManyDefaultsAreNoBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nagents:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  a%d: key\n", i)
	}
	b.WriteString("upstreams: { up: { command: x } }\ndefaults:\n  connection:\n    deny:\n")
	for i := range 300 {
		fmt.Fprintf(&b, "      - tool_%d\n", i)
	}
	b.WriteString("connections:\n")
	for i := range 100 {
		fmt.Fprintf(&b, "  c%d: { from: a%d, to: up }\n", i, i)
	}
	if f := parse(t, b.String(), world{}); len(f.Connections) != 100 {
		t.Errorf("got %d connections", len(f.Connections))
	}
}

func TestReportsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString(base)
	for i := range 3000 {
		fmt.Fprintf(&b, "wrong%d: x\n", i)
	}
	found := wrong(t, b.String(), world{})
	last := found[len(found)-1]
	if len(found) != 1001 || last.Code != configs.CodeTooMany || last.Text != "2000 more mistakes are not shown" {
		t.Errorf("got %d diagnostics, the last is %v", len(found), last)
	}
	long := wrong(t, base+`? "`+strings.Repeat("x", 5000)+"\"\n: 1\n", world{})
	if n := len(long[0].String()); n > 1000 {
		t.Errorf("one line has %d bytes", n)
	}
}

func TestFilesHaveBounds(t *testing.T) {
	cases := map[string]struct {
		text string
		code configs.Code
	}{
		"too large":   {strings.Repeat("# x\n", 1<<22), configs.CodeUnreadable},
		"not UTF-8":   {"version: 1 # \xff\n", configs.CodeSyntax},
		"UTF-16":      {"v\x00e\x00r\x00", configs.CodeSyntax},
		"carriage":    {"version: 1\rstore: 1\r", configs.CodeKind},
		"separator":   {"version: 1 \u0085", configs.CodeSyntax},
		"too many":    {manyPairs(), configs.CodeTooMany},
		"no document": {"---\n...\n", configs.CodeKind},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if found := wrong(t, c.text, world{}); found[0].Code != c.code {
				t.Errorf("got %v", found)
			}
		})
	}
}

// manyPairs makes more connections than anybody means.
func manyPairs() string {
	var b strings.Builder
	b.WriteString("version: 1\nagents:\n")
	for i := range 400 {
		fmt.Fprintf(&b, "  a%d: key\n", i)
	}
	b.WriteString("upstreams:\n")
	for i := range 400 {
		fmt.Fprintf(&b, "  u%d: { command: x }\n", i)
	}
	return b.String() + "connections:\n  all: { from: '*', to: '*' }\n"
}

func TestAByteOrderMarkAtTheBeginningIsLeftOut(t *testing.T) {
	f := parse(t, "\ufeff"+base, world{})
	if got := at(f.Agents[0].At); got != "2:11" {
		t.Errorf("the agent is at %s", got)
	}
}

func TestAFileThatIsNotThere(t *testing.T) {
	for name, o := range map[string]configs.Options{"missing": world{}.options(), "no files": {}} {
		_, err := configs.Load(fileName, o)
		var found configs.Diagnostics
		if !errors.As(err, &found) || found[0].Code != configs.CodeUnreadable || found[0].Line != 1 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestGatesThatCannotBeDescribed(t *testing.T) {
	cases := map[string]policy.Spec{
		"key log is defined twice": specOf[struct {
			A string `yaml:"log" doc:"A."`
			B string `yaml:"log" doc:"B."`
		}](),
		"key timeout is defined twice": specOf[struct {
			A string `yaml:"timeout" doc:"A."`
		}](),
		"has no doc tag": specOf[struct {
			A string `yaml:"log"`
		}](),
		"unknown option often": specOf[struct {
			A string `yaml:"log,often" doc:"A."`
		}](),
		"cannot be written": specOf[struct {
			A chan int `yaml:"log" doc:"A."`
		}](),
		"a key is text": specOf[struct {
			A map[int]string `yaml:"log" doc:"A."`
		}](),
		"contains itself": specOf[struct {
			A endless `yaml:"log" doc:"A."`
		}](),
		"error parsing regexp": specOf[struct {
			A unmatched `yaml:"log" doc:"A."`
		}](),
		"not a pointer to a struct": specOf[int](),
	}
	for want, s := range cases {
		o := world{}.options()
		o.Gates = append(o.Gates, s)
		_, err := configs.Parse(fileName, []byte(base), o)
		if err == nil || !strings.Contains(err.Error(), want) || errors.As(err, new(configs.Diagnostics)) {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, schemaErr := configs.Schema(o.Gates); schemaErr == nil {
			t.Errorf("%s: there is a schema", want)
		}
	}
	twice := world{}.options()
	twice.Gates = append(twice.Gates, moodSpec())
	if _, err := configs.Parse(fileName, []byte(base), twice); err == nil || !strings.Contains(err.Error(), "key mood is defined twice") {
		t.Errorf("two gates with one key: %v", err)
	}
}

func specOf[C any]() policy.Spec {
	return policy.NewSpec("odd", "", nil, func(*policy.Connection, *C) (policy.Gate, error) { return nil, nil })
}

type endless struct {
	More []endless `yaml:"more" doc:"More."`
}

type unmatched string

func (unmatched) SchemaPattern() string { return "(" }
