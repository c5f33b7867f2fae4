package mcpproxy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

func TestCallPasses(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		status, got := c.call(tool("1", "echo", `{"x":1.0}`))
		if status != 200 || got != `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"got":{"x":1.0}}}}` {
			t.Errorf("got %d %s", status, got)
		}
		if e := w.last("tools/call"); e.status != policy.StatusOK || e.agent != "alice" || e.origin.Client != "test" || e.origin.Protocol != "2025-11-25" {
			t.Errorf("on record is %+v", e)
		}
	})
}

// TestCallEndsOnce takes a call down every way that it can end. The world checks that each call that was allowed ends
// once on record, is settled once, and is told to observers once.
func TestCallEndsOnce(t *testing.T) {
	deny := policy.Refuse(reasonTest, policy.Pos{}, "")
	cases := map[string]struct {
		prepare func(w *world)
		tool    string
		during  func(w *world, c *client) // while the call is held
		want    string                    // in the answer
		code    string                    // on record
		status  policy.Status             // on record; empty where the call was not sent
	}{
		"answer":         {tool: "echo", want: `"result"`, status: policy.StatusOK},
		"tool error":     {tool: "toolerror", want: `"isError":true`, status: policy.StatusToolError},
		"upstream error": {tool: "error", want: `-32000`, status: policy.StatusError},
		"broken off":     {tool: "die", want: "UPSTREAM_FAILED", code: "UPSTREAM_FAILED", status: policy.StatusFailed},
		"timeout":        {tool: "hold", want: "UPSTREAM_TIMEOUT", code: "UPSTREAM_TIMEOUT", status: policy.StatusTimeout},
		"refused": {
			prepare: func(w *world) { w.gate.check = refusing("tools/call") }, tool: "echo", want: "NOT_PERMITTED", code: "TEST",
		},
		"fault in a gate": {
			prepare: func(w *world) {
				w.gate.check = func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
					if c.Method == "tools/call" {
						return policy.Pass, errors.New("broken")
					}
					return policy.Pass, nil
				}
			}, tool: "echo", want: "POLICY_UNAVAILABLE", code: "POLICY_UNAVAILABLE",
		},
		"panic in a gate": {
			prepare: func(w *world) {
				w.gate.check = func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
					if c.Method == "tools/call" {
						panic("broken")
					}
					return policy.Pass, nil
				}
			}, tool: "echo", want: "POLICY_UNAVAILABLE", code: "POLICY_UNAVAILABLE",
		},
		"withheld": {
			prepare: func(w *world) {
				w.gate.screen = func(_ context.Context, c *policy.Call, _ *wire.Frame) (policy.Verdict, error) {
					if c.Method == "tools/call" {
						return deny, nil
					}
					return policy.Pass, nil
				}
			}, tool: "echo", want: "NOT_PERMITTED", code: "TEST", status: policy.StatusOK,
		},
		"panic in a screen": {
			prepare: func(w *world) {
				w.gate.screen = func(_ context.Context, c *policy.Call, _ *wire.Frame) (policy.Verdict, error) {
					if c.Method == "tools/call" {
						panic("broken")
					}
					return policy.Pass, nil
				}
			}, tool: "echo", want: "POLICY_UNAVAILABLE", code: "POLICY_UNAVAILABLE", status: policy.StatusOK,
		},
		"session ended by the agent": {
			tool: "hold", want: "SESSION_ENDED", code: "SESSION_ENDED", status: policy.StatusCancelled,
			during: func(w *world, c *client) {
				if r := c.must(http.MethodDelete, ""); r.status != 204 {
					w.t.Errorf("DELETE: status %d", r.status)
				}
			},
		},
		"key revoked": {
			tool: "hold", want: "SESSION_ENDED", code: "SESSION_ENDED", status: policy.StatusCancelled,
			during: func(w *world, _ *client) { w.revoke("alice-key") },
		},
		"connection removed": {
			tool: "hold", want: "SESSION_ENDED", code: "SESSION_ENDED", status: policy.StatusCancelled,
			during: func(w *world, _ *client) {
				w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) { delete(p.Connections, mcpproxy.Way{Agent: "alice", Upstream: "up"}) }))
			},
		},
		"session ended by the upstream": {
			prepare: func(w *world) { w.server.forget() },
			tool:    "echo", want: "UPSTREAM_FAILED", code: "UPSTREAM_FAILED", status: policy.StatusFailed,
		},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				if x.prepare != nil {
					x.prepare(w)
				}
				answer := c.begin(tool("1", x.tool, "{}"))
				if x.during != nil {
					synctest.Wait()
					x.during(w, c)
				}
				r, ok := <-answer
				if !ok {
					t.Fatal("no answer")
				}
				if got := r.last(); !strings.Contains(got, x.want) || !strings.Contains(got, `"id":1,`) {
					t.Errorf("got status %d, %q, want %s", r.status, got, x.want)
				}
				synctest.Wait()
				if e := w.last("tools/call"); e.code != x.code || e.status != x.status {
					t.Errorf("on record is %q, %q, want %q, %q", e.code, e.status, x.code, x.status)
				}
				if sent := len(w.server.messages("tools/call")); (sent > 0) != (x.status != "") {
					t.Errorf("the server got %d calls", sent)
				}
			})
		})
	}
}

