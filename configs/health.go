package configs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Health says when a server counts as failing.
type Health struct {
	Timeout  time.Duration // to connect; 0 for the default
	Failures int           // calls in a row, after which calls are refused at once; 0 for never
	Delay    time.Duration // until one call may try then
}

// health is what the file says of it.
type health struct {
	At      policy.Pos
	Timeout *duration `yaml:"timeout" doc:"Time to connect to the server of url, TLS included, 100ms to 5m. Default 10s."`
	Breaker *breaker  `yaml:"breaker" doc:"Calls in a row that fail, after which calls are refused at once, and for how long, until one call may try: N errors/DURATION, or off. Default 5 errors/30s."`
}

var breakerForm = regexp.MustCompile(`^(off|[0-9]+ errors?/([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d|w))+)$`)

// breaker is how many failures are too many, and what follows. The zero breaker is off.
type breaker struct {
	Failures int
	Delay    time.Duration
}

// standard is the breaker of upstreams that say nothing of theirs.
var standard = breaker{5, 30 * time.Second}

func (b *breaker) UnmarshalText(text []byte) error {
	if !breakerForm.Match(text) {
		return hinted{fmt.Sprintf("%q is not a breaker", text), "write failures in a row and how long to wait then: 5 errors/30s; or off"}
	}
	*b = breaker{}
	if string(text) == "off" {
		return nil
	}
	number, delay, _ := strings.Cut(string(text), "/")
	number, _, _ = strings.Cut(number, " ")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1000 {
		return hinted{"the number of failures is not from 1 to 1000", ""}
	}
	d, err := ParseDuration(delay)
	if err != nil {
		return err
	}
	if d < time.Second || d > time.Hour {
		return hinted{"the time to wait is not from 1s to 1h", ""}
	}
	*b = breaker{n, d}
	return nil
}

func (breaker) SchemaPattern() string { return breakerForm.String() }
func (breaker) SchemaTitle() string   { return "a breaker" }

// health compiles when a server counts as failing.
func (c *compiler) health(path string, u *upstream, out *Upstream) {
	b := standard
	if h := u.Health; h != nil {
		if h.Breaker != nil {
			b = *h.Breaker
		}
		if t := h.Timeout; t != nil {
			at := path + ".health.timeout"
			switch {
			case u.URL.At.Line == 0:
				c.report.fail(CodeValue, t.At, at, "timeout is the time to connect to a url, and there is none", "remove timeout")
			case t.Duration < 100*time.Millisecond || t.Duration > 5*time.Minute:
				c.report.fail(CodeValue, t.At, at, "the time is not from 100ms to 5m", "")
			}
			out.Health.Timeout = t.Duration
		}
	}
	out.Health.Failures, out.Health.Delay = b.Failures, b.Delay
}
