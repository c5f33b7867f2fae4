package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// raw sends bytes over a connection of its own and returns what comes back until the other side closes.
func (h *hopgate) raw(request string, within time.Duration) string {
	h.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(c, request) // an answer may come before the end of it; Close breaks it off
	}()
	got, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		h.t.Errorf("after %q: %v", got, err)
	}
	return string(got)
}

func TestHTTPIsTakenStrictly(t *testing.T) {
	t.Parallel()
	rec := newRecorder(t)
	h := newHopgate(t, abuseYAML(rec.upstream("http")))
	key := h.key("a0")
	h.serve()
	head := "POST /mcp/up HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key +
		"\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	second := "POST /mcp/up HTTP/1.1\r\nHost: localhost\r\n\r\n"
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(goodCall), goodCall)
	rows := map[string]struct {
		send, status, reason string
		slow                 bool // it waits for the rest of a body, for half a minute
	}{
		"39 length beyond the limit": {head + "Content-Length: 20000000\r\n\r\n{", "413", "BODY_TOO_LARGE", false},
		"39 chunk beyond the limit":  {head + "Transfer-Encoding: chunked\r\n\r\n500000\r\n" + strings.Repeat(" ", 0x500000), "413", "BODY_TOO_LARGE", false},
		"64 no Host":                 {strings.Replace(head, "Host: localhost\r\n", "", 1) + "Content-Length: 2\r\n\r\n{}", "400", "", false},
		"64 two Hosts":               {head + "Host: evil.example\r\nContent-Length: 2\r\n\r\n{}", "400", "", false},
		"65 preflight":               {"OPTIONS /mcp/up HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n", "403", "ORIGIN_NOT_ALLOWED", false},
		"66 length and chunks":       {head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + second, "400", "SESSION_MISSING", false},
		"66 two lengths":             {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", "400", "", false},
		"66 unknown coding":          {head + "Transfer-Encoding: x\r\n\r\n", "501", "", false},
		"67 slow head":               {head[:50], "400", "", false},
		"67 slow body":               {head + "Content-Length: 100\r\nConnection: close\r\n\r\n{", "400", "BODY_UNREADABLE", true},
		"68 head of 64 kB":           {head + "X-Long: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "431", "", false},
	}
	t.Run("rows", func(t *testing.T) {
		for name, row := range rows {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if row.slow && testing.Short() {
					t.Skip("it takes half a minute")
				}
				mine := *h
				mine.t = t
				within := 20 * time.Second
				if row.slow {
					within = time.Minute
				}
				got := mine.raw(row.send, within)
				status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), " ")
				if status != row.status {
					t.Errorf("got %.300q, want %s", got, row.status)
				}
				if n := strings.Count(got, "HTTP/1.1 "); n > 1 {
					t.Errorf("one request has %d answers: %q", n, got)
				}
				if strings.Contains(strings.ToLower(got), "access-control-allow") {
					t.Errorf("a page of another site may call: %q", got)
				}
			})
		}
	})
	want := map[string]int{}
	for _, row := range rows {
		if row.reason != "" && (!row.slow || !testing.Short()) {
			want[row.reason]++
		}
	}
	got := map[string]int{}
	for _, r := range h.records() {
		if r.Kind != "event" {
			got[r.Reason]++
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("on record %v, want %v", got, want)
	}
	if got := rec.got(); len(got) > 0 {
		t.Errorf("the upstream got %v", got)
	}
}