func TestCallWithoutRecordIsNotMade(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.journal.fail = func(*policy.Call) error { return errors.New("disk full") }
		for name, body := range map[string]string{
			"request": tool("1", "echo", "{}"), "notification": `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`,
		} {
			_, got := c.call(body)
			if strings.Contains(got, `"result":{}`) || name == "request" && !strings.Contains(got, "POLICY_UNAVAILABLE") {
				t.Errorf("%s: got %s", name, got)
			}
		}
		if got := w.server.messages("echo"); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
		if got := w.server.messages("roots"); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
	})
}

func TestRewrittenCallIsSentAndRecorded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.gate.check = rewriting("tools/call", wire.ParamsArguments, `{"x":"redacted"}`)
		w.gate.screen = func(_ context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
			return policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: result.Span(wire.ResultContent), New: []byte(`[1]`)}}}, nil
		}
		_, got := c.call(tool("1", "echo", `{"x":"secret"}`))
		if got != `{"jsonrpc":"2.0","id":1,"result":{"content":[1],"structuredContent":{"got":{"x":"redacted"}}}}` {
			t.Errorf("got %s", got)
		}
		if e := w.last("tools/call"); strings.Contains(e.raw, "secret") {
			t.Errorf("on record is %s", e.raw)
		}
	})
}

// TestWhatIsCutOutIsToldHoweverTheCallEnds has the secret of an agent cut out of calls that end in many ways.
func TestWhatIsCutOutIsToldHoweverTheCallEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, c *client){
		"answered": func(_ *world, c *client) { c.call(tool("1", "echo", `{"x":"secret"}`)) },
		"failed": func(w *world, c *client) {
			w.server.intrude = status(http.StatusInternalServerError)
			c.call(tool("1", "echo", `{"x":"secret"}`))
		},
		"given up by the agent": func(_ *world, c *client) {
			held := c.begin(tool("1", "hold", `{"x":"secret"}`))
			synctest.Wait()
			c.call(cancelled("1"))
			<-held
			time.Sleep(time.Minute) // the server may still answer for a while
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				c := w.session("alice", "2025-11-25")
				cut := rewriting("tools/call", wire.ParamsArguments, `{"x":"redacted"}`)
				w.gate.check = func(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
					v, err := cut(ctx, c)
					v.Reason, v.Blames = reasonTest, len(v.Rewrite) > 0
					return v, err
				}
				end(w, c)
				if got := w.observer.cut(w.last("tools/call").ref); got.Message != reasonTest {
					w.t.Errorf("observers hear that %v was cut out", got.Message)
				}
			})
		})
	}
}

// rewriting replaces a member of the messages of one method.
func rewriting(method string, m wire.Member, with string) func(context.Context, *policy.Call) (policy.Verdict, error) {
	return func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
		if c.Method != method {
			return policy.Pass, nil
		}
		return policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: c.Frame.Span(m), New: []byte(with)}}}, nil
	}
}

