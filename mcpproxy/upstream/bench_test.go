package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// answers returns a server that reads requests as far as it must and answers each with the same bytes.
func answers(b *testing.B, response string) (url string) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ln.Close() })
	raw := []byte(response)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReaderSize(c, 16<<10)
				for {
					n := 0
					for {
						line, err := br.ReadSlice('\n')
						if err != nil {
							return
						}
						if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
							for _, d := range bytes.TrimRight(v, "\r\n") {
								n = 10*n + int(d-'0')
							}
						}
						if len(line) == 2 {
							break
						}
					}
					if _, err := br.Discard(n); err != nil {
						return
					}
					if _, err := c.Write(raw); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String() + "/mcp"
}

// kilobyte is a call of 1 KB, and its answer.
func kilobyte(b *testing.B) (out *upstream.Outgoing, answer string) {
	b.Helper()
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)
	out = modern(b, `{"jsonrpc":"2.0","id":17,"method":"tools/call","params":{"name":"echo","arguments":{"text":"`+text+
		`"},"_meta":{"progressToken":12,"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
	out.Name = "echo"
	return out, `{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"` + text + `"}],"isError":false}}`
}

func BenchmarkHTTP(b *testing.B) {
	out, answer := kilobyte(b)
	head := "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 09:33:00 GMT\r\nContent-Type: "
	for name, response := range map[string]string{
		"json":   fmt.Sprintf("%sapplication/json\r\nContent-Length: %d\r\n\r\n%s", head, len(answer), answer),
		"events": fmt.Sprintf("%stext/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\nevent: message\ndata: %s\n\n\r\n0\r\n\r\n", head, len(answer)+23, answer),
	} {
		url := answers(b, response)
		b.Run(name+"/upstream", func(b *testing.B) {
			l := stateless(b, newServer(b, httpConfig(url)))
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				s, err := l.Send(ctx, out)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Next(ctx); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
		b.Run(name+"/http.Transport", func(b *testing.B) {
			client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			var buf bytes.Buffer
			for b.Loop() {
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(out.Frame.Raw))
				if err != nil {
					b.Fatal(err)
				}
				r.Header.Set("Accept", "application/json, text/event-stream")
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Mcp-Protocol-Version", out.Protocol)
				r.Header.Set("Mcp-Method", "tools/call")
				r.Header.Set("Mcp-Name", out.Name)
				resp, err := client.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				buf.Reset()
				if _, err := io.Copy(&buf, resp.Body); err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
				raw := buf.Bytes()
				if name == "events" {
					raw = bytes.TrimPrefix(raw, []byte("event: message\ndata: "))
				}
				var f wire.Frame
				if err := wire.Parse(&f, raw, wire.FromUpstream, &wire.DefaultLimits); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResponse compares the head parser with that of the standard library.
func BenchmarkResponse(b *testing.B) {
	_, answer := kilobyte(b)
	raw := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 09:33:00 GMT\r\nContent-Type: application/json\r\n"+
		"Mcp-Session-Id: 1868a90c-1c2d-4f5a-9d3b-0a6b6ad3c0de\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	b.Run("ours", func(b *testing.B) {
		r := upstream.TestOnlyReader()
		b.ReportAllocs()
		for b.Loop() {
			if err := r(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("http.ReadResponse", func(b *testing.B) {
		src := bytes.NewReader(nil)
		br := bufio.NewReaderSize(src, 8<<10)
		buf := make([]byte, 4096)
		b.ReportAllocs()
		for b.Loop() {
			src.Reset(raw)
			br.Reset(src)
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.ReadFull(resp.Body, buf[:resp.ContentLength]); n == 0 {
				b.Fatal(err)
			}
			_ = resp.Body.Close()
		}
	})
}

func BenchmarkEvents(b *testing.B) {
	data := "data: " + strings.Repeat("x", 64<<10) + "\n\n"
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	r := upstream.TestOnlyEventLoop(data)
	for b.Loop() {
		if err := r(); err != nil {
			b.Fatal(err)
		}
	}
}
