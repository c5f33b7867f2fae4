package toolscope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

func TestToolsAreGrantedByNameAndTask(t *testing.T) {
	cases := map[string]struct {
		cfg  toolscope.Config
		tool string
		want string
	}{
		"nothing written":             {toolscope.Config{}, "get_x", "TOOL_NOT_ALLOWED"},
		"empty tools":                 {toolscope.Config{Tools: tools()}, "get_x", "TOOL_NOT_ALLOWED"},
		"named":                       {toolscope.Config{Tools: tools("get_x")}, "get_x", ""},
		"second pattern":              {toolscope.Config{Tools: tools("list_*", "get_*")}, "get_x", ""},
		"no pattern":                  {toolscope.Config{Tools: tools("list_*", "get_*")}, "create_x", "TOOL_NOT_ALLOWED"},
		"other case":                  {toolscope.Config{Tools: tools("get_x")}, "Get_x", "TOOL_NOT_ALLOWED"},
		"trailing space":              {toolscope.Config{Tools: tools("get_x")}, "get_x ", "TOOL_NOT_ALLOWED"},
		"full-width letter":           {toolscope.Config{Tools: tools("get_x")}, "get_\uff58", "TOOL_NOT_ALLOWED"},
		"zero-width space":            {toolscope.Config{Tools: tools("get_x")}, "get_\u200bx", "TOOL_NOT_ALLOWED"},
		"denied":                      {toolscope.Config{Tools: tools("*"), Deny: pats("get_x")}, "get_x", "TOOL_DENIED"},
		"denied by pattern":           {toolscope.Config{Tasks: tasks("read"), Deny: pats("*_x")}, "get_x", "TOOL_DENIED"},
		"deny grants nothing":         {toolscope.Config{Deny: pats("get_y")}, "get_x", "TOOL_NOT_ALLOWED"},
		"task":                        {toolscope.Config{Tasks: tasks("read")}, "get_x", ""},
		"other task":                  {toolscope.Config{Tasks: tasks("read")}, "create_x", "TASK_NOT_ALLOWED"},
		"first task wins":             {toolscope.Config{Tasks: tasks("write")}, "get_and_set", "TASK_NOT_ALLOWED"},
		"two tasks":                   {toolscope.Config{Tasks: tasks("read", "write")}, "create_x", ""},
		"no task":                     {toolscope.Config{Tasks: tasks("read", "write")}, "rm", "TASK_NOT_ALLOWED"},
		"unclassified":                {toolscope.Config{Tasks: tasks("unclassified")}, "rm", ""},
		"empty tasks":                 {toolscope.Config{Tasks: tasks()}, "get_x", "TASK_NOT_ALLOWED"},
		"empty tasks, all tools":      {toolscope.Config{Tasks: tasks(), Tools: tools("*")}, "get_x", "TASK_NOT_ALLOWED"},
		"tool without its task":       {toolscope.Config{Tasks: tasks("write"), Tools: tools("get_x")}, "get_x", "TASK_NOT_ALLOWED"},
		"task without the tool":       {toolscope.Config{Tasks: tasks("read"), Tools: tools("list_x")}, "get_x", "TOOL_NOT_ALLOWED"},
		"task, empty tools":           {toolscope.Config{Tasks: tasks("read"), Tools: tools()}, "get_x", "TOOL_NOT_ALLOWED"},
		"both":                        {toolscope.Config{Tasks: tasks("read"), Tools: tools("*_x")}, "get_x", ""},
		"method left out":             {toolscope.Config{Tools: tools("*"), Methods: pats("tools/list")}, "get_x", "METHOD_NOT_GRANTED"},
		"never":                       {toolscope.Config{Tools: tools("get_x?1 == 2")}, "get_x", "TOOL_NOT_ALLOWED"},
		"neither true nor false":      {toolscope.Config{Tools: tools("get_x?dyn(1)")}, "get_x", "TOOL_NOT_ALLOWED"},
		"never for this tool":         {toolscope.Config{Tools: tools("*"), When: expr(`tool.name == "get_y"`)}, "get_x", "TOOL_NOT_ALLOWED"},
		"for this tool":               {toolscope.Config{Tools: tools("*"), When: expr(`tool.name == "get_x"`)}, "get_x", ""},
		"never for this task":         {toolscope.Config{Tools: tools("*"), When: expr(`tool.task == "write"`)}, "get_x", "TOOL_NOT_ALLOWED"},
		"never for this agent":        {toolscope.Config{Tools: tools("*"), When: expr(`agent.name == "other"`)}, "get_x", "TOOL_NOT_ALLOWED"},
		"for this agent":              {toolscope.Config{Tools: tools("*"), When: expr(`agent.name == "bot"`)}, "get_x", ""},
		"one entry never, one always": {toolscope.Config{Tools: tools("get_x?false", "get_*")}, "get_x", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if code := connect(t, c.cfg).call(t, c.tool, "{}"); code != c.want {
				t.Errorf("got %q, want %q", code, c.want)
			}
		})
	}
}

