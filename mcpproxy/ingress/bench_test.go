package ingress_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// BenchmarkStdio is one frame in and one frame out.
func BenchmarkStdio(b *testing.B) {
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	served := make(chan error, 1)
	go func() {
		s := ingress.Stdio{Handler: &handler{post: echo}, In: in, Out: out}
		served <- s.Serve(b.Context(), &ingress.Peer{Transport: "stdio", Local: true})
	}()
	line := []byte(`{"text":"` + strings.Repeat("x", 1000) + "\"}\n")
	answers := bufio.NewReaderSize(fromServer, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := toServer.Write(line); err != nil {
			b.Fatal(err)
		}
		if got, err := answers.ReadSlice('\n'); err != nil || len(got) != len(line) {
			b.Fatalf("got %d bytes, %v; want %d", len(got), err, len(line))
		}
	}
	_ = toServer.Close() // the end of stdin ends the session
	<-served
}
