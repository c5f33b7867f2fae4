package e2e

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"unicode/utf16"
)

// abuse is a message that somebody should not send, and what becomes of it.
type abuse struct {
	send string
	on   string              // the only front that can carry it; empty: both
	edit func(*http.Request) // over HTTP

	status int    // over HTTP
	code   int    // of the JSON-RPC error; 0: none
	id     string // that the answer has; -: none; empty: there is no answer but the status
	reason string // on record; empty: the call passes
	passes bool   // the upstream gets the message byte for byte; else it gets nothing
}

func call(name string) string { return callArgs(name, "{}") }

func callArgs(name, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":%s,"arguments":%s}}`, name, args)
}

const goodCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"run","arguments":{}}}`

func set(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

func gzipped(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }

// abuses are named by their rows in the list of malformed inputs that the project keeps, and the input.
func abuses() map[string]abuse {
	return merge(textAbuses(), envelopeAbuses(), nameAbuses(), sizeAbuses(), phaseAbuses(), headAbuses())
}

func merge(all ...map[string]abuse) map[string]abuse {
	m := map[string]abuse{}
	for _, rows := range all {
		maps.Copy(m, rows)
	}
	return m
}

// textAbuses are no JSON, or JSON that readers take differently.
func textAbuses() map[string]abuse {
	utf16le := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(goodCall)) {
		utf16le = binary.LittleEndian.AppendUint16(utf16le, u)
	}
	not := func(send string) abuse {
		return abuse{send: send, status: 400, code: -32700, id: "null", reason: "NOT_JSON"}
	}
	broken := func(send string) abuse { // behind the id, which is told back
		return abuse{send: send, status: 400, code: -32700, id: "7", reason: "NOT_JSON"}
	}
	web := func(a abuse) abuse { a.on = "http"; return a }
	invalid := func(send, reason string) abuse {
		return abuse{send: send, status: 400, code: -32600, id: "null", reason: reason}
	}
	trailing := func(send string) abuse {
		return abuse{send: send, status: 400, code: -32700, id: "7", reason: "TRAILING_DATA"}
	}
	return map[string]abuse{
		"1 not JSON":            not("hello"),
		"1 cut off":             broken(goodCall[:40]),
		"1 empty body":          web(not("")),
		"1 white space":         web(not(" \n ")),
		"1 number":              invalid("7", "NOT_AN_OBJECT"),
		"1 string":              invalid(`"tools/call"`, "NOT_AN_OBJECT"),
		"1 null":                invalid("null", "NOT_AN_OBJECT"),
		"2 trailing garbage":    trailing(goodCall + "x"),
		"2 trailing brace":      trailing(goodCall + "}"),
		"3 two objects":         trailing(goodCall + goodCall),
		"3 two lines":           web(trailing(goodCall + "\n" + goodCall)),
		"4 byte order mark":     not("\ufeff" + goodCall),
		"5 batch":               invalid("["+goodCall+"]", "BATCH"),
		"6 empty batch":         invalid("[]", "BATCH"),
		"33 NaN":                broken(callArgs(`"run"`, `{"n":NaN}`)),
		"33 Infinity":           broken(callArgs(`"run"`, `{"n":-Infinity}`)),
		"33 comment":            broken(callArgs(`"run"`, `{/* */}`)),
		"33 single quotes":      broken(callArgs(`'run'`, `{}`)),
		"33 trailing comma":     broken(callArgs(`"run"`, `{"a":1,}`)),
		"34 invalid UTF-8":      {send: callArgs(`"run"`, "{\"a\":\"\xff\"}"), status: 400, code: -32700, id: "7", reason: "NOT_UTF8"},
		"34 overlong UTF-8":     {send: callArgs(`"run"`, "{\"a\":\"\xc0\xaf\"}"), status: 400, code: -32700, id: "7", reason: "NOT_UTF8"},
		"34 surrogate in UTF-8": {send: callArgs(`"run"`, "{\"a\":\"\xed\xa0\x80\"}"), status: 400, code: -32700, id: "7", reason: "NOT_UTF8"},
		"35 UTF-16":             not(string(utf16le)),
		"36 lone surrogates":    {send: callArgs(`"run"`, `{"a":"\ud800","\udfff":1}`), status: 200, id: "7", passes: true},
		"41 numbers":            {send: callArgs(`"run"`, `{"a":1e400,"b":-0,"c":1.0,"d":12345678901234567890}`), status: 200, id: "7", passes: true},
		"41 10 kB of digits":    {send: callArgs(`"run"`, `{"a":`+strings.Repeat("9", 10000)+`}`), status: 400, code: -32600, id: "7", reason: "NUMBER_TOO_LONG"},
	}
}

// envelopeAbuses are JSON that is no single clear message.
func envelopeAbuses() map[string]abuse {
	bad := func(send, id, reason string) abuse {
		return abuse{send: send, status: 400, code: -32600, id: id, reason: reason}
	}
	params := func(send string) abuse {
		return abuse{send: send, status: 400, code: -32602, id: "7", reason: "BAD_PARAMS"}
	}
	return map[string]abuse{
		"7 jsonrpc missing":          bad(`{"id":7,"method":"tools/call","params":{"name":"run"}}`, "7", "BAD_JSONRPC_VERSION"),
		"7 jsonrpc 1.0":              bad(strings.Replace(goodCall, `"2.0"`, `"1.0"`, 1), "7", "BAD_JSONRPC_VERSION"),
		"7 jsonrpc number":           bad(strings.Replace(goodCall, `"2.0"`, `2.0`, 1), "7", "BAD_JSONRPC_VERSION"),
		"8 id null":                  bad(strings.Replace(goodCall, `"id":7`, `"id":null`, 1), "null", "BAD_ID"),
		"9 id object":                bad(strings.Replace(goodCall, `"id":7`, `"id":{}`, 1), "null", "BAD_ID"),
		"9 id array":                 bad(strings.Replace(goodCall, `"id":7`, `"id":[7]`, 1), "null", "BAD_ID"),
		"9 id bool":                  bad(strings.Replace(goodCall, `"id":7`, `"id":true`, 1), "null", "BAD_ID"),
		"10 id 1.5":                  bad(strings.Replace(goodCall, `"id":7`, `"id":1.5`, 1), "null", "BAD_ID"),
		"10 id 1.0":                  bad(strings.Replace(goodCall, `"id":7`, `"id":1.0`, 1), "null", "BAD_ID"),
		"11 id beyond 2^53":          {send: strings.Replace(goodCall, `"id":7`, `"id":9007199254740993`, 1), status: 200, id: "9007199254740993", passes: true},
		"12 id 1e400":                bad(strings.Replace(goodCall, `"id":7`, `"id":1e400`, 1), "null", "BAD_ID"),
		"14 answer to nothing":       {send: `{"jsonrpc":"2.0","id":99,"result":{}}`, status: 202, reason: "ANSWER_UNASKED"},
		"14 error to nothing":        {send: `{"jsonrpc":"2.0","id":99,"error":{"code":1,"message":"x"}}`, status: 202, reason: "ANSWER_UNASKED"},
		"16 result and error":        bad(`{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"x"}}`, "7", "BAD_ENVELOPE"),
		"17 method and result":       bad(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"run"},"result":{}}`, "7", "BAD_ENVELOPE"),
		"18 method missing":          bad(`{"jsonrpc":"2.0","id":7,"params":{"name":"run"}}`, "7", "BAD_ENVELOPE"),
		"18 method number":           bad(`{"jsonrpc":"2.0","id":7,"method":1}`, "7", "BAD_METHOD"),
		"19 unknown method":          {send: `{"jsonrpc":"2.0","id":7,"method":"tools/destroy"}`, status: 200, code: -32601, id: "7", reason: "METHOD_NOT_ALLOWED"},
		"19 rpc method":              {send: `{"jsonrpc":"2.0","id":7,"method":"rpc.discover"}`, status: 200, code: -32601, id: "7", reason: "METHOD_NOT_ALLOWED"},
		"20 params array":            params(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["run"]}`),
		"20 params null":             params(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":null}`),
		"21 key Method":              bad(strings.Replace(goodCall, `"method"`, `"Method"`, 1), "7", "CASE_VARIANT"),
		"21 key NAME":                bad(strings.Replace(goodCall, `"name"`, `"NAME"`, 1), "7", "CASE_VARIANT"),
		"21 unknown member":          bad(strings.Replace(goodCall, `"method"`, `"x":1,"method"`, 1), "7", "UNKNOWN_MEMBER"),
		"22 long s":                  bad(strings.Replace(goodCall, `"params"`, `"param\u017f"`, 1), "7", "CASE_VARIANT"),
		"23 NUL in a key":            bad(strings.Replace(goodCall, `"method"`, `"method\u0000"`, 1), "7", "CASE_VARIANT"),
		"24 escaped key":             {send: strings.Replace(goodCall, `"method"`, `"m\u0065thod"`, 1), status: 200, id: "7", passes: true},
		"25 method twice":            bad(strings.Replace(goodCall, `"method"`, `"method":"ping","method"`, 1), "7", "DUPLICATE_KEY"),
		"25 method twice, escaped":   bad(strings.Replace(goodCall, `"method"`, `"m\u0065thod":"ping","method"`, 1), "7", "DUPLICATE_KEY"),
		"26 name twice":              bad(strings.Replace(goodCall, `"name"`, `"name":"rm","name"`, 1), "7", "DUPLICATE_KEY"),
		"26 name twice, reverse":     bad(strings.Replace(goodCall, `"name":"run"`, `"name":"run","name":"rm"`, 1), "7", "DUPLICATE_KEY"),
		"27 method and METHOD":       bad(strings.Replace(goodCall, `"method"`, `"METHOD":"ping","method"`, 1), "7", "CASE_VARIANT"),
		"28 twice in arguments":      bad(callArgs(`"run"`, `{"a":1,"a":2}`), "7", "DUPLICATE_KEY"),
		"28 twice deep inside":       bad(callArgs(`"run"`, `{"x":[{"b":{"a":1,"\u0061":2}}]}`), "7", "DUPLICATE_KEY"),
		"43 call without id":         {send: strings.Replace(goodCall, `"id":7,`, ``, 1), status: 202, reason: "METHOD_NOT_ALLOWED"},
		"44 list_changed":            {send: `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, status: 202, reason: "METHOD_NOT_ALLOWED"},
		"44 message":                 {send: `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`, status: 202, reason: "METHOD_NOT_ALLOWED"},
		"45 sampling":                {send: `{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`, status: 200, code: -32601, id: "7", reason: "METHOD_NOT_ALLOWED"},
		"46 cancel of nothing":       {send: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}`, status: 202, reason: "CANCEL_UNKNOWN"},
		"48 progress on nothing":     {send: `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":99,"progress":1}}`, status: 202, reason: "UNSOLICITED"},
		"50 initialize again":        {send: hello("2025-11-25"), status: 400, code: -32600, id: "0", reason: "ALREADY_INITIALIZED"},
		"49 cursor is a number":      {send: `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":7}}`, status: 200, code: -32602, id: "7", reason: "CURSOR_UNKNOWN"},
		"49 cursor of nobody":        {send: `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"cursor":"../../evil"}}`, status: 200, code: -32602, id: "7", reason: "CURSOR_FORGED"},
		"19 request as notification": {send: `{"jsonrpc":"2.0","id":7,"method":"notifications/initialized"}`, status: 200, code: -32601, id: "7", reason: "METHOD_NOT_ALLOWED"},
	}
}

