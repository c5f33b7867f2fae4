package upstream_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// crlf writes a response with CR LF where the test has LF.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestResponsesAreReadToTheirEnd(t *testing.T) {
	const json = "Content-Type: application/json\n"
	cases := map[string]struct {
		in      string
		status  int
		keep    bool
		content string
	}{
		"length":               {crlf("HTTP/1.1 200 OK\nContent-Length: 5\n"+json+"\n") + "hello", 200, true, "hello"},
		"no reason":            {crlf("HTTP/1.1 200\nContent-Length: 0\n\n"), 200, true, ""},
		"chunks":               {crlf("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n5\nhello\n001;x=\"y\"\n!\n0\nA: b\n\n"), 200, true, "hello!"},
		"up to the end":        {crlf("HTTP/1.1 200 OK\n\n") + "hello", 200, false, "hello"},
		"closing":              {crlf("HTTP/1.1 200 OK\nConnection: x, Close\nContent-Length: 1\n\n") + "h", 200, false, "h"},
		"HTTP/1.0":             {crlf("HTTP/1.0 200 OK\nContent-Length: 1\n\n") + "h", 200, false, "h"},
		"informational before": {crlf("HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 202 Accepted\nContent-Length: 0\n\n"), 202, true, ""},
		"no content":           {crlf("HTTP/1.1 204 No Content\n\n"), 204, true, ""},
		"names in any case":    {crlf("HTTP/1.1 200 OK\nCONTENT-length:2\n\n") + "hi", 200, true, "hi"},
		"long header":          {crlf("HTTP/1.1 200 OK\nX: "+strings.Repeat("x", 8000)+"\nContent-Length: 2\n\n") + "hi", 200, true, "hi"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				status, keep, content, err := upstream.TestOnlyResponse(r, 100)
				if status != c.status || keep != c.keep || string(content) != c.content || err != nil {
					t.Errorf("got %d %t %q, %v", status, keep, content, err)
				}
			}
		})
	}
}

// malformed are responses that blame the server.
var malformed = map[string]string{
	"not HTTP":             "SSH-2.0-x\r\n",
	"HTTP/2":               crlf("HTTP/2.0 200 OK\n\n"),
	"line feeds":           "HTTP/1.1 200 OK\nContent-Length: 1\n\nh",
	"status of letters":    crlf("HTTP/1.1 2OO OK\n\n"),
	"status of two digits": crlf("HTTP/1.1 20 OK\n\n"),
	"status without space": crlf("HTTP/1.1 200OK\n\n"),
	"status 999":           crlf("HTTP/1.1 999 X\n\n"),
	"space before colon":   crlf("HTTP/1.1 200 OK\nContent-Length : 1\n\n") + "h",
	"continued header":     crlf("HTTP/1.1 200 OK\nX: a\n b\nContent-Length: 1\n\n") + "h",
	"no colon":             crlf("HTTP/1.1 200 OK\nX\n\n"),
	"no name":              crlf("HTTP/1.1 200 OK\n: x\n\n"),
	"control character":    crlf("HTTP/1.1 200 OK\nX: a\x00b\n\n"),
	"carriage return":      crlf("HTTP/1.1 200 OK\nX: a") + "\rY: b\r\n\r\n",
	"two lengths":          crlf("HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 1\n\n") + "h",
	"list of lengths":      crlf("HTTP/1.1 200 OK\nContent-Length: 1, 1\n\n") + "h",
	"signed length":        crlf("HTTP/1.1 200 OK\nContent-Length: +1\n\n") + "h",
	"length and chunks":    crlf("HTTP/1.1 200 OK\nContent-Length: 1\nTransfer-Encoding: chunked\n\n0\n\n"),
	"unknown coding":       crlf("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n0\n\n"),
	"chunks in HTTP/1.0":   crlf("HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n0\n\n"),
	"two types":            crlf("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Type: application/json\nContent-Length: 1\n\n") + "h",
	"two sessions":         crlf("HTTP/1.1 200 OK\nMcp-Session-Id: a\nMcp-Session-Id: b\nContent-Length: 0\n\n"),
	"compressed":           crlf("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 1\n\n") + "h",
	"switching protocols":  crlf("HTTP/1.1 101 Switching Protocols\nUpgrade: x\n\n"),
	"endless head":         crlf("HTTP/1.1 200 OK\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\n", 40) + "\n"),
	"endless line":         crlf("HTTP/1.1 200 OK\nX: ") + strings.Repeat("x", 100_000),
	"endless information":  strings.Repeat(crlf("HTTP/1.1 100 Continue\n\n"), 5000),
	"size of a chunk":      crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n-1\nhello\n0\n\n"),
	"huge chunk":           crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n100000000\nhello\n0\n\n"),
	"chunk without size":   crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n;x\nhello\n0\n\n"),
	"chunk without end":    crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhelloX0\n\n"),
	"chunk extension":      crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5;" + strings.Repeat("x", 300) + "\nhello\n0\n\n"),
	"endless trailer":      crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n" + strings.Repeat("X: y\n", 10_000) + "\n"),
	"long content":         crlf("HTTP/1.1 200 OK\nContent-Length: 101\n\n") + strings.Repeat("x", 101),
	"long chunks":          crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n65\n") + strings.Repeat("x", 101) + crlf("\n0\n\n"),
	"long to the end":      crlf("HTTP/1.1 200 OK\n\n") + strings.Repeat("x", 101),
}

func TestResponseMalformed(t *testing.T) {
	for name, in := range malformed {
		if _, _, _, err := upstream.TestOnlyResponse(strings.NewReader(in), 100); !upstream.TestOnlyViolation(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestResponseCutShort(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":           "",
		"in the status":     "HTTP/1.1 20",
		"in the head":       crlf("HTTP/1.1 200 OK\nContent-Le"),
		"before the end":    crlf("HTTP/1.1 200 OK\nContent-Length: 5\n"),
		"in the content":    crlf("HTTP/1.1 200 OK\nContent-Length: 5\n\n") + "hell",
		"in a chunk":        crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\n") + "hell",
		"behind a chunk":    crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello"),
		"before the last":   crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n"),
		"in the trailer":    crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n"),
		"in a chunk's size": crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5"),
	} {
		if _, _, _, err := upstream.TestOnlyResponse(strings.NewReader(in), 100); err == nil || upstream.TestOnlyViolation(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzResponse: what we accept the standard library reads in the same way, so that no server can make us and another
// program on the way see different messages.
func FuzzResponse(f *testing.F) {
	for _, in := range malformed {
		if len(in) < 2000 {
			f.Add([]byte(in))
		}
	}
	f.Add([]byte(crlf("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Type: application/json; charset=utf-8\n\n5\nhello\n0\n\n")))
	f.Add([]byte(crlf("HTTP/1.1 204 No Content\nContent-Length: 3\n\n")))
	f.Fuzz(func(t *testing.T, in []byte) {
		status, _, content, err := upstream.TestOnlyResponse(bytes.NewReader(in), 1<<16)
		if err != nil {
			return
		}
		br := bufio.NewReader(bytes.NewReader(in))
		post, _ := http.NewRequest(http.MethodPost, "http://h/", nil)
		resp, err := http.ReadResponse(br, post)
		for err == nil && resp.StatusCode < 200 {
			resp, err = http.ReadResponse(br, post)
		}
		if err != nil {
			t.Fatalf("we accept %q, the standard library says %v", in, err)
		}
		want, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != status || !bytes.Equal(want, content) {
			t.Errorf("%q: we read %d %q, the standard library %d %q, %v", in, status, content, resp.StatusCode, want, err)
		}
	})
}
