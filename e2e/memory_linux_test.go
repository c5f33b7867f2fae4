package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// resident is how much memory of the machine a process holds, in KiB.
func resident(tb testing.TB, pid int) (kib float64) {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			return kib
		}
	}
	tb.Fatal("the system does not say how much memory the process has")
	return 0
}

// BenchmarkMemoryAtRest starts a daemon that nobody asks anything, and waits until it has given back what starting took.
func BenchmarkMemoryAtRest(b *testing.B) {
	h := newHopgate(b, `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { bot: key }
upstreams: { up: { url: "http://127.0.0.1:1/mcp" } }
connections: { c: { from: bot, to: up, tools: "*", trust: 200, guard: strict } }
`)
	h.serve()
	b.ReportMetric(resident(b, h.cmd.Process.Pid)/1024, "MiB-started")
	time.Sleep(45 * time.Second)
	b.ReportMetric(resident(b, h.cmd.Process.Pid)/1024, "MiB-resting")
	b.ReportMetric(0, "ns/op")
}