// nameAbuses name tools so that a careless reader takes them for another.
func nameAbuses() map[string]abuse {
	m := map[string]abuse{}
	for name, raw := range map[string]string{
		"29 other case": `"RUN"`, "29 forbidden": `"rm"`, "29 unknown": `"nothing"`,
		"30 trailing space": `"run "`, "31 full width": `"ｒｕｎ"`, "31 combining": `"ru\u0308n"`, "31 homoglyph": `"r\u057dn"`,
		"31 zero width": `"run\u200b"`,
	} {
		m[name] = abuse{send: call(raw), status: 200, code: -32602, id: "7", reason: "TOOL_NOT_ALLOWED"}
	}
	for name, raw := range map[string]string{
		"30 NUL": `"run\u0000"`, "30 line break": `"run\n"`, "30 tab": `"\trun"`, "32 number": `7`, "32 object": `{"name":"run"}`, "32 empty": `""`,
		"32 10 kB": `"` + strings.Repeat("n", 10000) + `"`, "32 lone surrogate": `"run\ud800"`,
	} {
		m[name] = abuse{send: call(raw), status: 200, code: -32602, id: "7", reason: "INVALID_NAME"}
	}
	m["32 missing"] = abuse{send: `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}`, status: 200, code: -32602, id: "7", reason: "INVALID_NAME"}
	return m
}

