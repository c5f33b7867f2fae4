package configs

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Methods that tests ask about.
const (
	methodCall  = "tools/call"
	methodRead  = "resources/read"
	methodGet   = "prompts/get"
	methodTools = "tools/list"
)

// BestScore is the most that an agent can have.
const BestScore = 999

// testTime is when a test happens that does not say so: a Monday at noon, the same on every day on which it runs.
func testTime() time.Time { return time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC) }

// tests compiles the tests of the file. They run later, in a file that is sound.
func (c *compiler) tests(all []test) {
	codes, agents, upstreams := codesOf(c.gates), c.file.agentNames(), c.file.upstreamNames()
	for i := range all {
		t := &all[i]
		path := fmt.Sprintf("tests[%d]", i)
		before := c.report.raised
		out := Test{Agent: t.Agent.Text, Args: t.Args.Raw, Time: testTime(), At: t.At}
		if t.Time != nil {
			out.Time = t.Time.Time
		}
		if near := c.report.suggest(out.Agent, agents); near != "" && c.file.agents[out.Agent] == nil {
			c.report.warn(CodeSuspect, t.Agent.At, path+".agent", fmt.Sprintf("no agent named %q; the test is about a stranger", out.Agent), near)
		}
		c.assumed(path, t, &out)
		at, key := t.asks(&out)
		if out.Upstream != "" && c.file.upstreams[out.Upstream] == nil {
			c.report.fail(CodeName, at.At, path+"."+key, fmt.Sprintf("no upstream named %q", out.Upstream),
				c.known(out.Upstream, upstreams, "upstreams"))
		}
		if t.Lists != nil {
			c.expectShown(path, t, &out)
		} else {
			c.expectAnswer(path, t, &out, codes)
		}
		if c.report.raised == before {
			c.file.Tests = append(c.file.Tests, out)
		}
	}
}

// assumed reads the score that the agent is taken to have.
func (c *compiler) assumed(path string, t *test, out *Test) {
	out.Score = BestScore
	if t.Trust == nil {
		return
	}
	if out.Score = t.Trust.N; out.Score > BestScore {
		c.report.fail(CodeValue, t.Trust.At, path+".trust", "a score is 0 to 999", "nobody has more than 999")
	}
}

// asks fills in what a test asks, and returns where that stands.
func (t *test) asks(out *Test) (at word, key string) {
	var asked *target
	switch {
	case t.Call != nil:
		asked, key, out.Method = t.Call, "call", methodCall
	case t.Reads != nil:
		asked, key, out.Method = t.Reads, "reads", methodRead
	case t.Prompt != nil:
		asked, key, out.Method = t.Prompt, "prompt", methodGet
	case t.Lists != nil:
		out.Method, out.Upstream = methodTools, t.Lists.Text
		return *t.Lists, "lists"
	default:
		return word{}, ""
	}
	out.Upstream, out.Target = asked.Upstream, asked.Name
	return word{At: asked.At}, key
}

// expectAnswer reads allow, deny, or deny CODE.
func (c *compiler) expectAnswer(path string, t *test, out *Test, codes []string) {
	path += ".expect"
	if t.Expect == nil { // not there or not readable, which is reported already
		return
	}
	if len(t.Expect) != 1 {
		c.report.fail(CodeValue, t.At, path, "expected one answer", "write allow, deny, or deny CODE")
		return
	}
	w := t.Expect[0]
	answer, code, coded := strings.Cut(w.Text, " ")
	switch {
	case w.At.Line == 0: // not readable, which is reported already
	case w.Text == "allow":
		out.Allow = true
	case answer != "deny":
		hint := c.report.suggest(w.Text, []string{"allow", "deny"})
		if hint == "" {
			hint = "write allow, deny, or deny CODE"
		}
		c.report.fail(CodeValue, w.At, path, fmt.Sprintf("%q is not an answer", w.Text), hint)
	case coded && !slices.Contains(codes, code):
		c.report.fail(CodeName, w.At, path, fmt.Sprintf("no reason has the code %q", code), c.known(code, codes, "codes"))
	default:
		out.Code = code
	}
}

// expectShown reads which of the tools that an upstream has are shown.
func (c *compiler) expectShown(path string, t *test, out *Test) {
	for i, w := range t.Of {
		if slices.Contains(out.Of, w.Text) {
			c.report.fail(CodeOverlap, w.At, fmt.Sprintf("%s.of[%d]", path, i), fmt.Sprintf("tool %q stands here twice", w.Text), "")
		}
		out.Of = append(out.Of, w.Text)
	}
	for i, w := range t.Expect {
		if w.At.Line > 0 && t.Of != nil && !slices.Contains(out.Of, w.Text) {
			c.report.fail(CodeName, w.At, fmt.Sprintf("%s.expect[%d]", path, i), fmt.Sprintf("no tool named %q under of", w.Text),
				c.known(w.Text, out.Of, "of"))
		}
		out.Shown = append(out.Shown, w.Text)
	}
}