func TestNamesThatAreNoneAreInvalid(t *testing.T) {
	l := connect(t, everything)
	for name, params := range map[string]string{
		"missing": `{}`, "number": `{"name":7}`, "null": `{"name":null}`, "empty": `{"name":""}`, "array": `{"name":["get_x"]}`,
		"long": `{"name":"` + strings.Repeat("n", 129) + `"}`, "NUL": `{"name":"get_x\u0000"}`, "newline": `{"name":"get_x\n"}`,
		"delete": `{"name":"get_x\u007f"}`, "lone surrogate": `{"name":"get_\ud800"}`,
	} {
		for _, method := range []string{"tools/call", "prompts/get"} {
			if _, code := l.agentSends(t, request(method, params)); code != "INVALID_NAME" {
				t.Errorf("%s, %s: got %q", method, name, code)
			}
		}
	}
	if code := l.call(t, strings.Repeat("n", 128), "{}"); code != "" {
		t.Errorf("the longest name: got %q", code)
	}
}

func TestANameMeansTheSameInEverySpelling(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("get_x")})
	raw := request("tools/call", `{"n\u0061me":"\u0067et_x"}`)
	if sent, code := l.agentSends(t, raw); sent != raw {
		t.Errorf("got %q %s", code, sent)
	}
}

