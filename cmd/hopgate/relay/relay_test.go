//go:build unix

package relay_test

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
)

func TestLinesPassAsTheyAre(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	for _, line := range []string{"\n", "no JSON \xff\n", call("1") + call("2"), `{ "id" : 1.0 }` + "\r\n", strings.Repeat("x", 1<<20) + "\n"} {
		x.say(line)
		for part := range strings.Lines(line) {
			o.gets(part)
		}
		o.says(line)
		for part := range strings.Lines(line) {
			x.hears(part)
		}
	}
}

func TestEndOfInputWaitsForAnswers(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	x.say(call("1"))
	o.gets(call("1"))
	x.say(`{"cut`)
	x.in.Close()
	if rest, err := io.ReadAll(o.conn.Reader); string(rest) != `{"cut` || err != nil {
		t.Errorf("the owner gets %q, %v", rest, err)
	}
	o.says(result("1"))
	x.hears(result("1"))
	o.conn.Close()
	x.ends(nil)
}

func TestDeathOfTheOwnerAtTheEndOfInput(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	x.say(call("1"))
	o.gets(call("1"))
	x.in.Close()
	o.ends()
	x.hears(lost("1"))
	x.ends(nil)
	if n := len(x.again); n != 1 {
		t.Errorf("%d attempts to attach, want 1: nobody is left to serve", n)
	}
}

func TestDeathOfTheOwnerAnswersWhatWaits(t *testing.T) {
	x := newWorld(t)
	o := x.greet()
	for _, id := range []string{`1`, `"answered"`, `"cancelled"`} {
		x.say(call(id))
		o.gets(call(id))
	}
	cancel := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"cancelled"}}` + "\n"
	x.say(cancel)
	o.gets(cancel)
	o.says(result(`"answered"`))
	x.hears(result(`"answered"`))
	o.conn.Close()
	x.hears(lost("1"))

	next := x.owner()
	next.gets(hello) // the greeting comes again, and its answer goes nowhere
	next.says(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}` + "\n" + welcome)
	x.hears(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":1}}` + "\n")
	next.gets(greeted)
	x.say(call("2"))
	next.gets(call("2"))
	next.says(result("2"))
	x.hears(result("2"))
	if first, second := <-x.again, <-x.again; first || !second {
		t.Errorf("again was %v and %v", first, second)
	}
}

func TestANewOwnerHearsThatTheClientIsInitialized(t *testing.T) {
	old := strings.ReplaceAll(welcome, "2025-11-25", "2025-03-26")
	for name, begin := range map[string]func(x *world, o *owner){
		"said before the answer": func(x *world, o *owner) {
			x.say(greeted)
			o.gets(greeted)
			o.says(old)
			x.hears(old)
		},
		"said with a call": func(x *world, o *owner) {
			o.says(old)
			x.hears(old)
			batch := "[" + strings.TrimSpace(call("1")) + ", " + strings.TrimSpace(greeted) + "]\n"
			x.say(batch)
			o.gets(batch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newWorld(t)
			o := x.owner()
			x.say(hello)
			o.gets(hello)
			begin(x, o)
			o.conn.Close()
			if name == "said with a call" {
				x.hears(lost("1"))
			}
			next := x.owner()
			next.gets(hello)
			next.says(old)
			next.gets(greeted) // and no call, which is never sent twice
			x.say(call("2"))
			next.gets(call("2"))
		})
	}
}

func TestBatchesAreAnsweredByTheirMembers(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	batch := "[" + strings.TrimSpace(call("1")) + "," + strings.TrimSpace(greeted) + "," + strings.TrimSpace(call("2")) + "]\n"
	x.say(batch)
	o.gets(batch)
	x.say(call("3"))
	o.gets(call("3"))
	answer := "[" + strings.TrimSpace(result("1")) + "," + strings.TrimSpace(result("2")) + "]\n"
	o.says(answer)
	x.hears(answer)
	o.conn.Close()
	x.hears(lost("3"))
}

func TestAnInitializeThatWasLostIsNotRepeated(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	x.say(hello)
	o.gets(hello)
	o.conn.Close()
	x.hears(lost(`"h"`))
	next := x.owner()
	x.say(call("1"))
	next.gets(call("1"))
}

func TestARefusedSecondGreetingChangesNothing(t *testing.T) {
	x := newWorld(t)
	o := x.greet()
	second := strings.Replace(hello, `"h"`, `"again"`, 1)
	no := `{"jsonrpc":"2.0","id":"again","error":{"code":-32600,"message":"no"}}` + "\n"
	x.say(second)
	o.gets(second)
	o.says(no)
	x.hears(no)
	o.conn.Close()
	x.owner().gets(hello)
}

