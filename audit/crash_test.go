package audit_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
)

// crashDir names the state directory to a test binary that runs as the child of TestKilledProcess.
const crashDir = "HOPGATE_AUDIT_CRASH_DIR"

func crashConfig(dir string) audit.Config {
	return audit.Config{
		Dir: dir, Clock: time.Now, Random: rand.Reader, Log: zerolog.Nop(), SegmentSize: 64 << 10, CheckpointRecords: 50,
	}
}

// crashChild keeps a journal busy until it is killed. It says of each call that is on record which it is, before it ends
// the call: that is the moment at which a proxy would have sent it.
func crashChild(dir string) {
	ctx := context.Background()
	j, err := audit.Open(ctx, crashConfig(dir))
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var out sync.Mutex
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				c := &policy.Call{Ref: policy.Ref(mathrand.Uint64() >> 4), Agent: bot, Connection: link, Method: "tools/call", Target: "t"}
				if err := j.Begin(ctx, c, &policy.Outcome{Allowed: true}); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				out.Lock()
				fmt.Println("sent", c.Ref)
				out.Unlock()
				j.End(c, &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK})
			}
		})
	}
	group.Wait()
}

// A process is killed again and again at random moments: the journal opens each time, it is sound, and every call that
// was sent has its intent and one end.
func TestKilledProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sent := map[string]bool{}
	for round := range 12 {
		for _, ref := range killedRun(t, exe, dir) {
			sent[ref] = true
		}
		if round == 6 { // the store is lost as well
			if err := os.RemoveAll(filepath.Join(dir, "badger")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(sent) == 0 {
		t.Fatal("nothing was sent")
	}
	j, err := audit.Open(t.Context(), crashConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	intents, ends := map[string]int{}, map[string]int{}
	for r, err := range j.Tail(t.Context(), 1<<30, false) {
		if err != nil {
			t.Fatal(err)
		}
		switch r.Kind {
		case audit.KindIntent:
			intents[r.Ref]++
		case audit.KindOutcome:
			ends[r.Ref]++
		default:
		}
	}
	for ref := range sent {
		if intents[ref] != 1 {
			t.Errorf("call %s was sent and has %d intents", ref, intents[ref])
		}
	}
	for ref := range intents {
		if ends[ref] != 1 {
			t.Errorf("call %s has %d ends, want one", ref, ends[ref])
		}
	}
	mustClose(t, j)
	if v, err := audit.Verify(t.Context(), dir, ""); err != nil || v.Damage != nil || v.Torn != nil || v.Unsigned() != 0 {
		t.Errorf("Verify = %+v, %v", v, err)
	}
}

// killedRun starts a child, kills it, and returns what it has sent.
func killedRun(t *testing.T, exe, dir string) (sent []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	after := mathrand.IntN(400) // calls; now and then before the first
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, ref, _ := strings.Cut(lines.Text(), " ")
		if what != "sent" {
			t.Errorf("the child says %q", lines.Text())
		}
		sent = append(sent, ref)
		if len(sent) == after+1 {
			_ = cmd.Process.Kill() // it may have ended by itself; what it wrote before is read still
		}
	}
	_ = cmd.Wait() // it was killed
	return sent
}
