//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"
)

// The benchmarks measure real processes: what an IDE waits for when it starts hopgate stdio, and what the relay adds.

// BenchmarkAttach measures from the start of a front-end to its first answer, to a ping.
func BenchmarkAttach(b *testing.B) {
	attach := func(s *site) {
		x := s.ide()
		if answer := x.ask("ping", "{}"); !strings.Contains(answer, `"result"`) {
			b.Fatalf("got %s", answer)
		}
		x.in.Close()
		_ = x.cmd.Wait()
	}
	b.Run("warm", func(b *testing.B) {
		s := newSite(b, plainYAML)
		attach(s)
		for b.Loop() {
			attach(s)
		}
	})
	b.Run("cold", func(b *testing.B) {
		s := newSite(b, plainYAML)
		for b.Loop() {
			attach(s)
			b.StopTimer()
			_ = syscall.Kill(s.owner(), syscall.SIGKILL)
			b.StartTimer()
		}
	})
}

// BenchmarkRoundTrip measures a call with 1 KB of arguments over pipes, which is on record before the server gets it, with
// the relay and without it.
func BenchmarkRoundTrip(b *testing.B) {
	for name, flags := range map[string][]string{"relay": nil, "no-daemon": {"--no-daemon"}} {
		b.Run(name, func(b *testing.B) {
			x := newSite(b, plainYAML).ide(flags...)
			if !x.greet() {
				b.Fatal("the front-end is not served")
			}
			params := `{"name":"read_it","arguments":{"text":"` + strings.Repeat("x", 1000) + `"}}`
			for b.Loop() {
				if answer := x.ask("tools/call", params); !strings.Contains(answer, `"content"`) {
					b.Fatalf("got %s", answer)
				}
			}
		})
	}
}