func TestConditionsDecideOnArguments(t *testing.T) {
	cases := map[string]struct{ when, args, want string }{
		"integer":                   {"args.limit <= 500", `{"limit":10}`, ""},
		"fraction":                  {"args.limit <= 500", `{"limit":10.5}`, ""},
		"exponent":                  {"args.limit <= 500", `{"limit":5e2}`, ""},
		"too much":                  {"args.limit <= 500", `{"limit":501}`, "ARGUMENT_NOT_ALLOWED"},
		"a little too much":         {"args.limit <= 500", `{"limit":500.0000001}`, "ARGUMENT_NOT_ALLOWED"},
		"missing":                   {"args.limit <= 500", `{}`, "CONDITION_FAILED"},
		"text":                      {"args.limit <= 500", `{"limit":"10"}`, "CONDITION_FAILED"},
		"null":                      {"args.limit <= 500", `{"limit":null}`, "CONDITION_FAILED"},
		"object":                    {"args.limit <= 500", `{"limit":{"a":1}}`, "CONDITION_FAILED"},
		"beyond int64":              {"args.limit > 500", `{"limit":9223372036854775808}`, "CONDITION_FAILED"},
		"largest int64":             {"args.limit == 9223372036854775807", `{"limit":9223372036854775807}`, ""},
		"far below int64":           {"args.limit < 500", `{"limit":-99999999999999999999}`, "CONDITION_FAILED"},
		"beyond double":             {"args.limit > 500.0", `{"limit":1e400}`, "CONDITION_FAILED"},
		"beyond int64 in a part":    {"size(args.list) < 9", `{"list":[1,[{"a":9223372036854775808}]]}`, "CONDITION_FAILED"},
		"beyond int64 elsewhere":    {"args.limit <= 500", `{"limit":1,"other":9223372036854775808}`, ""},
		"beyond int64 in the whole": {"size(args) < 9", `{"limit":1,"other":9223372036854775808}`, "CONDITION_FAILED"},
		"guarded and missing":       {"!has(args.limit) || args.limit <= 500", `{}`, ""},
		"guarded and there":         {"!has(args.limit) || args.limit <= 500", `{"limit":501}`, "ARGUMENT_NOT_ALLOWED"},
		"no arguments":              {"!has(args.limit)", `null`, ""},
		"arguments are a list":      {"!has(args.limit)", `[1]`, "CONDITION_FAILED"},
		"text equal":                {`args.owner == "acme"`, `{"owner":"acme"}`, ""},
		"text in escapes":           {`args.owner == "acme"`, `{"\u006fwner":"\u0061cme"}`, ""},
		"text of other case":        {`args.owner == "acme"`, `{"owner":"ACME"}`, "ARGUMENT_NOT_ALLOWED"},
		"lower case":                {`args.owner.lowerAscii() == "acme"`, `{"owner":"ACME"}`, ""},
		"lone surrogate":            {`args.owner != "acme"`, `{"owner":"\ud800"}`, "CONDITION_FAILED"},
		"lone surrogate in a key":   {`size(args.o) == 1`, `{"o":{"\ud800":1}}`, "CONDITION_FAILED"},
		"list":                      {`args.tags.all(t, t in ["a", "b"])`, `{"tags":["a","b"]}`, ""},
		"list with more":            {`args.tags.all(t, t in ["a", "b"])`, `{"tags":["a","c"]}`, "ARGUMENT_NOT_ALLOWED"},
		"no list":                   {`args.tags.all(t, t in ["a", "b"])`, `{"tags":"a"}`, "CONDITION_FAILED"},
		"nested":                    {`args.filter.owner == "acme"`, `{"filter":{"owner":"acme"}}`, ""},
		"index":                     {`args["owner"] == "acme"`, `{"owner":"acme"}`, ""},
		"quoted identifier":         {"args.`user-id` == 7", `{"user-id":7}`, ""},
		"keys":                      {`args.all(k, k in ["a", "b"])`, `{"a":1,"c":2}`, "ARGUMENT_NOT_ALLOWED"},
		"boolean":                   {`args.dry_run`, `{"dry_run":true}`, ""},
		"no boolean":                {`args.dry_run`, `{"dry_run":"yes"}`, "CONDITION_FAILED"},
		"true":                      {`args.a == true && args.b == false && args.c == null`, `{"a":true,"b":false,"c":null}`, ""},
		"glob":                      {`glob("acme/*", args.repo)`, `{"repo":"acme/x"}`, ""},
		"no glob":                   {`glob("acme/*", args.repo)`, `{"repo":"evil/acme/x"}`, "ARGUMENT_NOT_ALLOWED"},
		"glob of a number":          {`glob("*", args.repo)`, `{"repo":1}`, "CONDITION_FAILED"},
		"path":                      {`path_within(args.path, "/srv/docs")`, `{"path":"/srv/docs/a.txt"}`, ""},
		"path outside":              {`path_within(args.path, "/srv/docs")`, `{"path":"/srv/docs/../../etc/passwd"}`, "ARGUMENT_NOT_ALLOWED"},
		"client":                    {`client.name == "ide"`, `{}`, ""},
		"time":                      {`now < timestamp("2027-01-01T00:00:00Z")`, `{}`, ""},
		"time past":                 {`now.getHours() < 9`, `{}`, "ARGUMENT_NOT_ALLOWED"},
		"cost":                      {`args.l.all(x, args.l.all(y, x <= y || x > y))`, `{"l":[` + strings.Repeat("1,", 500) + `1]}`, "CONDITION_FAILED"},
		"cost of a glob":            {`glob("*a*b*c*", args.s)`, `{"s":"` + strings.Repeat("a", 100_000) + `"}`, "CONDITION_FAILED"},
		"values":                    {`size(args.l) > 0`, `{"l":[` + strings.Repeat("1,", 10_000) + `1]}`, "CONDITION_FAILED"},
		"division by zero":          {`1 / args.n == 1`, `{"n":0}`, "CONDITION_FAILED"},
		"either way":                {`args.a == 1 || args.b == 1`, `{"b":1}`, ""},
		"tool and argument":         {`tool.name != "get_x" || args.n == 1`, `{"n":2}`, "ARGUMENT_NOT_ALLOWED"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for where, cfg := range map[string]toolscope.Config{
				"entry":      {Tools: tools("get_x?" + c.when)},
				"connection": {Tasks: tasks("read"), When: expr(c.when)},
			} {
				if code := connect(t, cfg).call(t, "get_x", c.args); code != c.want {
					t.Errorf("in the %s: got %q, want %q", where, code, c.want)
				}
			}
		})
	}
}

