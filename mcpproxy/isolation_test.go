package mcpproxy_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// TestAgentsAreIsolated interleaves 1,000 calls of two agents, in both eras, with progress, logs, tasks, resources and
// questions of the server, while each listens to its own stream; both use the same ids. Every message holds the name of the
// one whom it is for.
func TestAgentsAreIsolated(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		var work, hear sync.WaitGroup
		clients := map[string]*client{}
		own := map[string]chan string{} // what the server says to each
		for i, name := range []string{"alice", "bob"} {
			clients[name] = w.session(name, "2025-11-25")
			w.server.mu.Lock()
			own[name] = w.server.sessions[fmt.Sprintf("up-%d", i+1)]
			w.server.mu.Unlock()
		}
		for name, c := range clients {
			stream := c.listen("")
			hear.Go(func() {
				for n := range news {
					m, ok := stream.next()
					if want := said(name, n); !ok || m.data != want {
						t.Errorf("%s hears %q, want %q", name, m.data, want)
						return
					}
				}
			})
			work.Go(func() {
				for n := range news {
					own[name] <- said(name, n)
				}
			})
			for k := range 500 {
				work.Go(func() {
					if err := c.does(k, fmt.Sprintf("%s-%d", name, k)); err != nil {
						t.Errorf("%s, call %d: %v", name, k, err)
					}
				})
			}
		}
		work.Wait()
		hear.Wait()
	})
}

// news is how much a server says on the stream of each session.
const news = 100

func said(name string, n int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"%s-%d"}}`, name, n)
}

// does makes one call that is mine, of the kind that its number says. The number is the id where nobody else's may help.
func (c *client) does(k int, mine string) error {
	of, id := fmt.Sprintf(`{"of":%q}`, mine), fmt.Sprint(k)
	switch k % 7 {
	case 0:
		return c.progresses(tool(id, "progress", of), id)
	case 1:
		return c.isAsked(tool(id, "ask", of), mine)
	case 2:
		return c.echoes(tool(id, "echo", of), of, false)
	case 3:
		return c.echoes(modernTool("7", "echo", of), of, true)
	case 4:
		note := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%q}}`, mine)
		return c.gets(tool(id, "log", fmt.Sprintf(`{"m":%q}`, note)), note, `"id":`+id)
	case 5:
		return c.gets(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"resources/read","params":{"uri":"x:%s"}}`, id, mine), `"uri":"x:`+mine+`"`)
	default:
		return c.tasks(id, mine)
	}
}

// gets makes a call and wants these messages for it, and no other.
func (c *client) gets(body string, want ...string) error {
	r, err := c.do("POST", body, header("Mcp-Protocol-Version", "2025-11-25"))
	if err != nil {
		return err
	}
	all := r.all()
	if len(all) != len(want) {
		return fmt.Errorf("got %s", all)
	}
	for i := range all {
		if !strings.Contains(all[i], want[i]) {
			return fmt.Errorf("got %s, want %s", all[i], want[i])
		}
	}
	return nil
}

// tasks makes a task of a call, and asks for its result.
func (c *client) tasks(id, mine string) error {
	begin := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"task","arguments":{"of":%q},"task":{"ttl":1000}}}`, id, mine)
	if err := c.gets(begin, `"taskId":"task-`+mine+`"`); err != nil {
		return err
	}
	return c.gets(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tasks/result","params":{"taskId":"task-%s"}}`, id, mine), `"text":"task-`+mine+`"`)
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
