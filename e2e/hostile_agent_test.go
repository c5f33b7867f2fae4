package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ploy is what a hostile agent or stranger does on connections of its own, and what comes of it.
type ploy struct {
	send   string // KEY stands for a key
	more   string // sent again and again until the other side hangs up
	pause  time.Duration
	many   int           // connections; 0: one
	want   string        // in what comes back on each; empty: it is cut off
	stays  bool          // it stays as it is until the test hangs up
	nobody bool          // no agent is known by then, so it may have to make room for others, without an answer
	within time.Duration // that it is over; 0: 5 s
}

const (
	ployHead = "POST /mcp/far HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: run\r\n"
	ployStranger = "POST /mcp/far HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	ployChunked  = "Transfer-Encoding: chunked\r\n\r\n"
)

// ploys are against the listener.
func ploys() map[string]ploy {
	return map[string]ploy{
		"says nothing, often":              {many: 2500, stays: true},
		"half a head, often":               {send: ployStranger, many: 200, stays: true},
		"a head bit by bit":                {send: ployHead, more: "X", pause: 100 * time.Millisecond, nobody: true, within: 15 * time.Second},
		"100,000 headers":                  {send: ployHead, more: strings.Repeat("X: y\r\n", 1000), want: "HTTP/1.1 431", nobody: true},
		"a header without end":             {send: ployHead + "X: ", more: strings.Repeat("x", 1<<14), want: "HTTP/1.1 431", nobody: true},
		"a stranger's body never comes":    {send: ployStranger + "Content-Length: 1000\r\n\r\n", many: 50, want: "HTTP/1.1 401", nobody: true},
		"a stranger's body has no end":     {send: ployStranger + ployChunked, more: "1000\r\n" + strings.Repeat(" ", 0x1000) + "\r\n", want: "HTTP/1.1 401", nobody: true},
		"strangers, often":                 {send: ployStranger + "Connection: close\r\nContent-Length: 2\r\n\r\n{}", many: 1000, want: "HTTP/1.1 401", nobody: true, within: 20 * time.Second},
		"a body without end":               {send: ployHead + ployChunked, more: "1000\r\n" + strings.Repeat(" ", 0x1000) + "\r\n", want: "HTTP/1.1 413"},
		"a chunk of wrong length":          {send: ployHead + ployChunked + "2\r\n{}}\r\n0\r\n\r\n", want: "BODY_UNREADABLE"},
		"a compressed body":                {send: ployHead + "Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", want: "HTTP/1.1 415"},
		"announces 4 MB, often":            {send: ployHead + "Content-Length: 4000000\r\n\r\n{", many: 100, stays: true},
		"is no HTTP":                       {send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", more: strings.Repeat("\x00", 1<<12), want: "HTTP/1.1 4", nobody: true},
		"takes a stream and reads nothing": {send: "GET /sse/far HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\nAccept: text/event-stream\r\n\r\n", many: 50, stays: true},
	}
}

// do plays a ploy out.
func (p ploy) do(t *testing.T, h *hopgate) {
	t.Helper()
	within := max(p.within, 5*time.Second)
	var open []net.Conn
	for range max(p.many, 1) {
		c, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(within + 2*patience)); err != nil {
			t.Fatal(err)
		}
		if !p.nobody && !p.stays {
			c = h.introduced(t, c)
		}
		io.WriteString(c, strings.ReplaceAll(p.send, "KEY", h.mal))
		open = append(open, c)
	}
	if p.stays {
		time.Sleep(2 * time.Second)
		return
	}
	begun := time.Now()
	for _, c := range open {
		if p.more != "" {
			go func() {
				for {
					if _, err := io.WriteString(c, p.more); err != nil {
						return
					}
					time.Sleep(p.pause)
				}
			}()
		}
		got, err := io.ReadAll(c)
		lost := errors.Is(err, syscall.ECONNRESET) || p.nobody && len(got) == 0 && err == nil // by a reset an answer may be lost
		if !strings.Contains(string(got), p.want) && !lost {
			t.Fatalf("got %.300q, %v, want %s", got, err, p.want)
		}
	}
	if took := time.Since(begun); took > within+patience {
		t.Errorf("it took %v", took)
	}
}

// introduced makes a call over a connection, so that it is known to be an agent's and has not to make room for others any
// more. Where it had to before, another one takes its place.
func (h *hopgate) introduced(t *testing.T, c net.Conn) net.Conn {
	t.Helper()
	body := modernCall("{}")
	call := strings.ReplaceAll(ployHead, "KEY", h.mal) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	for deadline := time.Now().Add(patience); ; {
		io.WriteString(c, call)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("an agent cannot call: %v", err)
		}
		c.Close()
		if c, err = net.Dial("tcp", strings.TrimPrefix(h.base, "http://")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAgentsAndStrangersThatMisbehave has fewer descriptors than peers open connections.
func TestAgentsAndStrangersThatMisbehave(t *testing.T) {
	needsFiles(t, 8192) // the test has the other ends
	t.Parallel()
	cases := map[string]func(*testing.T, *hopgate){}
	for name, p := range ploys() {
		cases[name] = p.do
	}
	conn := "  mal-far: { from: mal, to: far, tools: [run], timeout: 2s }\n"
	h := newHopgate(t, hostileYAML(t, "", conn))
	h.files = 2048
	h.underFire(cases, strings.NewReplacer(conn, ""))
	refused := 0
	for _, r := range h.records() {
		if r.Kind == "refusal" && r.Agent == "" {
			refused++
		}
	}
	if refused > 600 { // 10 a second, of which the cases take some
		t.Errorf("%d refusals of strangers are on record in full", refused)
	}
	h.verify()
	if n := strings.Count(h.log.String(), "too many open files"); n > 0 {
		t.Errorf("%d times there were no descriptors", n)
	}
}
