package bridge_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// modeVar makes the test binary a server over standard streams, of the era that its value names.
const modeVar = "HOPGATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if sandbox.Enter() != nil {
		os.Exit(126)
	}
	switch os.Getenv(modeVar) {
	case "legacy":
		child(legacyChild())
	case "modern":
		child(modernChild)
	default:
		goleak.VerifyTestMain(m)
	}
}

// child answers lines until its input ends.
func child(act func(*wire.Frame)) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var f wire.Frame
		if wire.Parse(&f, bytes.Clone(in.Bytes()), wire.FromAgent, &wire.DefaultLimits) != nil {
			os.Exit(5)
		}
		act(&f)
	}
}

func answerTo(id []byte, value string) {
	fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", id, value)
}

// legacyChild asks when as many calls are under way as the tool's name says, and tells all of them what it has heard.
func legacyChild() func(*wire.Frame) {
	var calls [][]byte
	want := map[string]int{"one": 1, "two": 2}
	return func(f *wire.Frame) {
		switch id := f.Get(wire.ID); {
		case f.String(wire.Method) == "initialize":
			answerTo(id, `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"child","version":"1"}}`)
		case f.String(wire.Method) == "tools/call":
			if calls = append(calls, bytes.Clone(id)); len(calls) == want[f.String(wire.ParamsName)] {
				fmt.Println(earlier("1", "elicitation/create", `{"message":"Who?"}`))
			}
		case f.Response():
			for _, c := range calls {
				answerTo(c, fmt.Sprintf(`{"n":1e400,"heard":%s}`, f.Raw))
			}
			calls = nil
		}
	}
}

// modernChild asks once in a result.
func modernChild(f *wire.Frame) {
	switch id := f.Get(wire.ID); {
	case f.String(wire.Method) == "server/discover":
		answerTo(id, discovered)
	case f.String(wire.Method) != "tools/call":
	case f.Has(wire.ParamsInputResponses):
		answerTo(id, fmt.Sprintf(`{"resultType":"complete","n":1e400,"got":%s}`, f.Get(wire.ParamsInputResponses)))
	default:
		answerTo(id, `{"resultType":"input_required","requestState":"s","inputRequests":{"u":{"method":"elicitation/create","params":{"message":"Who?"}}}}`)
	}
}
