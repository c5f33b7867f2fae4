package configs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/policy"
)

func TestAFileIsLookedUpByName(t *testing.T) {
	text := connect("tools: x")
	f := parse(t, text, world{})
	sum := sha256.Sum256([]byte(text))
	if f.Revision != hex.EncodeToString(sum[:]) || configs.ShortRevision(f.Revision) != f.Revision[:6] || configs.ShortRevision("ab") != "ab" {
		t.Errorf("the revision is %s", f.Revision)
	}
	if f.Path != fileName || string(f.Source) != text {
		t.Errorf("got path %q and source %q", f.Path, f.Source)
	}
	c := f.Connection("bot", "up")
	if c == nil || c.Agent != f.Agent("bot").Agent || c.Upstream != f.Upstream("up").Upstream || c.Revision != f.Revision {
		t.Errorf("the connection is %+v", c)
	}
	if f.Agent("nobody") != nil || f.Upstream("nothing") != nil || f.Connection("ide", "up") != nil || f.Connection("bot", "web") != nil {
		t.Error("something is found that is not declared")
	}
}

func TestDefaultsOfTheLanguage(t *testing.T) {
	f := parse(t, connect("tools: x"), world{})
	if got := f.Listen.MCP.Addr; got != "127.0.0.1:7070" {
		t.Errorf("it listens on %s", got)
	}
	if f.Audit.Keep != 180*24*time.Hour || f.Store != "" {
		t.Errorf("got %v and %q", f.Audit.Keep, f.Store)
	}
	if c := f.Connection("bot", "up"); c.Timeout != 5*time.Minute || c.Gates[0].Observe {
		t.Errorf("got %v and %v", c.Timeout, c.Gates)
	}
}

func TestObserveIsOfEveryGate(t *testing.T) {
	f := parse(t, connect("mode: observe", "tools: x", "text: x", "mood: refuses"), world{})
	gates := f.Connection("bot", "up").Gates
	var names []string
	for _, g := range gates {
		names = append(names, g.Name)
		if !g.Observe {
			t.Errorf("gate %s enforces", g.Name)
		}
	}
	if diff := cmp.Diff([]string{"scope", "kinds", "mood"}, names); diff != "" {
		t.Errorf("gates: -want +got\n%s", diff)
	}
}

