package configs_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hopgate/hopgate/configs"
)

// FuzzParse checks that no bytes make the loader panic, and that whatever it says has a place in the file.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{"wrong", "right"} {
		for _, x := range fixtures(f, folder) {
			f.Add([]byte(x.files["hopgate.yaml"]))
		}
	}
	for _, text := range sampleTexts(f) {
		f.Add([]byte(text))
	}
	f.Add([]byte("version: 1\r\nagents: { \"\\u2028\": key }\r"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := configs.Parse(fileName, data, sampleWorld.options())
		if err == nil {
			inside(t, data, file.Warnings)
			file.RunTests(t.Context())
			file.Explain(t.Context(), configs.Question{Agent: "bot", Upstream: "up", Target: "x"})
			return
		}
		var found configs.Diagnostics
		if !errors.As(err, &found) || found.Count(configs.Error) == 0 || file != nil {
			t.Fatalf("got file %v and error %v", file != nil, err)
		}
		inside(t, data, found)
	})
}

// inside checks that diagnostics have places in the file, in its order, and can be shown.
func inside(t *testing.T, data []byte, found configs.Diagnostics) {
	t.Helper()
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n"), "\n")
	line := 0
	for i := range found {
		d := &found[i]
		if d.File != fileName || d.Line < max(line, 1) || d.Line > len(lines) || d.Code == "" || d.Text == "" {
			t.Fatalf("%+v has no place in %d lines", d, len(lines))
		}
		if line = d.Line; d.Col < 1 || d.Col > utf8.RuneCountInString(lines[line-1])+1 || d.EndCol <= d.Col {
			t.Fatalf("%+v is outside its line", d)
		}
	}
	var b strings.Builder
	if err := found.Render(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.String() {
		if c < 0x20 && c != '\n' || c == 0x7f || c == 0x202e {
			t.Fatalf("a terminal would obey %U in %q", c, b.String())
		}
	}
}

// FuzzReference checks that text without references stays as it is, that an escape undoes itself, and that no value is
// looked at again.
func FuzzReference(f *testing.F) {
	for _, s := range []string{"${env:A}", "$${env:A}", "${env:A:-x}", "${file:a}", "$", "$$", "${", "a$b}", "${env:B", "$$${env:A}"} {
		f.Add(s)
	}
	w := world{env: map[string]string{"A": "${env:B}", "B": "never"}, files: map[string]string{"a": "${env:B}\n"}}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
			return
		}
		resolve := func(s string) (string, bool) {
			yaml := "version: 1\nupstreams: { up: { command: [x, '" + strings.ReplaceAll(s, "'", "''") + "'] } }\n"
			file, err := configs.Parse(fileName, []byte(yaml), w.options())
			if err != nil {
				return "", false
			}
			return file.Upstream("up").Command[1], true
		}
		got, ok := resolve(text)
		if !strings.Contains(text, "${") && (!ok || got != text) {
			t.Errorf("%q became %q, %v", text, got, ok)
		}
		if ok && strings.Contains(got, "never") && !strings.Contains(text, "never") && !strings.Contains(text, "${env:B") {
			t.Errorf("%q became %q", text, got)
		}
		if escaped, ok := resolve(strings.ReplaceAll(text, "${", "$${")); !strings.Contains(text, "$$") && (!ok || escaped != text) {
			t.Errorf("escaped, %q became %q, %v", text, escaped, ok)
		}
	})
}

// FuzzDuration checks that what is read is no number of another notation.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"5m", "1.5d", "2w", "1w1ns", "99999999w", "0.0000001ns", "1µs"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := configs.ParseDuration(text)
		if err != nil {
			return
		}
		if d < 0 {
			t.Errorf("%q is %v", text, d)
		}
		if again, err := configs.ParseDuration(d.String()); d > 0 && (err != nil || again != d) {
			t.Errorf("%q is %v, which is read as %v, %v", text, d, again, err)
		}
	})
}
