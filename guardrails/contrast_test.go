package guardrails_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestTextThatDiffersFromStructuredContentIsOnRecord(t *testing.T) {
	for name, x := range map[string]struct {
		structured string
		texts      []string
		differs    bool
	}{
		"the same":                   {`{"a":[1,{"b":"x"}]}`, []string{`{ "a" : [1, {"b":"\u0078"}] }`}, false},
		"other order":                {`{"a":1,"b":2}`, []string{`{"b":2,"a":1}`}, false},
		"one of several":             {`{"a":1}`, []string{"see below", `{"x":1}`, `{"a":1}`}, false},
		"prose":                      {`{"a":1}`, []string{"a is 2"}, false},
		"no text":                    {`{"a":1}`, nil, false},
		"wrapped":                    {`{"result":[1,2]}`, []string{`[1,2]`}, false},
		"another value":              {`{"a":1}`, []string{`{"a":2}`}, true},
		"blanks before it":           {`{"a":1}`, []string{"\n\t {\"a\":2}"}, true},
		"a blank before it":          {`{"a":1}`, []string{` [2]`}, true},
		"in the second text":         {`{"a":1}`, []string{"a is 2", `{"a":2}`}, true},
		"less":                       {`{"a":1,"b":2}`, []string{`{"a":1}`}, true},
		"wrapped, another":           {`{"result":[1,2]}`, []string{`[1,3]`}, true},
		"more behind it, so no JSON": {`{"a":1}`, []string{`{"a":1} {"b":2}`}, false},
		"more than is worth":         {`{"a":1}`, []string{`{"a":"` + strings.Repeat("x", 256<<10) + `"}`}, false},
		"no structured thing":        {`[1]`, []string{`[2]`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var blocks []string
			for _, text := range x.texts {
				blocks = append(blocks, fmt.Sprintf(`{"type":"text","text":%q}`, text))
			}
			raw := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"content":[%s],"structuredContent":%s}}`, strings.Join(blocks, ","), x.structured)
			got, out := answer(t, connection(t, ""), raw)
			if got != raw || !out.Allowed {
				t.Fatalf("got %.300s, %+v", got, out)
			}
			if differs := len(out.Findings) == 1 && strings.HasPrefix(out.Findings[0].Detail, "structured content: "); differs != x.differs || len(out.Findings) > 1 {
				t.Errorf("on record: %+v", out.Findings)
			}
		})
	}
}
