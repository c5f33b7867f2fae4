package ingress_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// knock opens a connection to a URL, and says something on it.
func knock(t *testing.T, url, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	io.WriteString(c, text)
	return c
}

// TestABodyThatIsRefusedIsNotWaitedFor has strangers announce bodies that never come.
func TestABodyThatIsRefusedIsNotWaitedFor(t *testing.T) {
	url := serve(t, &handler{})
	for name, head := range map[string]string{
		"stranger": "", "another host": "Host: evil.example\r\n", "wrong type": "Authorization: Bearer good\r\nContent-Type: text/plain\r\n",
	} {
		if !strings.Contains(head, "Host") {
			head += "Host: localhost\r\n"
		}
		for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
			c := knock(t, url, "POST /mcp/up HTTP/1.1\r\n"+head+length+"\r\n\r\n")
			if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 4") {
				t.Errorf("%s, %s: got %q, %v", name, length, got, err)
			}
		}
	}
}

func TestComplaintsAboutConnectionsAreBounded(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1, 0)
	to := ingress.Complaints(zerolog.New(&log), func() time.Time { return now })
	for i := range 1000 {
		fmt.Fprintf(to, "http: TLS handshake error %d %s", i, strings.Repeat("x", 10000))
	}
	now = now.Add(time.Second)
	fmt.Fprint(to, "again")
	if got := log.String(); strings.Count(got, "\n") != 2 || len(got) > 1500 || !strings.Contains(got, fmt.Sprintf(`"skipped":%d`, 999)) {
		t.Errorf("the log is %q", got)
	}
}
