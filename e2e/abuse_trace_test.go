package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// abuseYAML lets agents run one tool, and the tools by which tests mark their place in the records.
func abuseYAML(upstream string) string {
	return `version: 1
listen: { mcp: { addr: "127.0.0.1:0", origins: ["https://ok.example"], ws: true } }
agents: { a0: key, a1: key, a2: key, a3: key, a4: key, a5: key, a6: key, a7: key, a8: key, a9: key, a10: key, a11: key, a12: key, a13: key, a14: key, a15: key, here: local }
upstreams: { up: ` + upstream + ` }
connections:
  all: { from: "*", to: up, tools: [run, zone, input, "mark_*"], prompts: ["*"] }
`
}

// mark is a call that shows where in the records, and in what reached the upstream, the traces of a row end.
func mark(i int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"mark_%[1]d","method":"tools/call","params":{"name":"mark_%[1]d"}}`, i)
}

// era is one of the two eras of the protocol, and what is sent in it.
type era struct {
	rows  map[string]abuse
	greet string // revision of the session; empty: there is none
	mark  func(i int) (string, func(*http.Request))
}

func legacyEra() era {
	return era{rows: abuses(), greet: "2025-11-25", mark: func(i int) (string, func(*http.Request)) { return mark(i), nil }}
}

// trace is what became of a row.
type trace struct {
	name    string
	row     abuse
	status  int // 0 on stdio
	answers []string
	took    time.Duration
	reached []string
	records []record
	wrong   []string
}

func TestAbuses(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]func() era{"legacy": legacyEra, "modern": modernEra} {
		for _, up := range ways {
			for _, front := range []string{"sse", "ws"} {
				if name == "modern" && front != up {
					continue // the earlier era goes over all pairs; where it does, the later one does
				}
				t.Run(name+", "+front+" to "+up, func(t *testing.T) {
					t.Parallel()
					rec := newRecorder(t)
					h := newHopgate(t, abuseYAML(rec.upstream(up)))
					checkTraces(t, h, rec, e().overLines(t, h, front))
				})
			}
			t.Run(name+", http to "+up, func(t *testing.T) {
				t.Parallel()
				rec := newRecorder(t)
				h := newHopgate(t, abuseYAML(rec.upstream(up)))
				checkTraces(t, h, rec, e().overHTTP(t, h))
			})
			t.Run(name+", stdio to "+up, func(t *testing.T) {
				t.Parallel()
				rec := newRecorder(t)
				h := newHopgate(t, abuseYAML(rec.upstream(up)))
				checkTraces(t, h, rec, e().overStdio(t, h))
			})
		}
	}
}

// overHTTP sends each row in a session, where there are any, and a mark behind it. The agents take turns, because
// refusals are recorded in full only up to a number for each agent and second.
func (e era) overHTTP(t *testing.T, h *hopgate) (all []trace) {
	t.Helper()
	keys := make([]string, 16)
	for i := range keys {
		keys[i] = h.key(fmt.Sprintf("a%d", i))
	}
	h.serve()
	agents := make([]*agent, len(keys))
	for i := range keys {
		agents[i] = h.agent("up", keys[i])
		if e.greet != "" {
			agents[i].greet(e.greet)
		}
	}
	if x := agents[0].modern("1", "tools/list", "{}"); x.status != 200 {
		t.Fatalf("tools/list: %d %s", x.status, x.body)
	}
	agents[0].post(e.mark(0))
	for name, row := range e.rows {
		if row.on == "stdio" {
			continue
		}
		a := agents[len(all)%len(agents)]
		begun := time.Now()
		x := a.post(row.send, row.edit)
		all = append(all, trace{name: name, row: row, status: x.status, answers: x.frames, took: time.Since(begun)})
		if x := a.post(e.mark(len(all))); !strings.Contains(x.last(), `"result"`) {
			t.Fatalf("after %s nothing works: %d %s", name, x.status, x.body)
		}
	}
	return all
}

// overStdio sends the rows over standard streams, a few to each process.
func (e era) overStdio(t *testing.T, h *hopgate) (all []trace) {
	t.Helper()
	var c *console
	marked := func(n int) string { line, _ := e.mark(n); return line }
	for name, row := range e.rows {
		if row.on == "http" {
			continue
		}
		if len(all)%8 == 0 {
			if c != nil {
				c.end()
				h.run("stop") // of one agent, refusals are recorded singly up to a number in a second
			}
			c = h.stdio("--to", "up")
			if e.greet != "" {
				c.greet(e.greet)
			}
			c.ask(marked(len(all)))
		}
		x := trace{name: name, row: row}
		begun := time.Now()
		c.send(row.send)
		if row.id != "" {
			x.answers = append(x.answers, c.next())
		}
		x.took = time.Since(begun)
		own := fmt.Sprintf(`"id":"mark_%d"`, len(all)+1)
		for line := c.ask(marked(len(all) + 1)); !strings.Contains(line, own); line = c.next() {
			x.answers = append(x.answers, line)
		}
		all = append(all, x)
	}
	c.end()
	return all
}

// overLines sends the rows over connections that carry a conversation, a few over each. The agents take turns.
func (e era) overLines(t *testing.T, h *hopgate, front string) (all []trace) {
	t.Helper()
	keys := make([]string, 16)
	for i := range keys {
		keys[i] = h.key(fmt.Sprintf("a%d", i))
	}
	h.serve()
	lines := make([]line, len(keys))
	open := func(i int) {
		lines[i] = h.line(front, "up", keys[i])
		if e.greet != "" {
			lines[i].greet(e.greet)
		}
	}
	marked := func(n int) string { text, _ := e.mark(n); return text }
	for i := range lines {
		open(i)
	}
	lines[0].ask(marked(0))
	for name, row := range e.rows {
		if row.on == "http" || row.on == "stdio" {
			continue
		}
		i := len(all) % len(lines)
		x := trace{name: name, row: row}
		begun := time.Now()
		lines[i].send(row.send)
		if row.id != "" {
			x.answers = append(x.answers, lines[i].next())
		}
		x.took = time.Since(begun)
		if front == "ws" && row.reason == "BODY_TOO_LARGE" {
			lines[i].end() // which is what the other end has done
			open(i)
		}
		own := fmt.Sprintf(`"id":"mark_%d"`, len(all)+1)
		for text := lines[i].ask(marked(len(all) + 1)); !strings.Contains(text, own); text = lines[i].next() {
			x.answers = append(x.answers, text)
		}
		all = append(all, x)
	}
	for _, l := range lines {
		l.end()
	}
	return all
}

// checkTraces divides what is on record and what reached the upstream by the marks, and compares.
func checkTraces(t *testing.T, h *hopgate, rec *recorder, all []trace) {
	t.Helper()
	at := -1
	for _, m := range rec.got() {
		if n, ok := strings.CutPrefix(m.name, "mark_"); ok {
			fmt.Sscan(n, &at)
		} else if at >= 0 && at < len(all) && m.method != "initialize" && m.method != "notifications/initialized" {
			all[at].reached = append(all[at].reached, m.raw)
		}
	}
	at = -1
	own := map[string]bool{} // refs of marks and handshakes
	for _, r := range h.records() {
		n, marks := strings.CutPrefix(r.Target, "mark_")
		switch {
		case marks:
			fmt.Sscan(n, &at)
			own[r.Ref] = true
		case r.Kind == "intent" && (r.Method == "initialize" || r.Method == "notifications/initialized"): // a handshake
			own[r.Ref] = true
		case at >= 0 && at < len(all) && r.Kind != "event" && !own[r.Ref]:
			all[at].records = append(all[at].records, r)
		}
	}
	for i := range all {
		t.Run(all[i].name, func(t *testing.T) { all[i].check(t) })
	}
	h.verify()
}

func (x *trace) check(t *testing.T) {
	t.Helper()
	x.compare()
	for _, w := range x.wrong {
		t.Error(w)
	}
}

// errorf notes that something is not as it should be.
func (x *trace) errorf(format string, args ...any) {
	x.wrong = append(x.wrong, fmt.Sprintf(format, args...))
}

func (x *trace) compare() {
	if x.status != 0 && x.status != x.row.status {
		x.errorf("status %d, want %d", x.status, x.row.status)
	}
	x.compareAnswers()
	switch {
	case x.row.passes && (len(x.reached) != 1 || x.sent(x.reached[0]) != x.row.send):
		x.errorf("the upstream got %.300q, want the message", x.reached)
	case !x.row.passes && len(x.reached) > 0:
		x.errorf("the upstream got %.300q, want nothing", x.reached)
	}
	x.compareRecords()
	if x.took > patience {
		x.errorf("it took %v", x.took)
	}
}

// sent is a message that reached the upstream, with the id that it was sent under: a child that many share knows it by
// another one.
func (x *trace) sent(raw string) string {
	if x.status == 0 || !strings.Contains(x.row.send, modernMeta) {
		return raw
	}
	return regexp.MustCompile(`"id":\d+`).ReplaceAllLiteralString(raw, `"id":`+x.row.id)
}

func (x *trace) compareAnswers() {
	if x.row.id == "" {
		if len(x.answers) > 0 {
			x.errorf("answer %.300q, want none", x.answers)
		}
		return
	}
	if len(x.answers) != 1 {
		x.errorf("answers %.300q, want one", x.answers)
		return
	}
	var m struct {
		JSONRPC string
		ID      json.RawMessage
		Result  json.RawMessage
		Error   struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal([]byte(x.answers[0]), &m); err != nil {
		x.errorf("%v in %.300q", err, x.answers[0])
		return
	}
	if id := x.row.id; string(m.ID) != strings.TrimPrefix(id, "-") || m.Error.Code != x.row.code || m.JSONRPC != "2.0" || (m.Result == nil) != (x.row.code != 0) {
		x.errorf("answer %.300s, want code %d with id %s", x.answers[0], x.row.code, x.row.id)
	}
	if x.row.code == -32602 && strings.HasPrefix(x.row.reason, "TOOL_") && m.Error.Message != "Unknown tool" {
		x.errorf("a tool that is not granted is answered with %q", m.Error.Message)
	}
}

// compareRecords wants one decision on record, and where the call went out what came of it.
func (x *trace) compareRecords() {
	var decisions, outcomes []record
	for _, r := range x.records {
		if r.Kind == "outcome" {
			outcomes = append(outcomes, r)
		} else {
			decisions = append(decisions, r)
		}
	}
	if len(decisions) != 1 || len(outcomes) > 1 {
		x.errorf("on record are %v, want one decision", raws(x.records))
		return
	}
	d := decisions[0]
	reason, sent := d.Reason, d.Kind == "intent"
	if sent != (len(outcomes) == 1) {
		x.errorf("on record are %v, want an outcome with every intent", raws(x.records))
	} else if sent {
		reason = outcomes[0].Reason
	}
	if reason != x.row.reason || x.row.passes && !sent {
		x.errorf("on record is %s, want %q", d.raw, x.row.reason)
	}
	if strings.Contains(x.row.reason, "ORIGIN") || strings.Contains(x.row.reason, "HOST") {
		return // that comes before anybody asks who it is
	}
	if d.Agent == "" || d.Connection != "all" || d.Upstream != "up" || d.Transport == "" {
		x.errorf("the record does not say who: %s", d.raw)
	}
}

func raws(all []record) (s []string) {
	for _, r := range all {
		s = append(s, r.raw)
	}
	return s
}