func TestAGateWithNothingToSayIsLeftOut(t *testing.T) {
	f := parse(t, connect("tools: x", "mood: refuses"), world{})
	var names []string
	for _, g := range f.Connection("bot", "up").Gates {
		names = append(names, g.Name)
	}
	if diff := cmp.Diff([]string{"scope", "mood"}, names); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestPlainTextStaysOnTheMachine: of a name other than localhost nobody knows what it will stand for.
func TestPlainTextStaysOnTheMachine(t *testing.T) {
	cases := map[string]configs.Code{
		"127.0.0.1:1": "", "127.9.9.9:1": "", "localhost:1": "", "[::1]:1": "", "[::ffff:127.0.0.1]:1": "",
		"0.0.0.0:1": configs.CodeExposed, ":1": configs.CodeExposed, "[::]:1": configs.CodeExposed, "10.0.0.1:1": configs.CodeExposed,
		"localhost.evil:1": configs.CodeExposed, "127.0.0.1.evil:1": configs.CodeExposed, "127.1:1": configs.CodeExposed,
		"127.0.0.1": configs.CodeValue, "": configs.CodeValue,
	}
	for addr, want := range cases {
		_, err := configs.Parse(fileName, []byte(connect("tools: x")+"listen: {mcp: \""+addr+"\"}\n"), world{}.options())
		var found configs.Diagnostics
		var got configs.Code
		if errors.As(err, &found) {
			got = found[0].Code
		}
		if got != want || (err == nil) != (want == "") || len(found) > 1 {
			t.Errorf("%q: got %q, %v", addr, got, err)
		}
	}
}

func TestDigestCoversHowAServerIsReached(t *testing.T) {
	w := world{env: map[string]string{"K": "one"}}
	digest := func(body string, w world) [32]byte {
		return parse(t, "version: 1\nupstreams: { up: { "+body+" } }\n", w).Upstream("up").Digest()
	}
	first := digest("command: [a, b], env: { K: '${env:K}' }", w)
	if digest("command: [a, b], env: { K: one }, tasks: { read: x }", w) != first {
		t.Error("the tasks change it, or the way that a value is written")
	}
	for _, body := range []string{
		"command: [a, b], env: { K: two }", "command: [a, b], env: { L: one }", "command: [a, b, K, one]", "command: [ab], env: { K: one }",
		"command: [a, b]", "command: [a, b], dir: /x, env: { K: one }", "url: http://localhost/a", "url: http://localhost/a, headers: { K: one }",
	} {
		if digest(body, w) == first {
			t.Errorf("%s: the same digest", body)
		}
	}
	if digest("command: [a, b], env: { K: '${env:K}' }", world{env: map[string]string{"K": "two"}}) == first {
		t.Error("another value of the variable does not change it")
	}
}

func TestParseDuration(t *testing.T) {
	cases := map[string]time.Duration{
		"0s": 0, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute, "90d": 90 * 24 * time.Hour, "2w": 14 * 24 * time.Hour,
		"1.5d": 36 * time.Hour, "1w1d1h1m1s1ms1us1ns": 8*24*time.Hour + time.Hour + time.Minute + time.Second + 1001001,
		"3µs": 3 * time.Microsecond, "106751d": 106751 * 24 * time.Hour,
	}
	for text, want := range cases {
		if got, err := configs.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5S", "1e3s", "5y", "106752d", "106751d24h", "15251w", ".5s", "5.s", "5s\n", "١s"} {
		if got, err := configs.ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestSizesAndLimits(t *testing.T) {
	for text, want := range map[string]int{"1024": 1024, "2048B": 2048, `"4096"`: 4096, "64KiB": 64 << 10, "4MiB": 4 << 20} {
		f := parse(t, base+"limits: { frame: "+text+" }\n", world{})
		if f.Limits.Frame != want {
			t.Errorf("%s: got %d", text, f.Limits.Frame)
		}
	}
	bounds := map[string][2]string{"frame": {"1023", "65MiB"}, "depth": {"15", "1001"}, "keys": {"63", "1000001"}, "upstream_keys": {"63", "5000001"}, "name": {"63", "1025"}}
	for key, outside := range bounds {
		for _, value := range outside {
			if found := wrong(t, base+"limits: { "+key+": "+value+" }\n", world{}); found[0].Code != configs.CodeValue {
				t.Errorf("%s: %s: %v", key, value, found)
			}
		}
	}
	for text, want := range map[string]int{"keys: 100": 200_000, "keys: 300000": 300_000, "keys: 300000, upstream_keys: 100": 100} {
		if got := parse(t, base+"limits: { "+text+" }\n", world{}).Limits.UpstreamKeys; got != want {
			t.Errorf("%s: upstreams may write %d keys, want %d", text, got, want)
		}
	}
	same := parse(t, connect("limits: { depth: 256 }"), world{})
	if same.Connection("bot", "up").Limits != same.Limits {
		t.Error("a limit as wide as that of the file is not the same")
	}
}

func TestOverlapNamesBothPlaces(t *testing.T) {
	found := wrong(t, base+"connections:\n  one: { from: bot, to: '*' }\n  two: { from: '*', to: up }\n", world{})
	if len(found) != 1 {
		t.Fatal(found)
	}
	d := found[0]
	if d.Line != 8 || !strings.Contains(d.Text, "from bot to up") || !strings.Contains(d.Hint, "one on line 7") {
		t.Errorf("got %v = %s", d, d.Hint)
	}
}

func TestEveryReasonCanBeExpected(t *testing.T) {
	for _, r := range append(policy.Reasons(), reasonTool, reasonMood) {
		parse(t, connect("tools: x")+"tests: [{ agent: bot, call: up/x, expect: deny "+r.Code+" }]\n", world{})
	}
	parse(t, connect("tools: x")+"tests: [{ agent: bot, call: up/x, expect: deny FRAME_TOO_LARGE }]\n", world{})
}

// TestNamedIsWhatTheFileNamesOfTheMachine: each place once, and of references only those that secrets are made of.
func TestNamedIsWhatTheFileNamesOfTheMachine(t *testing.T) {
	text := `version: 1
listen: { mcp: { tls: { cert: /c, key: /k } } }
upstreams:
  up: &up
    command: [server, "${file:/list}"]
    dir: /work
    env: { TOKEN: "${file:/token}", PAIR: "${file:/a}:${file:/b}", PLAIN: "x$${file:/no}" }
    sandbox: { read: [/r], write: [/w] }
  again: *up
  far: { url: "https://far.test/mcp", headers: { Authorization: "Bearer ${file:/token}" } }
`
	f := parse(t, text, world{files: map[string]string{"/list": "l", "/token": "t", "/a": "a", "/b": "b"}})
	var got []string
	for _, n := range f.Named {
		got = append(got, fmt.Sprintf("%d %s :%d:%d", n.As, n.Path, n.At.Line, n.At.Col))
	}
	want := []string{
		"4 /c :2:31", "5 /k :2:40", "0 server :5:15", "1 /work :6:10", "2 /r :8:23", "3 /w :8:36",
		"6 /token :7:20", "6 /a :7:44", "6 /b :7:44", "6 /token :10:66",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPathsBecomeAbsolute(t *testing.T) {
	here, err := filepath.Abs("conf")
	if err != nil {
		t.Fatal(err)
	}
	text := "version: 1\nupstreams: { up: { command: [./server, ./x], dir: work } }\nstore: state\nlisten: { mcp: { tls: { cert: c, key: /k } } }\n"
	f, err := configs.Parse(filepath.Join("conf", "hopgate.yaml"), []byte(text), world{}.options())
	if err != nil {
		t.Fatal(err)
	}
	u := f.Upstream("up")
	got := append([]string{u.Dir, f.Store, f.Listen.MCP.TLS.Cert, f.Listen.MCP.TLS.Key}, u.Command...)
	want := []string{
		filepath.Join(here, "work"), filepath.Join(here, "state"), filepath.Join(here, "c"), "/k", filepath.Join(here, "server"), "./x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
