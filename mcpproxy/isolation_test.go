package mcpproxy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// TestAgentsAreIsolated interleaves 200 calls of two agents, in both eras, with progress and questions of the server,
// under the same ids. Every message holds the name of the one whom it is for.
func TestAgentsAreIsolated(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		var work sync.WaitGroup
		for _, name := range []string{"alice", "bob"} {
			c := w.session(name, "2025-11-25")
			for i := range 100 {
				id, mine := fmt.Sprintf(`"%s-%d"`, name, i), fmt.Sprintf(`{"of":"%s-%d"}`, name, i)
				work.Go(func() {
					var err error
					switch i % 4 {
					case 0:
						err = c.progresses(tool(id, "progress", mine), id)
					case 1:
						err = c.isAsked(tool(id, "ask", mine), fmt.Sprintf("%s-%d", name, i))
					case 2:
						err = c.echoes(tool("7"+fmt.Sprint(i), "echo", mine), mine, false)
					default:
						err = c.echoes(modernTool("7", "echo", mine), mine, true)
					}
					if err != nil {
						t.Errorf("%s: %v", id, err)
					}
				})
			}
		}
		work.Wait()
	})
}

func (c *client) progresses(body, token string) error {
	r, err := c.do("POST", body)
	if err != nil {
		return err
	}
	all := r.all()
	if len(all) != 3 || !strings.Contains(all[0], `"progressToken":`+token) || !strings.Contains(all[1], `"progressToken":`+token) || !strings.Contains(all[2], `"id":`+token) {
		return fmt.Errorf("got %s", all)
	}
	return nil
}

func (c *client) isAsked(body, mine string) error {
	r, err := c.do("POST", body)
	if err != nil {
		return err
	}
	ask, _ := r.next()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(ask.data), wire.FromUpstream, &wire.DefaultLimits); err != nil || !strings.Contains(ask.data, `"of":"`+mine+`"`) {
		return fmt.Errorf("asked %s (%w)", ask.data, err)
	}
	answer, err := c.do("POST", fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"model":%q}}`, f.Get(wire.ID), mine))
	if err != nil {
		return err
	}
	answer.all()
	if all := r.all(); len(all) != 1 || !strings.Contains(all[0], `"model":"`+mine+`"`) {
		return fmt.Errorf("got %s", all)
	}
	return nil
}

func (c *client) echoes(body, mine string, modern bool) error {
	head := header("Mcp-Protocol-Version", "2025-11-25")
	if modern {
		head = modernHead("tools/call", "echo")
	}
	r, err := c.do("POST", body, head)
	if err != nil {
		return err
	}
	if all := r.all(); len(all) != 1 || !strings.Contains(all[0], `"got":`+mine) {
		return fmt.Errorf("got %s", all)
	}
	return nil
}
