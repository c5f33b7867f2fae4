package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/toolscope"
)

// BenchmarkStdio1K is one call of 1 KB over stdio to a child, and back: four frames through the whole proxy, two of them
// from peers and two to peers, with the journal on. The child is cat, which sends each request back; a request whose
// method the protocol lacks would be refused, so an answer is made of it by sed.
func BenchmarkStdio1K(b *testing.B) {
	dir := b.TempDir()
	a := &app{config: filepath.Join(dir, "hopgate.yaml"), state: filepath.Join(dir, "state"), words: io.Discard, env: os.LookupEnv, catalog: toolscope.NewCatalog()}
	answer := `s/^{"jsonrpc":"2.0","id":0,.*/` + strings.ReplaceAll(initAnswer, "/", `\/`) + `/;` +
		`s/^{"jsonrpc":"2.0","id":7,"method":"tools\/call","params":\(.*\)}$/{"jsonrpc":"2.0","id":7,"result":{"content":[],"structuredContent":\1}}/`
	text := fmt.Sprintf("version: 1\nagents: {tester: local}\nupstreams: {up: {command: [sed, -u, '%s']}}\nconnections: {c: {from: tester, to: up, tools: '*'}}\n", answer)
	if err := os.WriteFile(a.config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := a.load()
	if err != nil {
		b.Fatal(err)
	}
	e, err := a.openState(b.Context(), place{a.state, a.state + ".anchor"}, zerolog.Nop(), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.close(); err != nil {
			b.Error(err)
		}
	})
	if err := e.serve(b.Context(), file, nil); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	in, toProxy := io.Pipe()
	fromProxy, out := io.Pipe()
	served := make(chan error, 1)
	go func() {
		s := ingress.Stdio{Handler: e.proxy, In: in, Out: out}
		served <- s.Serve(ctx, &ingress.Peer{Transport: "stdio", Upstream: "up", Local: true})
	}()
	answers := bufio.NewReaderSize(fromProxy, 64<<10)
	say := func(line []byte, answered bool) {
		if _, err := toProxy.Write(line); err != nil {
			b.Fatal(err)
		}
		if !answered {
			return
		}
		if got, err := answers.ReadSlice('\n'); err != nil || !bytes.Contains(got, []byte(`"result"`)) {
			b.Fatalf("got %q, %v", got, err)
		}
	}
	say([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}`+"\n"), true)
	say([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"), false)
	call := []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"` + strings.Repeat("x", 1000) + `"}}}` + "\n")
	b.ReportAllocs()
	for b.Loop() {
		say(call, true)
	}
	b.StopTimer()
	_ = toProxy.Close() // the end of stdin ends the session
	<-served
}
