package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// values returns what stands for FOUND, and something harmless of the same form.
func (p *planted) values() (found, harmless string) {
	if p.find != "" {
		return p.find, "1234"
	}
	return plantedSecret, "harmless"
}

// fill puts a value in the place of FOUND.
func fill(s, value string) string {
	s = strings.ReplaceAll(s, "BLOB", strings.TrimSuffix(strings.TrimPrefix(encoded("the key is "+value+" as you know"), "=?base64?"), "?="))
	return strings.ReplaceAll(s, "FOUND", value)
}

// front is an agent and the way that it speaks.
type front interface {
	// say sends a message, answers what the server asks with reply, and returns all that came until the end.
	say(send, reply string, edit func(*http.Request)) []string
	// stray returns what came without being asked for, up to a message that holds mark.
	stray(mark string) []string
}

// kindOf reports whether a message is a request, and whether it is an answer.
func kindOf(frame string) (asks, answers bool) {
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if json.Unmarshal([]byte(frame), &m) != nil || m.ID == nil {
		return false, false
	}
	return m.Method != "", m.Method == ""
}

type webFront struct {
	*agent
	quiet *stream // of what belongs to no request
}

func (w *webFront) say(send, reply string, edit func(*http.Request)) (all []string) {
	s := w.open(http.MethodPost, send, edit)
	for e := range s.events {
		if e.data == "" {
			continue
		}
		all = append(all, e.data)
		if asks, _ := kindOf(e.data); asks {
			for line := range strings.Lines(reply) {
				w.post(line, nil)
			}
		}
	}
	return all
}

func (w *webFront) stray(mark string) []string { return until(w.quiet.next, mark) }

type lineFront struct{ *console }

func (l *lineFront) say(send, reply string, _ func(*http.Request)) (all []string) {
	l.send(send)
	if asks, _ := kindOf(send); !asks {
		l.send(request("tools/call", `"name":"run"`)) // notifications have no answer
	}
	for {
		got := l.next()
		all = append(all, got)
		asks, answers := kindOf(got)
		if asks {
			l.send(reply)
		}
		if answers {
			return all
		}
	}
}

func (l *lineFront) stray(mark string) []string { return until(l.next, mark) }

func until(next func() string, mark string) (all []string) {
	for got := next(); !strings.Contains(got, mark); got = next() {
		all = append(all, got)
	}
	return all
}

// script is what the server says next.
type script struct {
	mu   sync.Mutex
	says []string
	from int // messages of the recorder before
}

func (s *script) set(says []string, from int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says, s.from = says, from
}

func (s *script) take() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	says := s.says
	s.says = nil
	return says, s.from
}

// perform says what the script has for a request, and waits for answers to what it asks.
func (s *script) perform(rec *recorder, a *asked) {
	says, from := s.take()
	if says == nil {
		a.result("")
	}
	for _, m := range says {
		a.send(strings.ReplaceAll(m, `"id":ID`, `"id":`+a.id))
		if asks, _ := kindOf(m); asks {
			rec.until("an answer", func() bool {
				return slices.ContainsFunc(rec.messages[from:], func(m asked) bool { return m.method == "" && m.id != "" })
			})
		}
	}
}

// TestWhatIsPlantedIsFoundEverywhere plants the same in every place that the protocol has, in both directions, and looks
// for it on the other side and on record.
func TestWhatIsPlantedIsFoundEverywhere(t *testing.T) {
	t.Parallel()
	eras := map[string]map[string]map[string]planted{
		"2025-11-25": {"sent": sentPlants(), "shown": shownPlants(), "unasked": unaskedPlants()},
		"2026-07-28": {"later": modernPlants()},
	}
	for version, plants := range eras {
		for _, way := range upstreams {
			t.Run(version+" over "+way, func(t *testing.T) {
				t.Parallel()
				rec, play := newRecorder(t), new(script)
				act := func(a *asked) { play.perform(rec, a) }
				rec.tools["say"] = act
				for m := range strings.FieldsSeq("prompts/get prompts/list resources/read resources/list resources/templates/list completion/complete tools/list ping server/discover") {
					rec.methods[m] = act
				}
				h := newHopgate(t, everywhereYAML(rec.upstream(way)))
				e := plantRun{t: t, rec: rec, script: play}
				e.fronts = openFronts(t, h, way, version)
				for _, group := range slices.Sorted(maps.Keys(plants)) {
					for _, name := range slices.Sorted(maps.Keys(plants[group])) {
						if row := plants[group][name]; row.on == "" || row.on == way {
							e.plant(group+", "+name, &row)
						}
					}
				}
				e.check(h)
			})
		}
	}
}

// TestWhatIsPlantedInAHandshakeIsFound does the same with what begins a session.
func TestWhatIsPlantedInAHandshakeIsFound(t *testing.T) {
	t.Parallel()
	rows := map[string]planted{
		"client":       {send: strings.Replace(hello("2025-11-25"), `"name":"test"`, `"name":"FOUND"`, 1), at: "/params/clientInfo/name"},
		"capability":   {send: strings.Replace(hello("2025-11-25"), `"capabilities":{}`, `"capabilities":{"experimental":{"FOUND":{}}}`, 1), at: "/params/capabilities/experimental/[aws-access-key]"},
		"instructions": {send: hello("2025-11-25"), says: resulting(`"instructions":"FOUND","protocolVersion":"2025-11-25",` + recorderCapabilities), at: "/result/instructions"},
		"server":       {send: hello("2025-11-25"), says: resulting(`"protocolVersion":"2025-11-25",` + strings.Replace(recorderCapabilities, `"recorder"`, `"FOUND"`, 1)), at: "/result/serverInfo/name"},
	}
	for _, way := range upstreams {
		t.Run("over "+way, func(t *testing.T) {
			t.Parallel()
			rec, play := newRecorder(t), new(script)
			rec.methods["initialize"] = func(a *asked) { play.perform(rec, a) }
			h := newHopgate(t, everywhereYAML(rec.upstream(way)))
			e := plantRun{t: t, rec: rec, script: play}
			for _, name := range slices.Sorted(maps.Keys(rows)) {
				row := rows[name]
				if way == "stdio" {
					e.fronts = []front{&lineFront{h.stdio("--to", "up", "--as", "b0")}, &lineFront{h.stdio("--to", "up", "--as", "b1")}}
				} else if e.fronts == nil {
					key := h.key("a0")
					h.serve()
					e.fronts = []front{&webFront{agent: h.agent("up", key)}}
				}
				e.plant(name, &row)
			}
			e.check(h)
		})
	}
}

