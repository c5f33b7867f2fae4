package chair_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/chair"
)

func TestChairIsOnePersons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := chair.New(func() { t.Error("the timer has it, though somebody has") })
		if c.Take() {
			t.Error("it was taken from the one who had it at first")
		}
		time.Sleep(time.Hour)
		c.Close()
	})
}

func TestChairThatIsLeftIsTakenOnce(t *testing.T) {
	tired := make(chan struct{})
	c := chair.New(func() { close(tired) })
	c.Leave()
	<-tired
	if c.Take() {
		t.Error("it was taken from the one whom the timer gave it to")
	}
	c.Close()
}

func TestNobodyGetsAChairThatIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which no time passes between leaving and closing
		c := chair.New(func() { t.Error("the timer has it") })
		c.Leave()
		c.Close()
		if c.Take() {
			t.Error("it was taken")
		}
		time.Sleep(time.Hour)
	})
}

// Many take it in turns, and the timer among them: nobody reads beside another, and nobody waits for ever.
func TestChairChangesHands(t *testing.T) {
	const turns = 2000
	read, done := 0, make(chan struct{}) // of who has the chair; the race detector says whether that is so
	var c *chair.Chair
	turn := func() {
		if read++; read == turns {
			close(done)
		}
		c.Leave()
	}
	c = chair.New(turn)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if c.Take() {
					turn()
				} else {
					time.Sleep(time.Microsecond)
				}
			}
		})
	}
	c.Leave()
	all.Wait()
	c.Close()
}
