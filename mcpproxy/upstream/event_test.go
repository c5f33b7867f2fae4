package upstream_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

type event = upstream.TestOnlyEvent

// The cases are the rules of the HTML Living Standard, 9.2.6.
func TestEventStream(t *testing.T) {
	cases := map[string]struct {
		in      string
		want    []event
		ignored uint64
	}{
		"LF":                           {in: "data: a\n\ndata: b\n\n", want: []event{{Data: "a"}, {Data: "b"}}},
		"CR":                           {in: "data: a\r\rdata: b\r\r", want: []event{{Data: "a"}, {Data: "b"}}},
		"CR LF":                        {in: "data: a\r\n\r\ndata: b\r\n\r\n", want: []event{{Data: "a"}, {Data: "b"}}},
		"mixed line ends":              {in: "data: a\r\n\ndata: b\n\rdata: c\r\n\r", want: []event{{Data: "a"}, {Data: "b"}, {Data: "c"}}},
		"byte order mark":              {in: "\ufeffdata: a\n\n", want: []event{{Data: "a"}}},
		"a second byte order mark":     {in: "\ufeff\ufeffdata: a\n\n"},
		"no space":                     {in: "data:a\n\n", want: []event{{Data: "a"}}},
		"two spaces":                   {in: "data:  a\n\n", want: []event{{Data: " a"}}},
		"lines of data":                {in: "data: {\ndata\ndata:}\n\n", want: []event{{Data: "{\n\n}"}}},
		"field in another case":        {in: "Data: a\n\n"},
		"field with a space":           {in: "data : a\n\n"},
		"comments":                     {in: ":\n: x\n\n:data: a\ndata: b\n\n", want: []event{{Data: "b"}}},
		"no data":                      {in: "event: message\nid: 1\n\n"},
		"empty data":                   {in: "data\n\ndata:\n\n"},
		"message":                      {in: "event: message\ndata: a\n\n", want: []event{{Data: "a"}}},
		"empty type":                   {in: "event: x\nevent:\ndata: a\n\n", want: []event{{Data: "a"}}},
		"another type":                 {in: "event: endpoint\ndata: /x\n\ndata: a\n\n", want: []event{{Data: "a"}}, ignored: 1},
		"type of one event only":       {in: "event: x\n\ndata: a\n\n", want: []event{{Data: "a"}}},
		"id stays":                     {in: "id: 1\ndata: a\n\ndata: b\n\n", want: []event{{Data: "a", ID: "1"}, {Data: "b", ID: "1"}}},
		"id of a priming event":        {in: "id: 1\ndata:\n\ndata: b\n\n", want: []event{{Data: "b", ID: "1"}}},
		"id taken back":                {in: "id: 1\ndata: a\n\nid\ndata: b\n\n", want: []event{{Data: "a", ID: "1"}, {Data: "b"}}},
		"id with NUL":                  {in: "id: 1\n\nid: 2\x003\ndata: a\n\n", want: []event{{Data: "a", ID: "1"}}},
		"id that is no header":         {in: "id: 1\n\nid: ü\ndata: a\n\n", want: []event{{Data: "a"}}},
		"long id":                      {in: "id: " + strings.Repeat("i", 1025) + "\ndata: a\n\n", want: []event{{Data: "a"}}},
		"retry":                        {in: "retry: 1500\ndata: a\n\n", want: []event{{Data: "a", Retry: 1500 * time.Millisecond}}},
		"retry at once":                {in: "retry: 0\ndata: a\n\n", want: []event{{Data: "a", Retry: 1}}},
		"retry for ever":               {in: "retry: 99999999999999\ndata: a\n\n", want: []event{{Data: "a", Retry: 30 * time.Second}}},
		"retry that is no number":      {in: "retry: -1\nretry: 1s\nretry:\ndata: a\n\n", want: []event{{Data: "a"}}},
		"an end without an empty line": {in: "data: a\n\ndata: b\n", want: []event{{Data: "a"}}},
		"an end within a line":         {in: "data: a\n\ndata: b", want: []event{{Data: "a"}}},
		"nothing":                      {in: ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for kind, r := range map[string]io.Reader{
				"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in)),
				"halves": iotest.HalfReader(strings.NewReader(c.in)), "with the end": iotest.DataErrReader(strings.NewReader(c.in)),
			} {
				got, ignored, err := upstream.TestOnlyEvents(r, 4096)
				if diff := cmp.Diff(c.want, got); diff != "" || ignored != c.ignored || !errors.Is(err, io.EOF) {
					t.Errorf("%s: %s, %d ignored, %v", kind, diff, ignored, err)
				}
			}
		})
	}
}

func TestEventStreamIsBounded(t *testing.T) {
	const limit = 1000
	fits := strings.Repeat("x", limit)
	if got, _, err := upstream.TestOnlyEvents(strings.NewReader("data: "+fits+"\r\n\r\n"), limit); len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("an event of the limit: %d, %v", len(got), err)
	}
	for name, in := range map[string]string{
		"one line":           "data: " + fits + "x\n\n",
		"lines":              strings.Repeat("data: xxxxxxxxx\n", 101) + "\n",
		"empty lines":        strings.Repeat("data\n", limit+2) + "\n",
		"a line without end": strings.Repeat("x", 10*limit),
		"comments":           strings.Repeat(": ping\n\n", limit),
		"white lines":        strings.Repeat("\n", 2*limit),
		"other types":        strings.Repeat("event: x\ndata: xxxxxxxxxxxxxxx\n\n", limit),
		"ids":                strings.Repeat("id: 1\n\n", limit),
	} {
		if got, _, err := upstream.TestOnlyEvents(strings.NewReader(in), limit); len(got) > 0 || !upstream.TestOnlyViolation(err) {
			t.Errorf("%s: got %d events, %v", name, len(got), err)
		}
	}
}

// FuzzEventStream: the pieces in which a stream comes do not matter, and nothing exceeds the limit.
func FuzzEventStream(f *testing.F) {
	for _, s := range []string{
		"\ufeffdata: a\r\ndata:b\r\n\r\n", "id: 1\nretry: 10\nevent: message\ndata: {}\n\n:\n\n", "data\n\n", "data:x\r\rid\r\n\n",
		"event: endpoint\ndata: x\n\n", "id: a\x00b\ndata: x\n\n",
	} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, in string, step uint8) {
		const limit = 200
		want, _, wantErr := upstream.TestOnlyEvents(strings.NewReader(in), limit)
		got, _, gotErr := upstream.TestOnlyEvents(&stepReader{in, int(step%7) + 1}, limit)
		if diff := cmp.Diff(want, got); diff != "" || upstream.TestOnlyViolation(wantErr) != upstream.TestOnlyViolation(gotErr) {
			t.Errorf("in pieces of %d: %s, %v and %v", step%7+1, diff, wantErr, gotErr)
		}
		for _, e := range want {
			if len(e.Data) == 0 || len(e.Data) > limit || strings.ContainsAny(e.Data, "\r") || strings.ContainsAny(e.ID, "\x00\r\n") {
				t.Errorf("an event that must not be: %q", e)
			}
		}
	})
}

// stepReader gives a few bytes at a time.
type stepReader struct {
	s string
	n int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if r.s == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.n)], r.s)
	r.s = r.s[n:]
	return n, nil
}
