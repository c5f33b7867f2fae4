package ingress_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

const plainHead = "POST /mcp/up HTTP/1.1\r\nHost: localhost\r\n"

// TestWhoServesARequest has what is plain served here, and all else by net/http.
func TestWhoServesARequest(t *testing.T) {
	at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		by := "here"
		if r.Context().Value(http.ServerContextKey) != nil {
			by = "net/http"
		}
		_, _ = io.WriteString(w, by)
	}))
	for name, x := range map[string]struct{ raw, want string }{
		"plain":                  {plainHead + "Content-Length: 2\r\n\r\n{}", "here"},
		"names in small letters": {"POST /mcp/up HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\n{}", "here"},
		"other headers":          {plainHead + "User-Agent: x\r\nCookie: a=b\r\nContent-Length: 2\r\n\r\n{}", "here"},
		"no content":             {plainHead + "Content-Length: 0\r\n\r\n", "here"},
		"a GET":                  {"GET /mcp/up HTTP/1.1\r\nHost: localhost\r\n\r\n", "net/http"},
		"another path":           {"POST /sse/up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"an escaped path":        {"POST /mcp/%75p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"a query":                {"POST /mcp/up?x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"chunks":                 {plainHead + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "net/http"},
		"a length and chunks":    {plainHead + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "net/http"},
		"the last one":           {plainHead + "Connection: close\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"a wait for 100":         {plainHead + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 100"},
		"no length":              {plainHead + "\r\n", "net/http"},
		"two lengths":            {plainHead + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "HTTP/1.1 400"},
		"a signed length":        {plainHead + "Content-Length: +2\r\n\r\n{}", "HTTP/1.1 400"},
		"two hosts":              {plainHead + "Host: evil.example\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 400"},
		"a folded line":          {plainHead + "Mcp-Name: a\r\n b\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"a space before colon":   {plainHead + "Content-Length : 2\r\n\r\n{}", "HTTP/1.1 400"},
		"a line of LF":           {plainHead + "Mcp-Name: a\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"HTTP/1.0":               {"POST /mcp/up HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"a long head":            {plainHead + "X-Long: " + strings.Repeat("x", 5000) + "\r\nContent-Length: 2\r\n\r\n{}", "net/http"},
		"a long body":            {plainHead + "Content-Length: 300000\r\n\r\n" + strings.Repeat(" ", 300000), "net/http"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, at)
			go io.WriteString(c, x.raw)
			answers := bufio.NewReader(c)
			if status, ok := strings.CutPrefix(x.want, "HTTP"); ok {
				if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP"+status) {
					t.Errorf("got %q, %v", line, err)
				}
				return
			}
			if got := answered(t, answers); got != x.want {
				t.Errorf("served by %s, want %s", got, x.want)
			}
		})
	}
}

func dial(t *testing.T, at string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// answered reads an answer and returns its content.
func answered(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func numbered(n int) string {
	body := fmt.Sprint(n)
	return plainHead + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// TestRequestsFollowEachOther sends requests one behind the other: at once, while one is answered, in pieces, some whose
// content nobody reads, and one that is for net/http at the end.
func TestRequestsFollowEachOther(t *testing.T) {
	begun, release := make(chan struct{}, 10), make(chan struct{}, 10)
	at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Name") == "skip" {
			_, _ = io.WriteString(w, "skipped")
			return
		}
		b, _ := io.ReadAll(r.Body)
		if string(b) == "3" {
			begun <- struct{}{}
			<-release
		}
		_, _ = w.Write(b)
	}))
	c := dial(t, at)
	answers := bufio.NewReader(c)
	next := func(want string) {
		t.Helper()
		if got := answered(t, answers); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	_, _ = io.WriteString(c, numbered(1)+numbered(2))
	next("1")
	next("2")
	_, _ = io.WriteString(c, numbered(3))
	<-begun
	time.Sleep(50 * time.Millisecond) // the peer is watched by then
	_, _ = io.WriteString(c, numbered(4))
	time.Sleep(5 * time.Millisecond)
	release <- struct{}{}
	next("3")
	next("4")
	_, _ = io.WriteString(c, plainHead+"Content-Length: 10\r\n\r\n12345")
	time.Sleep(5 * time.Millisecond)
	_, _ = io.WriteString(c, "67890")
	next("1234567890")
	_, _ = io.WriteString(c, plainHead+"Mcp-Name: skip\r\nContent-Length: 10000\r\n\r\n")
	_, _ = io.WriteString(c, strings.Repeat("x", 10000))
	next("skipped")
	_, _ = io.WriteString(c, numbered(5)+"POST /mcp/up HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n6\r\n0\r\n\r\n"+numbered(7))
	next("5")
	next("6")
	next("7")
}

