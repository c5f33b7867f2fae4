package bridge_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// inputs are what a result asks: the state, and the names of the questions in their order.
func inputs(tb testing.TB, raw string) (state string, names []string) {
	tb.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(raw), wire.FromUpstream, &wire.DefaultLimits); err != nil || f.String(wire.ResultType) != "input_required" {
		tb.Fatalf("it asks nothing: %.300s", raw)
	}
	for e := range wire.Entries(f.Get(wire.ResultInputRequests)) {
		names = append(names, string(e.Name))
	}
	return string(f.Get(wire.ResultRequestState)), names
}

// answered is params that bring answers.
func answered(state string, answers ...string) string {
	return `"name":"t","requestState":` + state + `,"inputResponses":{` + strings.Join(answers, ",") + `}`
}

// asker is a server whose tool asks the user and the model at the same time, and returns what they have said.
func asker(p *peer, f *wire.Frame, s *flow) {
	if f.String(wire.Method) != "tools/call" {
		s.result("{}")
		return
	}
	s.say(earlier("1", "elicitation/create", `{"message":"Who?","n":1.0,"_meta":{"progressToken":1,"keep":2.0}}`))
	s.say(earlier(`"b"`, "sampling/createMessage", `{"maxTokens":1}`))
	a, b := p.answer(), p.answer()
	if a != nil && b != nil {
		s.result(`{"got":[` + string(a.Get(wire.Result)) + `,` + string(b.Get(wire.Result)) + `]}`)
	}
}