func TestAGreetingThatDoesNotHoldEndsTheRelay(t *testing.T) {
	for name, answer := range map[string]string{
		"refused":         `{"jsonrpc":"2.0","id":"h","error":{"code":403,"message":"no"}}` + "\n",
		"another version": strings.Replace(welcome, "2025-11-25", "2025-06-18", 1),
	} {
		t.Run(name, func(t *testing.T) {
			x := newWorld(t)
			x.greet().conn.Close()
			next := x.owner()
			next.gets(hello)
			next.says(answer)
			if err := <-x.done; err == nil || !strings.Contains(err.Error(), "repeating the client's greeting") {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

func TestAnswersToAnOwnerThatIsGoneAreDropped(t *testing.T) {
	x := newWorld(t)
	o := x.greet()
	o.says(question)
	x.hears(question)
	o.conn.Close()
	next := x.owner()
	next.gets(hello)
	next.says(welcome)
	next.gets(greeted)
	x.say(reply) // the new owner has not asked
	x.say(call("1"))
	next.gets(call("1"))
	next.says(question) // and now it has, under the same id
	x.hears(question)
	x.say(reply)
	next.gets(reply)
}

func TestWithoutAnOwnerRequestsAreRefused(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	gone := errors.New("nobody is there")
	x.refuses(gone)
	o.conn.Close()
	for range 2 { // the first attach, and that after the loss
		<-x.again
	}
	x.say(greeted + "\n" + reply + call("1"))
	x.hears(absent("1"))
	x.say("[" + strings.TrimSpace(call("2")) + "," + strings.TrimSpace(call("3")) + "]\n")
	x.hears(absent("2"))
	x.hears(absent("3"))
	x.say("no JSON\n")
	x.hears(absent("null"))
	if n := len(x.again); n != 0 {
		t.Errorf("%d attempts at once, want none", n)
	}
	// After a while, a request leads to another attempt; in vain, and then not.
	x.pass(5 * time.Second)
	x.say(call("4"))
	x.hears(absent("4"))
	x.pass(5 * time.Second)
	x.refuses(nil)
	x.say(call("5"))
	next := x.owner()
	next.gets(call("5"))
	x.refuses(gone)
	next.conn.Close()
	x.hears(lost("5"))
	x.say(call("6"))
	x.hears(absent("6"))
	x.in.Close()
	x.ends(gone)
}

func TestARefusalEndsTheRelay(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	no := &relay.Refusal{Code: 2, Words: "no such upstream\n"}
	x.refuses(no)
	o.conn.Close()
	x.ends(no)
}

func TestOwnersThatEndAtOnceAreNotFollowedForEver(t *testing.T) {
	x := newWorld(t)
	for range 5 {
		x.owner().conn.Close()
	}
	x.say(call("1")) // it may meet the last owner's end
	if _, err := x.out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	x.say(call("2"))
	x.hears(absent("2"))
	if n := len(x.again); n != 5 {
		t.Errorf("%d attempts, want 5", n)
	}
}

func TestTheEndOfTheContextEndsTheRelay(t *testing.T) {
	x := newWorld(t)
	o := x.greet()
	x.stop()
	x.ends(nil)
	if rest, err := io.ReadAll(o.conn.Reader); len(rest) != 0 || err != nil {
		t.Errorf("the owner gets %q, %v", rest, err)
	}
}

// TestTheEndOfTheContextEndsARelayWhoseClientDoesNotRead ends the context while a line to the client is being written, by
// each of those who write some.
func TestTheEndOfTheContextEndsARelayWhoseClientDoesNotRead(t *testing.T) {
	for name, begin := range map[string]func(x *world, o *owner){
		"an answer of the owner": func(_ *world, o *owner) { o.says(result("1")) },
		"the loss of the owner": func(x *world, o *owner) {
			x.say(call("1"))
			o.gets(call("1"))
			o.conn.Close()
		},
		"the loss of the owner after the last word": func(x *world, o *owner) {
			x.say(call("1"))
			o.gets(call("1"))
			x.in.Close()
			o.conn.Close()
		},
		"no owner": func(x *world, o *owner) {
			x.refuses(errors.New("nobody is there"))
			o.conn.Close()
			for range 2 {
				<-x.again
			}
			x.say(call("1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newWorld(t)
			begin(x, x.owner())
			if _, err := x.raw.Read(make([]byte, 1)); err != nil { // the rest of the line waits
				t.Fatal(err)
			}
			x.stop()
			x.ends(nil)
		})
	}
}

// TestTheEndOfTheContextMeetsThatOfTheInput ends both while the last words are on their way.
func TestTheEndOfTheContextMeetsThatOfTheInput(t *testing.T) {
	for range 300 {
		x := newWorld(t)
		o := x.owner()
		go func() { _, _ = io.Copy(io.Discard, x.out) }()
		x.say(`{"cut`)
		go x.stop()
		x.in.Close()
		_, _ = io.ReadAll(o.conn.Reader) // whether the words come is a matter of luck
		o.conn.Close()
		x.ends(nil)
	}
}

func TestLinesThatAreTooLongStayTooLong(t *testing.T) {
	x := newWorld(t)
	o := x.owner()
	const limit = 64<<20 + 2
	go func() {
		chunk := strings.Repeat("x", 1<<20)
		for range 70 {
			if _, err := io.WriteString(x.in, chunk); err != nil {
				return
			}
		}
		_, _ = io.WriteString(x.in, "\n"+call("1"))
	}()
	n := 0
	for {
		part, err := o.conn.Reader.ReadSlice('\n')
		n += len(part)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			t.Fatal(err)
		}
	}
	if n <= limit-2 || n > limit+1 {
		t.Errorf("the owner gets %d bytes, want a few more than any limit", n)
	}
	o.gets(call("1"))
}

func FuzzRelay(f *testing.F) {
	f.Add(call("1"), result("1"))
	f.Add("["+hello+"]", welcome)
	f.Fuzz(func(t *testing.T, said, answer string) {
		if strings.ContainsAny(said+answer, "\n") {
			t.Skip()
		}
		x := newWorld(t)
		o := x.owner()
		x.say(said + "\n")
		o.gets(said + "\n")
		o.says(answer + "\n")
		x.hears(answer + "\n")
		x.in.Close()
		o.ends()
		rest, err := io.ReadAll(x.out)
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(rest)) {
			if !strings.Contains(line, `"OWNER_LOST"`) {
				t.Errorf("the client gets %q", line)
			}
		}
		if diff := cmp.Diff(nil, <-x.done); diff != "" {
			t.Error(diff)
		}
	})
}