const everywhereAgents = 8

// openFronts makes some agents, which take turns: refusals are recorded in full only up to a number for each agent and
// second.
func openFronts(t *testing.T, h *hopgate, way, version string) (all []front) {
	t.Helper()
	keys := make([]string, everywhereAgents)
	for i := range keys {
		if way == "http" {
			keys[i] = h.key(fmt.Sprintf("a%d", i))
		}
	}
	if way == "http" {
		h.serve()
	}
	for i := range keys {
		if way == "stdio" {
			c := h.stdio("--to", "up", "--as", fmt.Sprintf("b%d", i))
			if version == "2025-11-25" {
				c.greet(version)
			}
			all = append(all, &lineFront{c})
			continue
		}
		w := &webFront{agent: h.agent("up", keys[i])}
		if version == "2025-11-25" {
			w.greet(version)
			w.quiet = w.open(http.MethodGet, "", nil)
			w.quiet.status()
		}
		all = append(all, w)
	}
	return all
}

// everywhere is a run of the test over one way.
type plantRun struct {
	t      *testing.T
	rec    *recorder
	script *script
	fronts []front
	turn   int
	want   []string // pointers that must be on record
}

// plant plays a row with what is to be found, and then with something harmless.
func (e *plantRun) plant(name string, row *planted) {
	e.t.Helper()
	found, harmless := row.values()
	said := slices.ContainsFunc(row.says, func(m string) bool { return strings.Contains(m, "FOUND") || strings.Contains(m, "BLOB") })
	for _, value := range []string{found, harmless} {
		at := len(e.rec.got())
		heard := e.play(row, value, at)
		var reached []string
		for _, m := range e.rec.got()[at:] {
			reached = append(reached, m.raw, fmt.Sprint(m.http))
		}
		side := reached
		if said {
			side = heard
		}
		if row.seals && value == harmless {
			continue
		}
		passed := slices.ContainsFunc(side, func(s string) bool { return strings.Contains(s, value) || strings.Contains(s, fill("BLOB", value)) })
		if passed != (value == harmless) {
			e.t.Errorf("%s: %q passes: %v\nheard %q\nreached %q", name, value, passed, heard, reached)
		}
		if row.cuts && value == found && !slices.ContainsFunc(heard, func(s string) bool { return strings.Contains(s, "good") }) {
			e.t.Errorf("%s: the rest does not pass: %q", name, heard)
		}
	}
	e.want = append(e.want, row.at)
	if row.away {
		for range everywhereAgents - 1 {
			e.want = append(e.want, row.at)
		}
	}
}

func (e *plantRun) play(row *planted, value string, at int) []string {
	e.t.Helper()
	says := make([]string, len(row.says))
	for i, m := range row.says {
		says[i] = fill(m, value)
	}
	if row.away {
		e.rec.until("all listen", func() bool { return len(e.rec.general) == everywhereAgents })
		e.turn++
		mark := fmt.Sprintf("mark-%d", e.turn)
		e.rec.say(says[0])
		e.rec.say(note("notifications/message", fmt.Sprintf(`"level":"info","data":%q`, mark)))
		var heard []string
		for _, f := range e.fronts {
			heard = append(heard, f.stray(mark)...)
		}
		return heard
	}
	e.script.set(nil, at)
	if len(says) > 0 {
		e.script.set(says, at)
	}
	send, edit := row.send, func(*http.Request) {}
	if send == "" {
		send = sayCall
	}
	if row.edit != nil {
		edit = row.edit(value)
	}
	f := e.fronts[e.turn%len(e.fronts)]
	e.turn++
	return f.say(fill(send, value), fill(row.reply, value), edit)
}

// check compares what is on record with what was planted: each of it is there, with its pointer, and nothing else.
func (e *plantRun) check(h *hopgate) {
	e.t.Helper()
	all := h.records()
	var got []string
	for _, r := range all {
		var x struct {
			Detail   string
			Gate     string
			Findings []struct{ Detail string }
		}
		if err := json.Unmarshal([]byte(r.raw), &x); err != nil {
			e.t.Fatal(err)
		}
		if strings.Contains(r.raw, plantedSecret) || strings.Contains(r.raw, plantedCard) {
			e.t.Errorf("the record shows what was found: %s", r.raw)
		}
		if x.Gate == "guardrails" {
			got = append(got, pointerIn(x.Detail))
		}
		for _, f := range x.Findings {
			got = append(got, pointerIn(f.Detail))
		}
	}
	slices.Sort(got)
	slices.Sort(e.want)
	if diff := cmp.Diff(e.want, got); diff != "" {
		e.t.Errorf("on record (-want +got):\n%s", diff)
	}
	h.verify()
}

// pointerIn returns the place that a detail names.
func pointerIn(detail string) string {
	_, at, _ := strings.Cut(detail, " at ")
	at, _, _ = strings.Cut(at, ", in ")
	return at
}