func TestStrangersAreOnRecord(t *testing.T) {
	cases := map[string]struct {
		edit   func(c *client)
		status int
		code   string
	}{
		"no key":             {func(c *client) { c.key = "" }, 401, "UNAUTHENTICATED"},
		"wrong key":          {func(c *client) { c.key = "eve-key" }, 401, "UNAUTHENTICATED"},
		"no connection":      {func(c *client) { c.key, c.upstream = "bob-key", "other" }, 403, "NO_CONNECTION"},
		"undeclared agent":   {func(c *client) { c.w.keys.valid["new-key"] = "new"; c.key = "new-key" }, 401, "UNAUTHENTICATED"},
		"unknown upstream":   {func(c *client) { c.upstream = "none" }, 403, "NO_UPSTREAM"},
		"a local agent's":    {func(c *client) { c.w.keys.valid["loc-key"] = "loc"; c.key = "loc-key" }, 401, "UNAUTHENTICATED"},
		"key without bearer": {func(c *client) { c.key = " " }, 401, "UNAUTHENTICATED"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) {
					p.Agents["loc"] = mcpproxy.Principal{Agent: &policy.Agent{Name: "loc"}, Local: true}
				}))
				c := w.agent("alice")
				x.edit(c)
				for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
					r := c.must(method, tool("1", "echo", "{}"))
					if r.status != x.status {
						t.Errorf("%s: status %d, want %d", method, r.status, x.status)
					}
					r.all()
				}
				all := w.journal.find("")
				if len(all) != 3 || all[0].code != x.code {
					t.Errorf("on record is %+v", all)
				}
			})
		})
	}
}

func TestLateAnswersOfARevokedAgentAreWithheld(t *testing.T) {
	for _, name := range []string{"hold", "holderror"} {
		bubble(t, func(w *world) {
			t := w.t
			c := w.agent("alice")
			answer := c.begin(modernTool("1", name, "{}"), modernHead("tools/call", name))
			synctest.Wait()
			w.revoke("alice-key")
			w.server.release <- struct{}{}
			if r := <-answer; r != nil {
				if got := r.last(); !strings.Contains(got, "UNAUTHENTICATED") || strings.Contains(got, "hidden") {
					t.Errorf("%s: got %s", name, got)
				}
			}
		})
	}
}

// TestErrorsOfUpstreamsAreScreenedToo is a server that says in an error what it may not say in a result.
func TestErrorsOfUpstreamsAreScreenedToo(t *testing.T) {
	bubble(t, func(w *world) {
		c := w.session("alice", "2025-11-25")
		w.gate.screen = func(_ context.Context, _ *policy.Call, answer *wire.Frame) (policy.Verdict, error) {
			if answer.Kind == wire.KindError {
				return policy.Refuse(reasonTest, policy.Pos{}, ""), nil
			}
			return policy.Pass, nil
		}
		_, answer := c.call(tool("1", "error", "{}"))
		if !strings.Contains(answer, reasonTest.Answer.Code) {
			w.t.Errorf("got %s", answer)
		}
	})
}

func TestQuietUpstreamTimesOutAndIsTold(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		start := time.Now()
		if _, got := c.call(tool("7", "hold", "{}")); !strings.Contains(got, "UPSTREAM_TIMEOUT") {
			t.Errorf("got %s", got)
		}
		if took := time.Since(start); took != w.timeout {
			t.Errorf("took %s", took)
		}
		if got := w.server.messages(`"requestId":7`); len(got) != 1 {
			t.Errorf("the server got %s", got)
		}
	})
}

// TestTalkativeUpstreamTimesOut has a server that reports progress for ever.
func TestTalkativeUpstreamTimesOut(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.server.intrude = func(rw http.ResponseWriter, r *http.Request, f *wire.Frame) bool {
			if f.String(wire.Method) != "tools/call" {
				return false
			}
			head(rw)
			for {
				event(rw, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}`)
				select {
				case <-time.After(w.timeout / 2):
				case <-r.Context().Done():
					return true
				}
			}
		}
		start := time.Now()
		r := c.post(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t","arguments":{},"_meta":{"progressToken":7}}}`)
		if got := r.last(); !strings.Contains(got, "UPSTREAM_TIMEOUT") {
			t.Errorf("got %s", got)
		}
		if took := time.Since(start); took != 12*w.timeout {
			t.Errorf("took %s", took)
		}
	})
}

// TestSilentUpstreamDoesNotHoldANotification has a server that takes a notification and never says so.
func TestSilentUpstreamDoesNotHoldANotification(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.server.intrude = func(_ http.ResponseWriter, r *http.Request, f *wire.Frame) bool {
			if f.Kind == wire.KindNotification {
				<-r.Context().Done()
				return true
			}
			return false
		}
		start := time.Now()
		c.call(`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`)
		if took := time.Since(start); took > w.timeout {
			t.Errorf("took %s", took)
		}
	})
}