// TestAPeerThatGoesIsNoticed ends the context of a request whose peer hangs up.
func TestAPeerThatGoesIsNoticed(t *testing.T) {
	for name, stream := range map[string]bool{"before the answer": false, "within a stream": true} {
		t.Run(name, func(t *testing.T) {
			begun, over := make(chan struct{}), make(chan struct{})
			at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if stream {
					_ = http.NewResponseController(w).Flush()
				}
				close(begun)
				<-r.Context().Done()
				close(over)
			}))
			c := dial(t, at)
			_, _ = io.WriteString(c, numbered(1))
			<-begun
			c.Close()
			<-over
		})
	}
}

// TestAnswersArriveHoweverTheyAreWritten has a handler answer in all ways that there are.
func TestAnswersArriveHoweverTheyAreWritten(t *testing.T) {
	big := strings.Repeat("0123456789", 30_000)
	for name, x := range map[string]struct {
		answer func(w http.ResponseWriter)
		status int
		length int64 // -1: in chunks
		want   string
	}{
		"nothing":  {func(http.ResponseWriter) {}, 200, 0, ""},
		"a status": {func(w http.ResponseWriter) { w.WriteHeader(202) }, 202, 0, ""},
		"a length": {func(w http.ResponseWriter) { w.Header().Set("Content-Length", "2"); _, _ = io.WriteString(w, "{}") }, 200, 2, "{}"},
		"a length, in pieces": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(len(big)+2))
			_, _ = io.WriteString(w, "{")
			_, _ = io.WriteString(w, big)
			_, _ = io.WriteString(w, "}")
		}, 200, int64(len(big) + 2), "{" + big + "}"},
		"a length, flushed": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "}")
		}, 200, 2, "{}"},
		"no length": {func(w http.ResponseWriter) { w.WriteHeader(403); _, _ = io.WriteString(w, "{}") }, 403, 2, "{}"},
		"much":      {func(w http.ResponseWriter) { _, _ = io.WriteString(w, big) }, 200, -1, big},
		"in two pieces": {func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "}")
		}, 200, -1, "{}"},
	} {
		t.Run(name, func(t *testing.T) {
			at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "no-store")
				w.Header().Set("Mcp-Name", "a\r\nb: c")
				x.answer(w)
			}))
			c := dial(t, at)
			answers := bufio.NewReader(c)
			for range 2 { // another request may follow
				_, _ = io.WriteString(c, numbered(1))
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != x.status || resp.ContentLength != x.length || string(got) != x.want {
					t.Errorf("got %d, %d bytes of %d, %v", resp.StatusCode, len(got), resp.ContentLength, err)
				}
				if resp.Header.Get("Date") == "" || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Mcp-Name") != "" {
					t.Errorf("the head is %v", resp.Header)
				}
			}
		})
	}
}

// TestALongAnswerLeavesItsConnection has a request follow at once on an answer that took long: it is served as all are.
func TestALongAnswerLeavesItsConnection(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	followed := make(chan struct{})
	at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if string(b) == "2" {
			_, _ = fmt.Fprint(w, r.Context().Value(http.ServerContextKey) == nil)
			return
		}
		time.Sleep(50 * time.Millisecond) // the peer is watched by then
		w.Header().Set("Content-Length", fmt.Sprint(len(long)))
		_, _ = io.WriteString(w, long)
		<-followed
		time.Sleep(5 * time.Millisecond) // for what is sent to come
	}))
	c := dial(t, at)
	answers := bufio.NewReader(c)
	_, _ = io.WriteString(c, numbered(1))
	if got := answered(t, answers); got != long {
		t.Fatalf("got %d bytes", len(got))
	}
	_, _ = io.WriteString(c, numbered(2))
	close(followed)
	if got := answered(t, answers); got != "true" {
		t.Error("the next request was left to net/http")
	}
}