// sizeAbuses cost more than they should.
func sizeAbuses() map[string]abuse {
	keys := make([]string, 300000)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"k%d":0`, i)
	}
	deep := func(n int) string { return callArgs(`"run"`, strings.Repeat(`{"a":`, n)+"0"+strings.Repeat("}", n)) }
	large := callArgs(`"run"`, `{"a":"`+strings.Repeat("a", 5<<20)+`"}`)
	return map[string]abuse{
		"37 nesting of 250":       {send: deep(250), status: 200, id: "7", passes: true},
		"37 nesting of 10,000":    {send: deep(10_000), status: 400, code: -32600, id: "7", reason: "FRAME_TOO_DEEP"},
		"38 nesting of 200,000":   {send: deep(200_000), status: 400, code: -32600, id: "7", reason: "FRAME_TOO_DEEP"},
		"38 brackets only":        {send: strings.Repeat("[", 200_000), status: 400, code: -32600, id: "null", reason: "FRAME_TOO_DEEP"},
		"39 5 MB":                 {send: large, status: 413, code: -32600, id: "null", reason: "BODY_TOO_LARGE"},
		"40 300,000 keys":         {send: callArgs(`"run"`, "{"+strings.Join(keys, ",")+"}"), status: 400, code: -32600, id: "7", reason: "FRAME_TOO_MANY_KEYS"},
		"42 labelled gzip":        {send: goodCall, on: "http", edit: gzipped, status: 415, code: -32600, id: "null", reason: "UNSUPPORTED_MEDIA_TYPE"},
		"42 gzip":                 {send: "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", on: "http", edit: gzipped, status: 415, code: -32600, id: "null", reason: "UNSUPPORTED_MEDIA_TYPE"},
		"42 gzip without a label": {send: "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", status: 400, code: -32700, id: "null", reason: "NOT_JSON"},
	}
}

// phaseAbuses come at a point of the session at which they may not.
func phaseAbuses() map[string]abuse {
	drop := func(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }
	session := func(v ...string) func(*http.Request) { return set("Mcp-Session-Id", v...) }
	forever := strings.Repeat("0", 40)
	return map[string]abuse{
		"53 no session":      {send: goodCall, on: "http", edit: drop("Mcp-Session-Id"), status: 400, code: -32600, id: "7", reason: "SESSION_MISSING"},
		"53 empty session":   {send: goodCall, on: "http", edit: session(""), status: 404, code: -32600, id: "7", reason: "SESSION_UNKNOWN"},
		"54 unknown session": {send: goodCall, on: "http", edit: session(forever), status: 404, code: -32600, id: "7", reason: "SESSION_UNKNOWN"},
		"54 strange session": {send: goodCall, on: "http", edit: session("../../evil"), status: 404, code: -32600, id: "7", reason: "SESSION_UNKNOWN"},
		"57 two sessions": {
			send: goodCall, on: "http", status: 400, code: -32020, id: "null", reason: "DUPLICATE_HEADER",
			edit: func(r *http.Request) { r.Header.Add("Mcp-Session-Id", r.Header.Get("Mcp-Session-Id")) },
		},
		"59 bad version": {send: goodCall, on: "http", edit: set("Mcp-Protocol-Version", "2023-01-01"), status: 400, code: -32600, id: "7", reason: "BAD_VERSION_HEADER"},
		"59 no version":  {send: goodCall, on: "http", edit: drop("Mcp-Protocol-Version"), status: 200, id: "7", passes: true},
		"59 two versions": {
			send: goodCall, on: "http", edit: set("Mcp-Protocol-Version", "2025-11-25", "2025-06-18"), status: 400, code: -32020, id: "null", reason: "DUPLICATE_HEADER",
		},
	}
}

// headAbuses are wrong as HTTP.
func headAbuses() map[string]abuse {
	web := func(status, code int, reason string, edit func(*http.Request)) abuse {
		return abuse{send: goodCall, on: "http", edit: edit, status: status, code: code, id: "null", reason: reason}
	}
	fine := func(edit func(*http.Request)) abuse {
		return abuse{send: goodCall, on: "http", edit: edit, status: 200, id: "7", passes: true}
	}
	return map[string]abuse{
		"61 no Accept":              web(406, -32600, "NOT_ACCEPTABLE", func(r *http.Request) { r.Header.Del("Accept") }),
		"61 Accept JSON only":       web(406, -32600, "NOT_ACCEPTABLE", set("Accept", "application/json")),
		"61 Accept stream only":     web(406, -32600, "NOT_ACCEPTABLE", set("Accept", "text/event-stream")),
		"61 Accept anything":        fine(set("Accept", "*/*")),
		"62 text/plain":             web(415, -32600, "UNSUPPORTED_MEDIA_TYPE", set("Content-Type", "text/plain")),
		"62 form":                   web(415, -32600, "UNSUPPORTED_MEDIA_TYPE", set("Content-Type", "application/x-www-form-urlencoded")),
		"62 no type":                web(415, -32600, "UNSUPPORTED_MEDIA_TYPE", func(r *http.Request) { r.Header.Del("Content-Type") }),
		"62 other charset":          web(415, -32600, "UNSUPPORTED_MEDIA_TYPE", set("Content-Type", "application/json; charset=utf-16")),
		"62 UTF-8 by name":          fine(set("Content-Type", "application/json; charset=UTF-8")),
		"63 Origin evil":            web(403, 403, "ORIGIN_NOT_ALLOWED", set("Origin", "https://evil.example")),
		"63 Origin null":            web(403, 403, "ORIGIN_NOT_ALLOWED", set("Origin", "null")),
		"63 two Origins":            web(403, 403, "ORIGIN_NOT_ALLOWED", set("Origin", "https://ok.example", "https://evil.example")),
		"63 Origin allowed":         fine(set("Origin", "https://ok.example")),
		"63 Origin almost allowed":  web(403, 403, "ORIGIN_NOT_ALLOWED", set("Origin", "https://ok.example.evil.example")),
		"63 Origin of another port": web(403, 403, "ORIGIN_NOT_ALLOWED", set("Origin", "http://127.0.0.1:1")),
		"64 Host evil":              web(403, 403, "HOST_NOT_ALLOWED", func(r *http.Request) { r.Host = "evil.example" }),
		"64 Host evil with a port":  web(403, 403, "HOST_NOT_ALLOWED", func(r *http.Request) { r.Host = "evil.example:80" }),
		"64 Host like loopback":     web(403, 403, "HOST_NOT_ALLOWED", func(r *http.Request) { r.Host = "127.0.0.1.evil.example" }),
		"64 Host localhost":         fine(func(r *http.Request) { r.Host = "localhost" }),
	}
}
