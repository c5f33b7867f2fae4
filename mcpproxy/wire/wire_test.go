package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

var limits = wire.DefaultLimits

func call(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
}

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestParseRefusesWhatIsAmbiguous(t *testing.T) {
	keys := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(`"k` + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + strings.Repeat("y", i/1300) + `_` + itoa(i) + `":1,`)
		}
		return call(`{"name":"t","arguments":{` + b.String() + `"last":1}}`)
	}
	cases := map[string]struct {
		in   string
		want *wire.Problem
	}{
		"empty":                            {"", wire.NotJSON},
		"only white space":                 {" \n", wire.NotJSON},
		"not JSON":                         {"hello", wire.NotJSON},
		"scalar":                           {"17", wire.NotObject},
		"string":                           {`"x"`, wire.NotObject},
		"trailing garbage":                 {call(`{"name":"t"}`) + "x", wire.TrailingData},
		"two objects":                      {call(`{"name":"t"}`) + call(`{"name":"u"}`), wire.TrailingData},
		"byte order mark":                  {"\ufeff" + call(`{"name":"t"}`), wire.NotJSON},
		"batch":                            {"[" + call(`{"name":"t"}`) + "]", wire.Batch},
		"empty batch":                      {"[]", wire.Batch},
		"broken batch":                     {"[1,", wire.NotJSON},
		"no version":                       {`{"id":1,"method":"ping"}`, wire.BadVersion},
		"version 1.0":                      {`{"jsonrpc":"1.0","id":1,"method":"ping"}`, wire.BadVersion},
		"version is a number":              {`{"jsonrpc":2.0,"id":1,"method":"ping"}`, wire.BadVersion},
		"id null":                          {`{"jsonrpc":"2.0","id":null,"method":"ping"}`, wire.BadID},
		"id object":                        {`{"jsonrpc":"2.0","id":{},"method":"ping"}`, wire.BadID},
		"id array":                         {`{"jsonrpc":"2.0","id":[1],"method":"ping"}`, wire.BadID},
		"id true":                          {`{"jsonrpc":"2.0","id":true,"method":"ping"}`, wire.BadID},
		"id 1.5":                           {`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, wire.BadID},
		"id 1.0":                           {`{"jsonrpc":"2.0","id":1.0,"method":"ping"}`, wire.BadID},
		"id 1e400":                         {`{"jsonrpc":"2.0","id":1e400,"method":"ping"}`, wire.BadID},
		"id of 300 bytes":                  {`{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 300) + `","method":"ping"}`, wire.BadID},
		"result and error":                 {`{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`, wire.BadEnvelope},
		"method and result":                {`{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}`, wire.BadEnvelope},
		"params without method":            {`{"jsonrpc":"2.0","id":1,"params":{}}`, wire.BadEnvelope},
		"nothing but an id":                {`{"jsonrpc":"2.0","id":1}`, wire.BadEnvelope},
		"answer without id":                {`{"jsonrpc":"2.0","result":{}}`, wire.BadID},
		"method is a number":               {`{"jsonrpc":"2.0","id":1,"method":7}`, wire.BadMethod},
		"method is empty":                  {`{"jsonrpc":"2.0","id":1,"method":""}`, wire.BadMethod},
		"method of 129 bytes":              {`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 129) + `"}`, wire.BadMethod},
		"params array":                     {call("[]"), wire.BadParams},
		"params null":                      {call("null"), wire.BadParams},
		"result is a string":               {`{"jsonrpc":"2.0","id":1,"result":"x"}`, wire.BadResult},
		"error is a string":                {`{"jsonrpc":"2.0","id":1,"error":"x"}`, wire.BadError},
		"error without code":               {`{"jsonrpc":"2.0","id":1,"error":{"message":"x"}}`, wire.BadError},
		"error with fractional code":       {`{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"x"}}`, wire.BadError},
		"Method":                           {`{"jsonrpc":"2.0","id":1,"Method":"ping"}`, wire.CaseVariant},
		"params.NAME":                      {call(`{"NAME":"t"}`), wire.CaseVariant},
		"paramſ":                           {`{"jsonrpc":"2.0","id":1,"method":"ping","param` + "\u017f" + `":{}}`, wire.CaseVariant},
		"escaped paramſ":                   {`{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}`, wire.CaseVariant},
		"method with NUL":                  {`{"jsonrpc":"2.0","id":1,"method\u0000":"ping"}`, wire.CaseVariant},
		"name with NUL":                    {call(`{"name":"t","name\u0000":"u"}`), wire.CaseVariant},
		"progresstoken in _meta":           {call(`{"name":"t","_meta":{"progresstoken":1}}`), wire.CaseVariant},
		"Sampling in capabilities":         {`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"Sampling":{}}}}`, wire.CaseVariant},
		"duplicate method":                 {`{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, wire.DuplicateKey},
		"duplicate in escaped spelling":    {`{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}`, wire.DuplicateKey},
		"method and METHOD":                {`{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call"}`, wire.CaseVariant},
		"duplicate name":                   {call(`{"name":"t","name":"u"}`), wire.DuplicateKey},
		"duplicate in arguments":           {call(`{"name":"t","arguments":{"a":{"k":1,"k":2}}}`), wire.DuplicateKey},
		"duplicate through surrogates":     {call(`{"name":"t","arguments":{"\ud800":1,"\udfff":2}}`), wire.DuplicateKey},
		"duplicate among many":             {strings.Replace(keys(200), `"last"`, `"kxxxd_3"`, 1), wire.DuplicateKey},
		"unknown top-level member":         {`{"jsonrpc":"2.0","id":1,"method":"ping","x":1}`, wire.UnknownMember},
		"NaN":                              {call(`{"name":"t","arguments":{"a":NaN}}`), wire.NotJSON},
		"comment":                          {call(`{"name":"t"/* c */}`), wire.NotJSON},
		"single quotes":                    {`{'jsonrpc':'2.0'}`, wire.NotJSON},
		"trailing comma":                   {call(`{"name":"t",}`), wire.NotJSON},
		"control character in a string":    {call("{\"name\":\"t\x01\"}"), wire.NotJSON},
		"raw newline in a string":          {call("{\"name\":\"t\n\"}"), wire.NotJSON},
		"bad escape":                       {call(`{"name":"\x41"}`), wire.NotJSON},
		"leading zero":                     {call(`{"a":01}`), wire.NotJSON},
		"plus sign":                        {call(`{"a":+1}`), wire.NotJSON},
		"bare fraction":                    {call(`{"a":1.}`), wire.NotJSON},
		"invalid UTF-8":                    {call("{\"name\":\"t\",\"arguments\":{\"v\":\"\xff\xfe\"}}"), wire.NotUTF8},
		"overlong UTF-8":                   {call("{\"name\":\"\xc0\x80\"}"), wire.NotUTF8},
		"UTF-8 of a surrogate":             {call("{\"name\":\"\xed\xa0\x80\"}"), wire.NotUTF8},
		"invalid UTF-8 in a name":          {call("{\"\xff\":1}"), wire.NotUTF8},
		"UTF-16":                           {"\xff\xfe{\x00}\x00", wire.NotJSON},
		"nesting of 255 in params":         {call(`{"a":` + nested(255) + `}`), wire.TooDeep},
		"nesting of 200,000":               {call(`{"a":` + nested(200_000) + `}`), wire.TooDeep},
		"10,001 members":                   {keys(10_000), wire.TooManyKeys},
		"number of 10,000 digits":          {call(`{"a":` + strings.Repeat("9", 10_000) + `}`), wire.LongNumber},
		"larger than the limit":            {call(`{"a":"` + strings.Repeat("x", limits.Frame) + `"}`), wire.TooLarge},
		"result from an agent with Action": {`{"jsonrpc":"2.0","id":1,"result":{"Action":"accept"}}`, wire.CaseVariant},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var f wire.Frame
			err := wire.Parse(&f, []byte(c.in), wire.FromAgent, &limits)
			var fault *wire.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("accepted, want %s", c.want.Name)
			}
			if fault.Problem != c.want {
				t.Errorf("got %s, want %s", fault.Problem.Name, c.want.Name)
			}
			if f.Kind != wire.KindNone || f.Has(wire.Method) {
				t.Error("a refused frame can be acted on")
			}
		})
	}
}