func TestOneEntryThatGrantsIsEnough(t *testing.T) {
	l := connect(t, toolscope.Config{
		Tools: tools("get_*?args.n <= 5", `get_x?args.owner == "acme"`, "list_*"), When: expr("!has(args.dry) || args.dry"),
	})
	for args, want := range map[string]string{
		`{"n":1}`:                         "",
		`{"n":6,"owner":"acme"}`:          "",
		`{"owner":"acme"}`:                "",
		`{"n":6,"owner":"evil"}`:          "ARGUMENT_NOT_ALLOWED",
		`{"n":6}`:                         "CONDITION_FAILED",
		`{"n":1,"dry":false}`:             "ARGUMENT_NOT_ALLOWED",
		`{"n":"x","owner":"acme"}`:        "",
		`{"n":1,"owner":"x","dry":"yes"}`: "CONDITION_FAILED",
	} {
		if code := l.call(t, "get_x", args); code != want {
			t.Errorf("%s: got %q, want %q", args, code, want)
		}
	}
	if code := l.call(t, "list_x", "{}"); code != "" {
		t.Errorf("the entry without a condition: got %q", code)
	}
}

func TestRefusalsHoldNoContent(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools(`get_x?int(args.n) > 5 && args.s.matches("a+")`, "get_y?timestamp(args.t) < now")})
	for _, args := range []string{
		`{"n":"SECRET"}`, `{"n":9,"s":"SECRET"}`, `{"n":"9","SECRET":1}`, `{"t":"SECRET"}`, `{"n":["SECRET"]}`,
	} {
		for _, tool := range []string{"get_x", "get_y"} {
			c := l.message(t, request("tools/call", `{"name":"`+tool+`","arguments":`+args+`}`), policy.ToUpstream)
			_, out, _ := policy.Decide(t.Context(), c)
			if text := fmt.Sprint(out.Detail, out.Reason.Answer.Text, out.Fault); out.Allowed || strings.Contains(text, "SECRET") {
				t.Errorf("%s %s: %s", tool, args, text)
			}
		}
	}
}

