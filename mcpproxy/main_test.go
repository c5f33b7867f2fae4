package mcpproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// modeVar makes the test binary a server over standard streams.
const modeVar = "HOPGATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(modeVar) != "" {
		child()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child is the fake server over standard streams, until its input ends. It says who it is where it is greeted.
func child() {
	s := newServer()
	var out sync.Mutex
	emit := func(m string) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(m)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<22)
	for in.Scan() {
		var f wire.Frame
		if wire.Parse(&f, bytes.Clone(in.Bytes()), wire.FromAgent, &wire.DefaultLimits) != nil {
			os.Exit(5)
		}
		switch {
		case f.String(wire.Method) == "notifications/initialized":
			emit(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"pid %d is greeted"}}`, os.Getpid()))
		case f.String(wire.Method) == "notifications/cancelled":
			s.note(string(f.Raw), &f)
		case f.String(wire.ParamsName) == "release":
			s.release <- struct{}{}
			go s.act(context.Background(), &f, emit)
		case f.Kind == wire.KindRequest:
			go s.act(context.Background(), &f, emit)
		default:
			s.hear(&f)
		}
	}
}