func itoa(i int) string { b, _ := json.Marshal(i); return string(b) }

func TestParseAcceptsWhatIsUnusualButClear(t *testing.T) {
	cases := map[string]struct {
		in   string
		from wire.Side
		kind wire.Kind
	}{
		"request":                     {call(`{"name":"t"}`), wire.FromAgent, wire.KindRequest},
		"white space around":          {" \r\n\t" + call(`{"name":"t"}`) + "\n", wire.FromAgent, wire.KindRequest},
		"notification":                {`{"jsonrpc":"2.0","method":"notifications/initialized"}`, wire.FromAgent, wire.KindNotification},
		"escaped member name":         {`{"jsonrpc":"2.0","id":1,"m\u0065thod":"ping"}`, wire.FromAgent, wire.KindRequest},
		"id beyond 2^53":              {`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, wire.FromAgent, wire.KindRequest},
		"empty id":                    {`{"jsonrpc":"2.0","id":"","method":"ping"}`, wire.FromAgent, wire.KindRequest},
		"negative id":                 {`{"jsonrpc":"2.0","id":-1,"method":"ping"}`, wire.FromAgent, wire.KindRequest},
		"numbers no float can hold":   {call(`{"name":"t","arguments":{"a":1e400,"b":-0,"c":1E+2,"d":1e-400}}`), wire.FromAgent, wire.KindRequest},
		"lone surrogate":              {call(`{"name":"t","arguments":{"a":"\ud800"}}`), wire.FromAgent, wire.KindRequest},
		"case variants in arguments":  {call(`{"name":"t","arguments":{"a":1,"A":2,"Name":3}}`), wire.FromAgent, wire.KindRequest},
		"case variants below _meta":   {call(`{"name":"t","_meta":{"x":{"Name":1,"name":2}}}`), wire.FromAgent, wire.KindRequest},
		"same name in other objects":  {call(`{"name":"t","arguments":{"a":{"k":1},"b":{"k":2},"k":3}}`), wire.FromAgent, wire.KindRequest},
		"unknown params":              {call(`{"name":"t","x-param":1}`), wire.FromAgent, wire.KindRequest},
		"nesting of 200 in arguments": {call(`{"name":"t","arguments":{"v":` + nested(200) + `}}`), wire.FromAgent, wire.KindRequest},
		"__proto__":                   {call(`{"name":"t","arguments":{"__proto__":{"x":1}}}`), wire.FromAgent, wire.KindRequest},
		"elicitation answer":          {`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"Type":"x","Text":"y"}}}`, wire.FromAgent, wire.KindResult},
		"result":                      {`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","inputSchema":{"Name":1}}]}}`, wire.FromUpstream, wire.KindResult},
		"unknown member of a server":  {`{"jsonrpc":"2.0","id":1,"result":{},"x":1}`, wire.FromUpstream, wire.KindResult},
		"error":                       {`{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m","data":1.0}}`, wire.FromUpstream, wire.KindError},
		"error with id null":          {`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}`, wire.FromUpstream, wire.KindError},
		"error without id":            {`{"jsonrpc":"2.0","error":{"code":-32700,"message":"m"}}`, wire.FromUpstream, wire.KindError},
		"10,000 members":              {call(`{` + strings.TrimSuffix(manyKeys(9_994), ",") + `}`), wire.FromAgent, wire.KindRequest},
		"500 objects of 19 members":   {call(`{"arguments":{"rows":[` + strings.TrimSuffix(strings.Repeat(`{`+strings.TrimSuffix(manyKeys(19), ",")+`},`, 500), ",") + `]}}`), wire.FromAgent, wire.KindRequest},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var f wire.Frame
			if err := wire.Parse(&f, []byte(c.in), c.from, &limits); err != nil {
				t.Fatal(err)
			}
			if f.Kind != c.kind {
				t.Errorf("got a %s, want a %s", f.Kind, c.kind)
			}
		})
	}
}