func TestAToolWhoseSchemaTheConditionDoesNotFitIsWithheld(t *testing.T) {
	const schema = `{"type":"object","properties":{
		"limit":{"type":"integer"},"ratio":{"type":"number"},"owner":{"type":"string"},"color":{"enum":["red","green"]},
		"tags":{"type":"array","items":{"type":"string"}},"dry":{"type":"boolean"},"free":{},
		"maybe":{"type":["string","null"]},"any":{"anyOf":[{"type":"string"},{"type":"null"}]},
		"items":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"}}}},
		"filter":{"type":"object","properties":{"since":{"type":"string"},"deep":{"type":"object","properties":{"n":{"type":"integer"}}}}},
		"open":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":true},
		"closed":{"type":"object","additionalProperties":false},"user-id":{"type":"integer"}}}`
	cases := map[string]struct{ when, detail string }{
		"integer":                {"args.limit <= 500", ""},
		"integer and fraction":   {"args.limit <= 500.5", ""},
		"number and integer":     {"args.ratio == 10 && args.ratio <= 0.5", ""},
		"enum":                   {`args.color == "red"`, ""},
		"enum and number":        {`args.color == 1`, "when does not fit the input schema: found no matching overload for '_==_' applied to '(string, int)'"},
		"list":                   {`args.tags.all(t, t.startsWith("a")) && "a" in args.tags && size(args.tags) < 5`, ""},
		"list of numbers":        {`1 in args.tags`, "when does not fit the input schema: found no matching overload for '@in' applied to '(int, list(string))'"},
		"objects in a list":      {`args.items.all(i, i.name != "x" && i.other != i)`, ""},
		"typing error":           {"args.lmit <= 500", `"lmit" is not a parameter of get_x (did you mean "limit"?)`},
		"far from any":           {"args.whatever <= 500", `"whatever" is not a parameter of get_x`},
		"nested":                 {`args.filter.since > "2026" && args.filter.deep.n == 1`, ""},
		"nested typing error":    {`args.filter.sinc > "2026"`, `"sinc" is not a parameter of get_x (did you mean "since"?)`},
		"deeply nested":          {`args.filter.deep.m == 1`, `"m" is not a parameter of get_x`},
		"nested object as map":   {`size(args.filter) < 3 && args.filter.sinc == 1`, ""},
		"text and number":        {`args.owner <= 5`, "when does not fit the input schema: found no matching overload for '_<=_' applied to '(string, int)'"},
		"method of text":         {`args.limit.startsWith("1")`, "when does not fit the input schema: found no matching overload for 'startsWith' applied to 'int.(string)'"},
		"boolean":                {"args.dry", ""},
		"text as boolean":        {"args.owner || args.dry", "when does not fit the input schema: expected type 'bool' but found 'string'"},
		"no type":                {`args.free == 1 || args.free.x == "y"`, ""},
		"two types":              {`args.maybe == null || args.maybe.startsWith("x")`, ""},
		"alternatives":           {`args.any == null || args.any.startsWith("x")`, ""},
		"open object":            {`args.open.b == 1`, ""},
		"closed object":          {`args.closed.b == 1`, `"b" is not a parameter of get_x`},
		"asked for in one tool":  {`!has(args.lmit) || args.limit < 5`, `"lmit" is not a parameter of get_x (did you mean "limit"?)`},
		"index":                  {`args["limit"] <= 500`, ""},
		"quoted identifier":      {"args.`user-id` == 7", ""},
		"quoted typing error":    {"args.`userid` == 7", `"userid" is not a parameter of get_x (did you mean "user-id"?)`},
		"arguments as map":       {`args.all(k, k != "x") && args.lmit == 1`, ""},
		"tool, agent and client": {`tool.name == "get_x" && agent.name == "bot" && client.name != tool.task`, ""},
		"variable named args":    {`[{"foo": 1}].all(args, args.foo == 1)`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := connect(t, toolscope.Config{Tools: tools("get_x?" + c.when)})
			l.learn(t, `[{"name":"get_x","inputSchema":`+schema+`}]`)
			_, out, _ := policy.Decide(t.Context(), l.message(t, request("tools/call", `{"name":"get_x"}`), policy.ToUpstream))
			if c.detail == "" {
				if !out.Allowed && out.Reason.Code == "CONDITION_MISMATCH" {
					t.Errorf("withheld: %s", out.Detail)
				}
				return
			}
			if out.Allowed || out.Reason.Code != "CONDITION_MISMATCH" || out.Detail != c.detail || out.At.Line != 50 {
				t.Errorf("got %v %q at %v, want %q", out.Reason, out.Detail, out.At, c.detail)
			}
			if out.Reason != nil && out.Reason.Answer != policy.AnswerUnknown {
				t.Error("a withheld tool does not answer as an unknown one")
			}
			if shown, _ := l.result(t, "tools/list", `{"tools":[{"name":"get_x"}]}`); shown != `{"tools":[]}` {
				t.Errorf("listed: %s", shown)
			}
		})
	}
}

func TestConditionsForSeveralToolsMayAskForWhatOneLacks(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*?!has(args.owner) || args.owner == 'acme'"), When: expr("!has(args.dry) || args.dry")})
	l.learn(t, `[{"name":"a","inputSchema":{"type":"object","properties":{"owner":{"type":"string"}}}},
		{"name":"b","inputSchema":{"type":"object","additionalProperties":false}},{"name":"c"}]`)
	for tool, want := range map[string]string{"a": "ARGUMENT_NOT_ALLOWED", "b": "ARGUMENT_NOT_ALLOWED", "c": "ARGUMENT_NOT_ALLOWED"} {
		if code := l.call(t, tool, `{"owner":"evil"}`); code != want {
			t.Errorf("%s: got %q, want %q", tool, code, want)
		}
		if code := l.call(t, tool, `{}`); code != "" {
			t.Errorf("%s without arguments: got %q", tool, code)
		}
	}
}

