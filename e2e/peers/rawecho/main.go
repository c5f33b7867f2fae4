// Command rawecho is an MCP server whose tool echo returns the bytes of the request that it received, base64-encoded, so
// that a test can see what was changed on the way; and whose results hold values that are easy to damage. It speaks
// streamable HTTP, the transport of 2024-11-05 and WebSocket at -http ADDR, or stdio. With -slow, the tool slow answers only after that time.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// fragile stands in every result as it is written here.
const fragile = `"structuredContent":{"big":12345678901234567890,"frac":1.0,"exp":1E+2,"neg0":-0,"small":1e-400,"huge":1e400,` +
	`"long":0.1000000000000000055511151231257827,"esc":"\u00e9\/\u2028","z":1,"a":2,"lone":"\ud800"},"x-unknown":{"keep":true}`

const tools = `"tools":[{"name":"echo","description":"d","inputSchema":{"type":"object"},"x-vendor":{"n":1.0}},` +
	`{"name":"slow","inputSchema":{"type":"object"}},{"name":"secret","inputSchema":{"type":"object"}}],"x-list":1`

var slow = flag.Duration("slow", 100*time.Millisecond, "how long the tool slow takes")

func answer(raw []byte) []byte {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			Name            string                     `json:"name"`
			ProtocolVersion string                     `json:"protocolVersion"`
			Meta            map[string]json.RawMessage `json:"_meta"`
		} `json:"params"`
	}
	if json.Unmarshal(raw, &m) != nil || len(m.ID) == 0 || m.Method == "" {
		return nil
	}
	kind := ""
	if m.Params.Meta["io.modelcontextprotocol/protocolVersion"] != nil {
		kind = `"resultType":"complete",`
	}
	result := func(members string) []byte {
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":{%s%s}}`, m.ID, kind, members)
	}
	switch m.Method {
	case "initialize":
		return result(`"protocolVersion":"` + m.Params.ProtocolVersion + `","capabilities":{"tools":{}},"serverInfo":{"name":"rawecho","version":"1"}`)
	case "server/discover":
		return result(`"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"`)
	case "tools/list":
		return result(tools)
	case "tools/call":
		if m.Params.Name == "slow" {
			time.Sleep(*slow)
		}
		return result(`"content":[{"type":"text","text":"` + base64.StdEncoding.EncodeToString(raw) + `"}],` + fragile)
	case "ping", "logging/setLevel":
		return result("")
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no","data":{"n":1.0}}}`, m.ID)
}

func main() {
	addr := flag.String("http", "", "address to serve at /mcp, /sse and /ws; the one in use is printed")
	flag.Parse()
	if *addr == "" {
		stdio()
		return
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	http.HandleFunc("/mcp", serve)
	http.HandleFunc("/sse", sse)
	http.HandleFunc("/ws", ws)
	log.Fatal(http.Serve(l, nil))
}

func serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	raw, _ := io.ReadAll(r.Body)
	a := answer(raw)
	if a == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Mcp-Session-Id", "s1")
	w.Write(a)
}

// streams are the open ones of 2024-11-05.
var streams sync.Map // of func([]byte), by id

func sse(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		say, ok := streams.Load(r.URL.Query().Get("id"))
		raw, _ := io.ReadAll(r.Body)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		go say.(func([]byte))(answer(raw))
		return
	}
	var mu sync.Mutex
	over := false
	id := fmt.Sprintf("%p", &mu)
	streams.Store(id, func(raw []byte) {
		mu.Lock()
		defer mu.Unlock()
		if raw != nil && !over {
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", raw)
			w.(http.Flusher).Flush()
		}
	})
	mu.Lock()
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "event: endpoint\ndata: /sse?id=%s\n\n", id)
	w.(http.Flusher).Flush()
	mu.Unlock()
	<-r.Context().Done()
	streams.Delete(id)
	mu.Lock()
	over = true
	mu.Unlock()
}

func ws(w http.ResponseWriter, r *http.Request) {
	c, err := (&websocket.Upgrader{Subprotocols: []string{"mcp"}}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	var mu sync.Mutex
	for {
		_, raw, err := c.ReadMessage()
		if err != nil {
			return
		}
		go func() {
			if a := answer(raw); a != nil {
				mu.Lock()
				defer mu.Unlock()
				c.WriteMessage(websocket.TextMessage, a)
			}
		}()
	}
}

func stdio() {
	var mu sync.Mutex
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			go func() {
				if a := answer(line[:len(line)-1]); a != nil {
					mu.Lock()
					defer mu.Unlock()
					os.Stdout.Write(append(a, '\n'))
				}
			}()
		}
		if err != nil {
			time.Sleep(*slow)
			return
		}
	}
}