// TestServersMayWriteMoreMembers is about lists of tools.
func TestServersMayWriteMoreMembers(t *testing.T) {
	wide := func(n int) []byte {
		return []byte(`{"jsonrpc":"2.0","id":1,"result":{` + strings.TrimSuffix(manyKeys(n-3), ",") + `}}`)
	}
	most := limits.UpstreamKeys
	own := limits
	own.UpstreamKeys = 0
	cases := map[string]struct {
		in   []byte
		from wire.Side
		lim  wire.Limits
		want *wire.Problem
	}{
		"a server, as many as may be": {wide(most), wire.FromUpstream, limits, nil},
		"a server, one more":          {wide(most + 1), wire.FromUpstream, limits, wire.TooManyKeys},
		"a server, the last a double": {bytes.Replace(wide(most), []byte(`"k`+itoa(most-4)+`"`), []byte(`"k0"`), 1), wire.FromUpstream, limits, wire.DuplicateKey},
		"an agent":                    {wide(limits.Keys + 1), wire.FromAgent, limits, wire.TooManyKeys},
		"one limit for both":          {wide(limits.Keys + 1), wire.FromUpstream, own, wire.TooManyKeys},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var f wire.Frame
			err := wire.Parse(&f, c.in, c.from, &c.lim)
			fault, _ := errors.AsType[*wire.Fault](err)
			switch {
			case c.want == nil && (err != nil || f.Keys != most):
				t.Errorf("got %v, %d members", err, f.Keys)
			case c.want != nil && (fault == nil || fault.Problem != c.want):
				t.Errorf("got %v, want %s", err, c.want.Name)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"k` + itoa(i) + `":1,`)
	}
	return b.String()
}

func TestFaultEchoesOnlyALegalID(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"readable before the problem": {`{"jsonrpc":"2.0","id":7,"method":"ping","x":1}`, "7"},
		"string":                      {`{"jsonrpc":"2.0","id":"a","method":7}`, `"a"`},
		"behind the problem":          {`{"jsonrpc":"2.0","x":1,"id":7}`, ""},
		"illegal":                     {`{"jsonrpc":"2.0","id":1.5,"method":7,"method":8}`, ""},
		"null":                        {`{"jsonrpc":"2.0","id":null,"method":"ping"}`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var f wire.Frame
			var fault *wire.Fault
			if !errors.As(wire.Parse(&f, []byte(c.in), wire.FromAgent, &limits), &fault) {
				t.Fatal("accepted")
			}
			if string(fault.ID) != c.want {
				t.Errorf("got id %q, want %q", fault.ID, c.want)
			}
		})
	}
}

func TestFrameFindsMembers(t *testing.T) {
	raw := []byte(`{"jsonrpc":"2.0","id":"x","method":"tools\/call","params":{"n\u0061me":"read\u005ffile","arguments":{"name":"no"},
		"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":9007199254740993}}}`)
	var f wire.Frame
	if err := wire.Parse(&f, raw, wire.FromAgent, &limits); err != nil {
		t.Fatal(err)
	}
	for m, want := range map[wire.Member]string{
		wire.ID: `"x"`, wire.Method: `"tools\/call"`, wire.ParamsName: `"read\u005ffile"`, wire.ParamsArguments: `{"name":"no"}`,
		wire.MetaProtocolVersion: `"2026-07-28"`, wire.MetaProgressToken: "9007199254740993", wire.ParamsURI: "",
	} {
		if got := string(f.Get(m)); got != want {
			t.Errorf("member %d: got %s, want %s", m, got, want)
		}
	}
	if got := f.String(wire.Method) + " " + f.String(wire.ParamsName); got != "tools/call read_file" {
		t.Errorf("decoded %q", got)
	}
}

func TestInputRequestsDoNotPassForParams(t *testing.T) {
	raw := []byte(`{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"a":{"method":"elicitation/create","params":{"name":"x","message":"m"}}}}}`)
	var f wire.Frame
	if err := wire.Parse(&f, raw, wire.FromUpstream, &limits); err != nil {
		t.Fatal(err)
	}
	if f.Has(wire.ParamsName) || !f.Has(wire.ResultInputRequests) {
		t.Error("a member of an input request is taken for the message's own")
	}
}

func TestUnquoteRefusesLoneSurrogates(t *testing.T) {
	cases := map[string]struct {
		in, want string
		ok       bool
	}{
		"plain":                {`"abc"`, "abc", true},
		"escapes":              {`"\"\\\/\b\f\n\r\t\u0041"`, "\"\\/\b\f\n\r\tA", true},
		"pair":                 {`"\ud83d\ude00"`, "😀", true},
		"written replacement":  {`"\ufffd"`, "\ufffd", true},
		"lone high":            {`"\ud800"`, "\ufffd", false},
		"lone low":             {`"\udc00x"`, "\ufffdx", false},
		"high before a letter": {`"\ud800\u0041"`, "\ufffdA", false},
		"no string":            {`12`, "", false},
		"absent":               {``, "", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, ok := wire.Unquote([]byte(c.in))
			if string(got) != c.want || ok != c.ok {
				t.Errorf("got %q %v, want %q %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestOneLineKeepsMeaning(t *testing.T) {
	raw := []byte("{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 1, \"method\": \"a\\nb\"\n}")
	var f wire.Frame
	if err := wire.Parse(&f, raw, wire.FromAgent, &limits); err != nil {
		t.Fatal(err)
	}
	wire.OneLine(f.Raw)
	if bytes.ContainsAny(f.Raw, "\r\n") {
		t.Errorf("line breaks are left in %q", f.Raw)
	}
	if got := f.String(wire.Method); got != "a\nb" {
		t.Errorf("method became %q", got)
	}
}

func TestCutLeavesTheRestAsItIs(t *testing.T) {
	array := `[ {"a":1.0} ,{"b":2}, {"c":3} ]`
	cases := map[string]struct {
		keep []bool
		want string
	}{
		"all":    {[]bool{true, true, true}, `[ {"a":1.0} ,{"b":2}, {"c":3} ]`},
		"none":   {[]bool{false, false, false}, `[  ]`},
		"first":  {[]bool{true, false, false}, `[ {"a":1.0} ]`},
		"middle": {[]bool{false, true, false}, `[ {"b":2} ]`},
		"last":   {[]bool{false, false, true}, `[ {"c":3} ]`},
		"outer":  {[]bool{true, false, true}, `[ {"a":1.0}, {"c":3} ]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var parts []wire.Span
			for at := range wire.Elements([]byte(array)) {
				parts = append(parts, at)
			}
			got, err := wire.Cut(parts, c.keep).Splice(nil, []byte(array))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestSpliceRefusesEditsThatOverlap(t *testing.T) {
	for name, e := range map[string]wire.Edits{
		"overlap":  {{At: wire.Span{Lo: 1, Hi: 3}}, {At: wire.Span{Lo: 2, Hi: 4}}},
		"outside":  {{At: wire.Span{Lo: 3, Hi: 9}}},
		"reversed": {{At: wire.Span{Lo: 3, Hi: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := e.Splice(nil, []byte("12345")); err == nil || len(out) > 0 {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
	out, err := wire.Edits{{At: wire.Span{Lo: 3, Hi: 4}, New: []byte("d")}, {At: wire.Span{Lo: 0, Hi: 1}, New: []byte("aa")}}.Splice(nil, []byte("12345"))
	if err != nil || string(out) != "aa23d5" {
		t.Errorf("got %q, %v; want edits sorted by place", out, err)
	}
}

func TestLookupReadsEverySpelling(t *testing.T) {
	object := []byte(`{ "a" : {"name":"inner"} , "n\u0061me" : "x\"}" , "z":[1,{"q":"]"}] }`)
	e, ok := wire.Lookup(object, "name")
	if !ok || string(e.Value) != `"x\"}"` || string(object[e.ValueAt.Lo:e.ValueAt.Hi]) != `"x\"}"` {
		t.Errorf("got %s %v", e.Value, ok)
	}
	if e, _ := wire.Lookup(object, "z"); string(e.Value) != `[1,{"q":"]"}]` {
		t.Errorf("got %s", e.Value)
	}
	if _, ok := wire.Lookup(object, "none"); ok {
		t.Error("found a member that is not there")
	}
}

func TestAppendQuoteEscapesNoMoreThanNeeded(t *testing.T) {
	in := "a\"\\\n\x01<é>\u2028\x7f\xff"
	got := string(wire.AppendQuote(nil, in))
	if want := `"a\"\\\n\u0001<é>` + "\u2028\x7f\ufffd" + `"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back string
	if err := json.Unmarshal([]byte(got), &back); err != nil || back != "a\"\\\n\x01<é>\u2028\x7f\ufffd" {
		t.Errorf("reads back as %q, %v", back, err)
	}
}
