package toolscope_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/toolscope"
)

// TestNamesThatLookAlikeAreHidden is about a tool that is to be taken for another one: neither is listed, in whatever
// order they come.
func TestNamesThatLookAlikeAreHidden(t *testing.T) {
	for what, names := range map[string][2]string{
		"case":                  {"read_file", "Read_File"},
		"Cyrillic":              {"pay", "\u0440\u0430\u0443"},
		"Cyrillic capitals":     {"pay", "\u0420\u0410\u0423"},
		"Greek":                 {"save", "sa\u03bde"},
		"a Greek capital":       {"name", "\u039dame"},
		"full width":            {"read", "\uff52\uff45\uff41\uff44"},
		"mathematical":          {"read", "\U0001d42b\U0001d41e\U0001d41a\U0001d41d"},
		"a ligature":            {"find_file", "\ufb01nd_\ufb01le"},
		"a zero-width space":    {"read", "re\u200bad"},
		"a joiner":              {"read", "re\u200dad"},
		"a soft hyphen":         {"read", "re\u00adad"},
		"directions":            {"read", "\u202eread\u202c"},
		"a variation selector":  {"read", "read\ufe0f"},
		"tags":                  {"read", "read\U000e0061\U000e007f"},
		"a blank letter":        {"read", "read\u3164"},
		"an accent":             {"resume", "r\u00e9sume\u0301"},
		"composed or not":       {"caf\u00e9", "cafe\u0301"},
		"case beyond ASCII":     {"\u0436\u0443\u043a", "\u0416\u0443\u043a"},
		"Kelvin":                {"kill", "\u212aill"},
		"long s":                {"save", "\u017fave"},
		"no dot":                {"list", "l\u0131st"},
		"a hyphen":              {"read-file", "read\u2010file"},
		"a space at the end":    {"read", "read "},
		"a space, not seen":     {"read", "read\u2003\u200b"},
		"Cherokee":              {"pay", "\u13e2ay"},
		"Armenian":              {"one", "\u0585ne"},
		"two that are no ASCII": {"\u0440ay", "p\u0430y"},
	} {
		for _, pair := range [][2]string{names, {names[1], names[0]}} {
			t.Run(what, func(t *testing.T) {
				list := fmt.Sprintf(`[{"name":%s},{"name":"other"},{"name":%s}]`, quote(pair[0]), quote(pair[1]))
				const want = `{"tools":[{"name":"other"}]}`
				l := connect(t, toolscope.Config{Tools: tools("*")})
				if shown, code := l.result(t, "tools/list", `{"tools":`+list+`}`); shown != want {
					t.Errorf("listed: %s %s", shown, code)
				}
				l.learn(t, list)
				for _, name := range pair {
					if code := l.call(t, name, "{}"); code != "TOOL_AMBIGUOUS" {
						t.Errorf("%+q: got %q", name, code)
					}
				}
			})
		}
	}
}

func TestNamesThatDifferToTheEyeStay(t *testing.T) {
	names := []string{
		"read", "red", "read_", "read1", "readl", "read0", "reado", "re-ad", "re_ad", "re ad", "rn", "m", "\u8aad\u3080", "\u8aad\u307f",
		"\u304b", "\u304c", "\u0915\u093f", "\u0915\u0940", "\u0436", "\u0437\u0436", "\u03b4",
	}
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, `%s{"name":%s}`, strings.Repeat(",", min(i, 1)), quote(name))
	}
	l := connect(t, toolscope.Config{Tools: tools("*")})
	list := `{"tools":[` + b.String() + `]}`
	if shown, _ := l.result(t, "tools/list", list); shown != list {
		t.Errorf("got %s", shown)
	}
}

// TestNamesThatLookAlikeAreFoundOnOtherPages is about an upstream that shows one of two names on another page, or later.
func TestNamesThatLookAlikeAreFoundOnOtherPages(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*")})
	codes := func(want map[string]string) {
		t.Helper()
		for name, code := range want {
			if got := l.call(t, name, "{}"); got != code {
				t.Errorf("%+q: got %q, want %q", name, got, code)
			}
		}
	}
	l.learn(t, `[{"name":"pay"},{"name":"see"}]`)
	codes(map[string]string{"pay": "", "see": ""})
	l.learn(t, `[{"name":"Pay"}]`)
	codes(map[string]string{"pay": "TOOL_AMBIGUOUS", "Pay": "TOOL_AMBIGUOUS", "see": ""})
	l.learn(t, `[{"name":"p\u0430y"}]`)
	l.learn(t, `[{"name":"pay","inputSchema":{"type":"object"}},{"name":"see"}]`)
	codes(map[string]string{"pay": "TOOL_AMBIGUOUS", "Pay": "TOOL_AMBIGUOUS", "p\u0430y": "TOOL_AMBIGUOUS", "see": ""})
	const list = `{"tools":[{"name":"pay"},{"name":"see"}]}`
	if shown, _ := l.result(t, "tools/list", list); shown != `{"tools":[{"name":"see"}]}` {
		t.Errorf("listed: %s", shown)
	}
	l.cat.Learn("other", parse(t, answer(`{"tools":[{"name":"See"}]}`), wire.FromUpstream))
	codes(map[string]string{"see": ""})
}

func TestLooksOfASCIICostNothing(t *testing.T) {
	buf := make([]byte, 0, 64)
	for name, want := range map[string]string{"get_weather": "get_weather", " Get-Weather2 ": "get-weather2"} {
		raw := []byte(name)
		if n := testing.AllocsPerRun(100, func() { buf = toolscope.AppendLook(buf[:0], raw) }); n != 0 || string(buf) != want {
			t.Errorf("%q: got %q with %v allocations", name, buf, n)
		}
	}
}

// FuzzLook holds looks to what is true of every name: one is found again whatever the case of its ASCII letters is, and is
// the look of itself.
func FuzzLook(f *testing.F) {
	for _, seed := range []string{"get_x", "Get X ", "\u0440\u0430\u0443", "\ufb01le\u200b", "\uac01\u1100\u1161", "\xff\xfe", "\u039d\u03bd", "\u0130\u0131"} {
		f.Add(seed)
	}
	upper := func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 0x20
		}
		return r
	}
	f.Fuzz(func(t *testing.T, name string) {
		look := string(toolscope.AppendLook(nil, []byte(name)))
		if got := string(toolscope.AppendLook(nil, []byte(strings.Map(upper, name)))); utf8.ValidString(name) && got != look {
			t.Errorf("%+q looks like %+q, in capitals like %+q", name, look, got)
		}
		if got := string(toolscope.AppendLook([]byte("before"), []byte(look))); got != "before"+look {
			t.Errorf("%+q looks like %+q, and that like %+q", name, look, got)
		}
	})
}
