package toolscope_test

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

func TestNormalForms(t *testing.T) {
	cases := map[string]string{ // an empty form is a refusal
		"file:///a/b.txt":            "file:///a/b.txt",
		"FILE:///A/b":                "file:///A/b",
		"http://Example.COM:80/A":    "http://example.com:80/A",
		"http://ex%61mple.com/":      "http://example.com/",
		"http://%41.com/":            "http://a.com/",
		"file:///%61/%7E%2d":         "file:///a/~-",
		"file:///a%2fb%c3%a9":        "file:///a%2Fb%C3%A9",
		"urn:isbn:0451450523":        "urn:isbn:0451450523",
		"crm://Accounts/ACME":        "crm://accounts/ACME",
		"note:Hello":                 "note:Hello",
		"file:///a b/é":              "file:///a b/é",
		"test://template/{id}/*":     "test://template/{id}/*",
		"file:///a/..b/c..d/.e/f...": "file:///a/..b/c..d/.e/f...",
		"http://[::1]:80/a":          "http://[::1]:80/a",
		"a:b?c=d.e#f":                "a:b?c=d.e#f",
		"file:///a/%25":              "file:///a/%25",
		"file:///a/100%2525":         "file:///a/100%2525",

		"":                               "",
		"a/b":                            "",
		"/a/b":                           "",
		"//host/a":                       "",
		":a":                             "",
		"1a:b":                           "",
		"a b:c":                          "",
		`C:\secret`:                      "",
		"file:///a\\b":                   "",
		"file:///a\x00b":                 "",
		"file:///a\nb":                   "",
		"file:///a\x7fb":                 "",
		"file:///a/%":                    "",
		"file:///a/%4":                   "",
		"file:///a/%zz":                  "",
		"file:///a/../b":                 "",
		"file:///a/./b":                  "",
		"file:///a/..":                   "",
		"file:///..":                     "",
		"file:..":                        "",
		"file:../a":                      "",
		"file:///a/%2e%2e/b":             "",
		"file:///a/%2E./b":               "",
		"file:///a/.%2e/b":               "",
		"file:///a/%2e":                  "",
		"file:///a/%252e%252e/b":         "",
		"file:///a/%25252e./b":           "",
		"file:///a/..%2fb":               "",
		"file:///a/..%5cb":               "",
		"file:///a/%2e%2e%2fb":           "",
		"file:///a/..%252fb":             "",
		"file:///a/..;x/b":               "",
		"file:///a/.../b":                "",
		"file:///a/.. /b":                "",
		"file:///a/..%20/b":              "",
		"file:///a?p=../b":               "",
		"file:///a#..":                   "",
		"file:///a/%00":                  "",
		"file:///a/%0a":                  "",
		"file:///a/%2500":                "",
		"file:///a/%2525252525":          "",
		"http://user@host/":              "",
		"http://user:pw@host/":           "",
		"http://good.com%40evil/":        "",
		"http://good.com%2fevil/":        "",
		"http://good.com%3aevil/":        "",
		"http://good.com%2540evil/":      "",
		"http://good.com\\@evil/":        "",
		"a:" + strings.Repeat("b", 8192): "",
	}
	for raw, want := range cases {
		got, err := toolscope.Normalize(raw)
		if (err != nil) != (want == "") || err == nil && got != want {
			t.Errorf("%q: got %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestResourcesAreGrantedByURI(t *testing.T) {
	cases := map[string]struct{ pattern, uri, want string }{
		"below":                   {"file:///docs/*", "file:///docs/a/b", ""},
		"itself":                  {"file:///docs/*", "file:///docs/", ""},
		"beside":                  {"file:///docs/*", "file:///docs2/a", "RESOURCE_NOT_ALLOWED"},
		"above":                   {"file:///docs/*", "file:///docs", "RESOURCE_NOT_ALLOWED"},
		"out of it":               {"file:///docs/*", "file:///docs/../etc/passwd", "INVALID_URI"},
		"other host":              {"file:///docs/*", "file://evil/docs/a", "RESOURCE_NOT_ALLOWED"},
		"scheme in capitals":      {"file:///docs/*", "FILE:///docs/a", "RESOURCE_NOT_ALLOWED"},
		"escaped letter":          {"file:///docs/*", "file:///docs/%61", ""},
		"escaped outside":         {"file:///docs/*", "file:///%64ocs/a", "RESOURCE_NOT_ALLOWED"},
		"escape hides a name":     {"file:///docs/%73ecret", "file:///docs/secret", "RESOURCE_NOT_ALLOWED"},
		"only the text fits":      {"*%62", "x:a%62", "RESOURCE_NOT_ALLOWED"},
		"only the form fits":      {"*b", "x:a%62", "RESOURCE_NOT_ALLOWED"},
		"pattern in capitals":     {"CRM://Accounts/*", "CRM://Accounts/1", ""},
		"pattern in other case":   {"CRM://Accounts/*", "crm://accounts/1", "RESOURCE_NOT_ALLOWED"},
		"exact":                   {"crm://a/1", "crm://a/1", ""},
		"more than exact":         {"crm://a/1", "crm://a/11", "RESOURCE_NOT_ALLOWED"},
		"exact, of the web":       {"https://example.com", "https://example.com", ""},
		"exact, with a port":      {"wss://example.com:8443", "wss://example.com:8443", ""},
		"exact host, any path":    {"https://example.com", "https://example.com/x", "RESOURCE_NOT_ALLOWED"},
		"any host of a domain":    {"https://*.example.com/*", "https://api.example.com/x", ""},
		"star leaves no host":     {"https://*.example.com/*", "https://evil.org/x.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"star in a query":         {"https://*.example.com/*", "https://evil.org?x.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"no path":                 {"https://*.example.com/*", "https://api.example.com", "RESOURCE_NOT_ALLOWED"},
		"port":                    {"https://*.example.com*", "https://api.example.com:8443/x", ""},
		"address of IPv6":         {"https://*/x", "https://[2001:db8::1]:443/x", ""},
		"host that ends in it":    {"https://*.example.com", "https://api.example.com", ""},
		"path that ends in it":    {"https://*.example.com", "https://evil.org/x.example.com", "RESOURCE_NOT_ALLOWED"},
		"path that holds it":      {"https://*.example.com*", "https://evil.org/x.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"query that ends in it":   {"HTTP://*.example.com", "HTTP://evil.org?x.example.com", "RESOURCE_NOT_ALLOWED"},
		"colon in the host":       {"https://*.example.com/*", "https://evil.org:.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"semicolon in the host":   {"https://*.example.com/*", "https://evil.org;.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"quote in the host":       {"https://*.example.com/*", "https://evil.org'.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"escape in the host":      {"https://*.example.com/*", "https://evil.org%41.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"bracket in the host":     {"https://*.example.com/*", "https://[::1].example.com/x", "RESOURCE_NOT_ALLOWED"},
		"wide slash in the host":  {"https://*.example.com/*", "https://evil.org\uff0f.example.com/x", "RESOURCE_NOT_ALLOWED"},
		"no host":                 {"https://*/*", "https://:80/x", "RESOURCE_NOT_ALLOWED"},
		"end of another scheme":   {"docs://*.md", "docs://a/b.md", ""},
		"any host":                {"https://*", "https://evil.org/x", ""},
		"everything":              {"*", "note:x", ""},
		"any scheme":              {"*://docs/*", "x://docs/y", ""},
		"any scheme, other host":  {"*://docs/*", "x://evil/://docs/y", "RESOURCE_NOT_ALLOWED"},
		"user":                    {"https://good.com/*", "https://good.com@evil.org/", "INVALID_URI"},
		"relative":                {"*", "docs/a", "INVALID_URI"},
		"empty":                   {"*", "", "INVALID_URI"},
		"query":                   {"db://t?id=*", "db://t?id=7", ""},
		"dots that are no parent": {"file:///docs/*", "file:///docs/..a/b..", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := connect(t, toolscope.Config{Resources: pats(c.pattern)})
			for _, method := range []string{"resources/read", "resources/subscribe", "resources/unsubscribe"} {
				if _, code := l.agentSends(t, request(method, `{"uri":`+quote(c.uri)+`}`)); code != c.want {
					t.Errorf("%s: got %q, want %q", method, code, c.want)
				}
			}
			if _, code := l.serverSends(t, notification("notifications/resources/updated", `{"uri":`+quote(c.uri)+`}`)); code != c.want {
				t.Errorf("update: got %q, want %q", code, c.want)
			}
			want := `{"resources":[]}`
			if c.want == "" {
				want = `{"resources":[{"uri":` + quote(c.uri) + `}]}`
			}
			if got, _ := l.result(t, "resources/list", `{"resources":[{"uri":`+quote(c.uri)+`}]}`); got != want {
				t.Errorf("list: got %s", got)
			}
		})
	}
}

func TestURIsThatAreNoneAreInvalid(t *testing.T) {
	l := connect(t, everything)
	for _, params := range []string{`{}`, `{"uri":7}`, `{"uri":null}`, `{"uri":"a:\ud800"}`, `{"uri":"a:` + strings.Repeat("b", 8192) + `"}`} {
		if _, code := l.agentSends(t, request("resources/read", params)); code != "INVALID_URI" {
			t.Errorf("%.40s: got %q", params, code)
		}
	}
}

func TestTemplatesAreListedWhereTheyMayProduceWhatIsGranted(t *testing.T) {
	cases := map[string]struct {
		pattern, template string
		want              bool
	}{
		"below":                     {"file:///docs/*", "file:///docs/{name}", true},
		"further below":             {"file:///docs/*", "file:///docs/a/{name}", true},
		"may lead there":            {"file:///docs/*", "file:///{+path}", true},
		"whole":                     {"file:///docs/*", "{+uri}", true},
		"scheme":                    {"file:///docs/*", "{scheme}:///docs/a", true},
		"beside":                    {"file:///docs/*", "file:///etc/{name}", false},
		"other scheme":              {"file:///docs/*", "http://{host}/docs", false},
		"exact":                     {"file:///docs/a", "file:///docs/{name}", true},
		"longer than exact":         {"file:///docs/a", "file:///docs/a/{name}", false},
		"dots":                      {"file:///docs/*", "file:///docs/../{name}", false},
		"dot file":                  {"file:///docs/*", "file:///docs/.{name}", true},
		"no expression":             {"file:///docs/*", "file:///docs/a", true},
		"no expression, beside":     {"file:///docs/*", "file:///etc/a", false},
		"host of a domain":          {"https://*.example.com/*", "https://api.example.com/{x}", true},
		"other host":                {"https://*.example.com/*", "https://evil.org/{x}", false},
		"host is an expression":     {"https://*.example.com/*", "https://{host}/x", true},
		"backslash":                 {"*", `file:\\{x}`, false},
		"everything":                {"*", "any:{x}", true},
		"everything, no scheme yet": {"*", "{x}", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := connect(t, toolscope.Config{Resources: pats(c.pattern)})
			in := `{"resourceTemplates":[{"uriTemplate":` + quote(c.template) + `}]}`
			if got, _ := l.result(t, "resources/templates/list", in); (got == in) != c.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"file:///a/b", "FILE:///A/%7e", "http://Ex%61mple.com/%2F", "file:///a/../b", "file:///a/%2e%2e/b", "file:///a/%252e./b",
		"file:///a/..%2f..%5c..", "http://u@h/", "file:///a/%25%32%65%2e/x", "file:///a/ ../b", "urn:a:b", "file:////a/x", "file:///a//x",
	} {
		f.Add(seed)
	}
	l := connect(f, toolscope.Config{Resources: pats("file:///a/*")})
	f.Fuzz(func(t *testing.T, raw string) {
		normal, err := toolscope.Normalize(raw)
		if err != nil {
			return
		}
		if again, err := toolscope.Normalize(normal); err != nil || again != normal {
			t.Errorf("%q: normal form %q becomes %q, %v", raw, normal, again, err)
		}
		frame := new(wire.Frame)
		message := request("resources/read", `{"uri":`+quote(raw)+`}`)
		if wire.Parse(frame, []byte(message), wire.FromAgent, &wire.DefaultLimits) != nil || frame.String(wire.ParamsURI) != raw {
			return // not UTF-8
		}
		if _, code := l.decide(t, message, policy.ToUpstream); code != "" {
			return
		}
		// However a server decodes it, and whichever slash it uses, the path stays below /a.
		for decoded, depth := raw, 0; depth < 5; depth++ {
			p := strings.ReplaceAll(strings.TrimPrefix(decoded, "file://"), `\`, "/")
			if c := path.Clean(p); c != "/a" && !strings.HasPrefix(c, "/a/") {
				t.Errorf("%q leads to %q", raw, c)
			}
			next, err := url.PathUnescape(decoded)
			if err != nil {
				break
			}
			decoded = next
		}
	})
}