func TestAMismatchConcernsOnlyTheEntryThatHasIt(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("get_x?args.lmit <= 5", "get_x?args.limit <= 5")})
	l.learn(t, `[{"name":"get_x","inputSchema":{"type":"object","properties":{"limit":{"type":"integer"}}}}]`)
	for args, want := range map[string]string{
		`{"limit":5}`: "", `{"limit":6}`: "ARGUMENT_NOT_ALLOWED", `{"lmit":5}`: "CONDITION_FAILED",
	} {
		if code := l.call(t, "get_x", args); code != want {
			t.Errorf("%s: got %q, want %q", args, code, want)
		}
	}
	if code := l.call(t, "get_x", `{"lmit":5,"limit":6}`); code != "ARGUMENT_NOT_ALLOWED" {
		t.Errorf("the entry that does not fit granted the call: %q", code)
	}
	l = connect(t, toolscope.Config{Tools: tools("get_x?args.lmit <= 5", "get_*?false")})
	l.learn(t, `[{"name":"get_x","inputSchema":{"type":"object","properties":{"limit":{"type":"integer"}}}}]`)
	if code := l.call(t, "get_x", `{}`); code != "CONDITION_MISMATCH" {
		t.Errorf("the reason that the operator can mend is not told: %q", code)
	}
}

func TestTheSchemaThatWasSeenLastDecides(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("get_x?args.limit <= 5")})
	steps := []struct{ schema, want string }{
		{`{"type":"object","properties":{"limit":{"type":"integer"}}}`, ""},
		{`{"type":"object","properties":{"limit":{"type":"string"}}}`, "CONDITION_MISMATCH"},
		{`{"type":"object","properties":{"limit":{"type":"string"}}}`, "CONDITION_MISMATCH"},
		{`{"type":"object","properties":{"max":{"type":"integer"}}}`, "CONDITION_MISMATCH"},
		{`{"type":"object"}`, ""},
		{`true`, ""},
		{`{"type":"object","properties":{"limit":{"type":"integer"}},"additionalProperties":false}`, ""},
	}
	for i, s := range steps {
		l.learn(t, `[{"name":"other"},{"name":"get_x","inputSchema":`+s.schema+`}]`)
		if code := l.call(t, "get_x", `{"limit":5}`); code != s.want {
			t.Errorf("step %d: got %q, want %q", i, code, s.want)
		}
	}
}

func TestExplainSeesEachCheckWithItsRule(t *testing.T) {
	l := connect(t, toolscope.Config{
		Tools: tools("list_*", "get_*?args.n <= 5"), Deny: pats("drop_*"), Tasks: tasks("read"), When: expr("size(args) > 0"),
	})
	c := l.message(t, request("tools/call", `{"name":"get_x","arguments":{"n":1}}`), policy.ToUpstream)
	var got []string
	c.Trace = func(s policy.Step) { got = append(got, fmt.Sprintf("%s %s %v", s.Check, s.Detail, s.At.Line)) }
	if _, out, _ := policy.Decide(t.Context(), c); !out.Allowed {
		t.Fatal(out)
	}
	want := []string{"method  99", "deny  1", "task read 60", "tool get_* 2", "when size(args) > 0 50", "when args.n <= 5 50"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestVerdictsNameTheRuleThatDecided(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("a*", "b*", "c*?args.n > 1"), Deny: pats("a1", "a2"), Prompts: pats("p", "q"), Resources: pats("x:*", "y:*")})
	for raw, line := range map[string]int{
		request("tools/call", `{"name":"a2"}`):                       2,
		request("tools/call", `{"name":"b"}`):                        2,
		request("tools/call", `{"name":"c","arguments":{"n":1}}`):    50,
		request("tools/call", `{"name":"d"}`):                        99,
		request("prompts/get", `{"name":"q"}`):                       2,
		request("prompts/get", `{"name":"r"}`):                       99,
		request("resources/read", `{"uri":"y:1"}`):                   2,
		request("resources/read", `{"uri":"z:1"}`):                   99,
		request("completion/complete", `{"ref":{"type":"ref/any"}}`): 99,
	} {
		v, err := l.check(t.Context(), l.message(t, raw, policy.ToUpstream))
		if err != nil || v.At.Line != line {
			t.Errorf("%s: got %v %v, want line %d", raw, v.At, err, line)
		}
	}
}

func TestWhatIsJudgedIsWhatIsSent(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("get_x?args.a == 1")})
	raw := request("tools/call", "{ \"arguments\" : {\"b\":1e400,\"a\":1 , \"c\":\"\\ud800\"},\n\"name\":\"get_x\",\"x\":-0}")
	if sent, code := l.agentSends(t, raw); sent != raw {
		t.Errorf("got %q %s", code, sent)
	}
}