// TestAnAnswerOfAnotherLength ends a connection on which it could not be told where the next answer begins.
func TestAnAnswerOfAnotherLength(t *testing.T) {
	at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		_, _ = io.WriteString(w, "{}")
	}))
	c := dial(t, at)
	_, _ = io.WriteString(c, numbered(1)+numbered(2))
	if all, _ := io.ReadAll(c); bytes.Count(all, []byte("HTTP/1.1")) != 1 {
		t.Errorf("got %q", all)
	}
}

// TestAPeerThatStillSendsReadsTheAnswer: its connection is not reset under it, and it is not waited for if it says no more.
func TestAPeerThatStillSendsReadsTheAnswer(t *testing.T) {
	const size = 200 << 10
	at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "too large")
	}))
	for name, rest := range map[string]int{"sends": size >> 10, "stops": 1} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, at)
			_, _ = io.WriteString(c, "POST /mcp/up HTTP/1.1\r\nHost: a\r\nContent-Length: "+fmt.Sprint(size)+"\r\n\r\n")
			r := bufio.NewReader(c)
			if got := answered(t, r); got != "too large" {
				t.Fatalf("got %q", got)
			}
			for i := range rest {
				if _, err := c.Write(make([]byte, 1<<10)); err != nil {
					t.Fatalf("KB %d of %d: %v", i, rest, err)
				}
			}
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want the end", err)
			}
		})
	}
}

// TestAPanicEndsItsConnection and nothing else.
func TestAPanicEndsItsConnection(t *testing.T) {
	at := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) == "1" {
			panic("cannot happen")
		}
	}))
	c := dial(t, at)
	_, _ = io.WriteString(c, numbered(1))
	if all, _ := io.ReadAll(c); len(all) > 0 {
		t.Errorf("got %q", all)
	}
	c = dial(t, at)
	_, _ = io.WriteString(c, numbered(2))
	answered(t, bufio.NewReader(c))
}

// TestShutdownWaitsForAnswers closes what is idle, and waits for the request under way, whose answer says that it is the
// last.
func TestShutdownWaitsForAnswers(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	begun, release := make(chan struct{}), make(chan struct{})
	s := ingress.NewServer(t.Context(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); string(b) == "1" {
			close(begun)
			<-release
		}
	}), time.Now, 1<<16)
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	idle, busy := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	_, _ = io.WriteString(idle, numbered(2))
	answers := bufio.NewReader(idle)
	answered(t, answers)
	_, _ = io.WriteString(busy, numbered(1))
	<-begun
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while a request is under way: %v", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving ends with %v", err)
	}
	if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection: %v", err)
	}
	ended := make(chan error)
	go func() { ended <- s.Shutdown(t.Context()) }()
	close(release)
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if !resp.Close {
		t.Error("the last answer does not say that it is")
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestServerOverTLS serves plain requests and others over TLS, and tells whoever does not speak it.
func TestServerOverTLS(t *testing.T) {
	lent := httptest.NewUnstartedServer(nil)
	lent.StartTLS() // for its certificate
	defer lent.Close()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := ingress.NewServer(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method)
	}), time.Now, 1<<16)
	go s.Serve(tls.NewListener(l, &tls.Config{Certificates: lent.TLS.Certificates}))
	defer s.Close()
	for _, method := range []string{http.MethodPost, http.MethodPost, http.MethodPut, http.MethodPost} {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+l.Addr().String()+"/mcp/up", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := lent.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != method {
			t.Errorf("%s: got %q", method, b)
		}
		resp.Body.Close()
	}
	c := dial(t, l.Addr().String())
	_, _ = io.WriteString(c, numbered(1))
	if line, _ := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.0 400") {
		t.Errorf("without TLS: %q", line)
	}
}