func TestQuestionsOfASessionAreAskedInAResult(t *testing.T) {
	legacy(t, asker, func(c *caller, p *peer) {
		t := c.t
		got := c.last(later("1", "tools/call", `"name":"t"`))
		has(t, got, `"id":1`, `{"method":"elicitation/create","params":{"message":"Who?","n":1.0,"_meta":{"keep":2.0}}}`, `{"method":"sampling/createMessage","params":{"maxTokens":1}}`)
		state, names := inputs(t, got)
		if len(names) != 2 {
			t.Fatalf("asked %q", names)
		}
		unknown := `"error":{"code":-32602`
		has(t, c.last(later("2", "tools/call", answered(`"99"`))), `"id":2`, unknown)
		has(t, c.last(later("3", "prompts/get", answered(state, names[0]+`:{}`))), `"id":3`, unknown)
		has(t, c.last(later("4", "tools/call", answered(`7`))), `"id":4`, unknown)

		// Half an answer: what is left is asked once more.
		got = c.last(later("5", "tools/call", answered(state, names[1]+`:{"model":1E400}`, `"hopgate-99":{}`)))
		again, left := inputs(t, got)
		if len(left) != 1 || left[0] != names[0] {
			t.Errorf("left is %q of %q", left, names)
		}
		has(t, c.last(later("6", "tools/call", answered(state, names[0]+`:{}`))), unknown)
		got = c.last(later(`"s7"`, "tools/call", answered(again, names[0]+`:{"action":"accept"}`)))
		if want := `{"jsonrpc":"2.0","id":"s7","result":{"resultType":"complete","got":[{"model":1E400},{"action":"accept"}]}}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		has(t, c.last(later("8", "tools/call", answered(again, names[0]+`:{}`))), unknown)
		if n := len(p.messages("tools/call")); n != 1 {
			t.Errorf("the server got %d calls", n)
		}
	})
}

// TestAHeldCallExpires when nobody answers: the server hears that, for each question, and that nobody waits.
func TestAHeldCallExpires(t *testing.T) {
	legacy(t, asker, func(c *caller, p *peer) {
		t := c.t
		state, names := inputs(t, c.last(later("1", "tools/call", `"name":"t"`)))
		time.Sleep(10*time.Minute - time.Second)
		synctest.Wait()
		if n := len(p.messages("Nobody answered.")); n != 0 {
			t.Fatalf("it has expired early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, m := len(p.messages("Nobody answered.")), len(p.messages("cancelled")); n != 2 || m != 1 {
			t.Errorf("the server heard %d answers and %d cancellations", n, m)
		}
		has(t, c.last(later("2", "tools/call", answered(state, names[0]+`:{}`))), `"error":{"code":-32602`)
	})
}

func TestACallThatWaitsCanBeCancelled(t *testing.T) {
	legacy(t, asker, func(c *caller, p *peer) {
		t := c.t
		s := c.start(later("1", "tools/call", `"name":"t"`))
		inputs(t, next(t, s))
		if err := s.Cancel(t.Context(), "enough"); err != nil {
			t.Error(err)
		}
		s.Close()
		if n := len(p.messages("Nobody answered.")); n != 2 {
			t.Errorf("the server heard %d answers", n)
		}
	})
}

// TestQuestionsOutsideTheStreams are for the one call that is under way. Where there are several, or none, nobody can say
// whose they are, and the server hears that there is no such method.
func TestQuestionsOutsideTheStreams(t *testing.T) {
	legacy(t, func(p *peer, f *wire.Frame, s *flow) {
		if id := f.Get(wire.ID); f.String(wire.ParamsName) == "end" {
			s.result("{}")
		} else if a := p.answer(); a != nil {
			s.result(`{"to":` + string(id) + `,"got":` + string(a.Get(wire.Result)) + `}`)
		}
	}, func(c *caller, p *peer) {
		t := c.t
		refused := func() int { return len(p.messages(`"error":{"code":-32601`)) }
		ask := func(id string) { p.out <- earlier(id, "roots/list", "{}"); synctest.Wait() }
		c.last(later("1", "tools/call", `"name":"end"`))
		if ask("50"); refused() != 1 {
			t.Error("a question while nothing runs is not refused")
		}
		<-p.answers
		p.out <- earlier("51", "ping", "{}")
		has(t, string((<-p.answers).Raw), `"id":51,"result":{}`)
		p.out <- earlier("52", "tools/list", "{}")
		has(t, string((<-p.answers).Raw), `"id":52,"error":{"code":-32601`)

		one := c.start(later("2", "tools/call", `"name":"t"`))
		ask("53")
		state, names := inputs(t, next(t, one))
		one.Close()
		one = c.start(later("3", "tools/call", answered(state, names[0]+`:{"roots":[]}`)))
		has(t, next(t, one), `"id":3`, `"got":{"roots":[]}`)
		one.Close()
		synctest.Wait()

		one, two := c.start(later("4", "tools/call", `"name":"t"`)), c.start(later("5", "tools/call", `"name":"t"`))
		before := refused()
		if ask("54"); refused() != before+1 {
			t.Error("a question that may be of either call is not refused")
		}
		one.Close()
		two.Close()
	})
}

// TestACallThatIsHeldKeepsNobodyWaiting: what comes outside the streams meanwhile is refused or lost in time.
func TestACallThatIsHeldKeepsNobodyWaiting(t *testing.T) {
	legacy(t, asker, func(c *caller, p *peer) {
		t := c.t
		inputs(t, c.last(later("1", "tools/call", `"name":"t"`)))
		for i := range 5 {
			p.out <- earlier(fmt.Sprint(60+i), "roots/list", "{}")
		}
		p.out <- earlier("70", "ping", "{}")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if len(p.messages(`"id":70,"result":{}`)) != 1 || len(p.messages(`"error":{"code":-32601`)) != 4 {
			t.Errorf("the server heard %q", p.messages(`"id":`)[2:])
		}
	})
}

// TestManyCallsThatAskAtOnce get their own answers, and those that there is no room for an error.
func TestManyCallsThatAskAtOnce(t *testing.T) {
	const calls = 100
	var mu sync.Mutex
	back := map[string]chan *wire.Frame{}
	legacy(t, func(p *peer, f *wire.Frame, s *flow) {
		name := f.String(wire.ParamsName)
		mine := make(chan *wire.Frame, 1)
		mu.Lock()
		back[`"q`+name+`"`] = mine
		mu.Unlock()
		s.say(earlier(`"q`+name+`"`, "elicitation/create", `{"message":"`+name+`"}`))
		select {
		case a := <-mine:
			if a.Kind == wire.KindError {
				s.result(`{"isError":true}`)
				return
			}
			s.result(`{"mine":"` + name + `","got":` + string(a.Get(wire.Result)) + `}`)
		case <-p.life.Done():
		}
	}, func(c *caller, p *peer) {
		t := c.t
		over := make(chan struct{})
		defer close(over)
		go func() {
			for {
				select {
				case a := <-p.answers:
					mu.Lock()
					to := back[string(a.Get(wire.ID))]
					mu.Unlock()
					to <- a
				case <-over:
					return
				}
			}
		}()
		var work sync.WaitGroup
		var turned sync.Map
		gate := make(chan struct{})
		var asked sync.WaitGroup
		asked.Add(calls)
		for i := range calls {
			work.Go(func() {
				name := fmt.Sprint("n", i)
				got := c.last(later(fmt.Sprint(i), "tools/call", `"name":"`+name+`"`))
				asked.Done()
				<-gate // so that all are held at the same time
				if strings.Contains(got, "isError") {
					turned.Store(i, true)
					return
				}
				has(t, got, fmt.Sprintf(`"id":%d,`, i), `"message":"`+name+`"`)
				state, names := inputs(t, got)
				params := strings.Replace(answered(state, names[0]+`:{"of":`+fmt.Sprint(i)+`}`), `"t"`, `"`+name+`"`, 1)
				got = c.last(later(fmt.Sprint(1000+i), "tools/call", params))
				has(t, got, fmt.Sprintf(`"id":%d,`, 1000+i), `"mine":"`+name+`"`, fmt.Sprintf(`"got":{"of":%d}`, i))
			})
		}
		asked.Wait()
		close(gate)
		work.Wait()
		n := 0
		for range turned.Range {
			n++
		}
		if n != calls-64 {
			t.Errorf("%d of %d calls were turned away, want %d", n, calls, calls-64)
		}
	})
}

// TestAServerThatAsksWithoutEnd is asked no more at once than a client gets in one message, and its call ends when the client
// has had enough.
func TestAServerThatAsksWithoutEnd(t *testing.T) {
	legacy(t, func(p *peer, _ *wire.Frame, s *flow) {
		for i := 0; p.life.Err() == nil; i++ {
			select {
			case s.out <- earlier(fmt.Sprint(i), "roots/list", "{}"):
			case <-s.closed:
				return
			}
		}
	}, func(c *caller, p *peer) {
		t := c.t
		got := c.last(later("1", "tools/call", `"name":"t"`))
		for round := range 5 {
			state, names := inputs(t, got)
			if len(names) > 32 {
				t.Fatalf("round %d: %d questions at once", round, len(names))
			}
			var answers []string
			for _, n := range names {
				answers = append(answers, n+`:{"roots":[]}`)
			}
			got = c.last(later("2", "tools/call", answered(state, answers...)))
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if n := len(p.messages("cancelled")); n != 1 {
			t.Errorf("the server heard %d cancellations", n)
		}
	})
}

func TestQuestionsThatAreTooLargeTogetherAreAskedOneByOne(t *testing.T) {
	large := strings.Repeat("a", wire.DefaultLimits.Frame/2)
	legacy(t, func(p *peer, _ *wire.Frame, s *flow) {
		for i := range 3 {
			s.say(earlier(fmt.Sprint(i), "elicitation/create", `{"message":"`+large+`"}`))
		}
		for range 3 {
			p.answer()
		}
		s.result("{}")
	}, func(c *caller, _ *peer) {
		t := c.t
		got := c.last(later("1", "tools/call", `"name":"t"`))
		for range 3 {
			state, names := inputs(t, got)
			if len(names) != 1 {
				t.Fatalf("%d questions at once", len(names))
			}
			got = c.last(later("2", "tools/call", answered(state, names[0]+`:{}`)))
		}
		has(t, got, `"resultType":"complete"`)
	})
}

// TestServersSayNothingOfOthers: answers for nobody, and messages that mean nothing in the other era, reach no client.
func TestServersSayNothingOfOthers(t *testing.T) {
	legacy(t, func(_ *peer, _ *wire.Frame, s *flow) {
		s.say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		s.say(`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`)
		s.say(earlier("1", "tools/call", `{"name":"x"}`)) // no server may ask that
		s.fail(fmt.Errorf("%w: an answer that is none", upstream.ErrProtocol))
	}, func(c *caller, p *peer) {
		t := c.t
		got := c.call(later("1", "tools/call", `"name":"t"`))
		if len(got) != 1 || !strings.HasPrefix(got[0], "error: "+upstream.ErrProtocol.Error()) {
			t.Errorf("got %q", got)
		}
		if n := len(p.messages(`"error":{"code":-32601`)); n != 1 {
			t.Errorf("the server heard %d refusals", n)
		}
	})
}
