package trust

import (
	"fmt"
	"strings"
	"time"
)

// Text writes the explanation for people, in lines.
func (x *Explanation) Text() string {
	var b strings.Builder
	name := x.Agent
	if x.Upstream != "" {
		name = "upstream " + x.Upstream
	}
	fmt.Fprintf(&b, "%s  %d", name, x.Score)
	if x.Condition != Sound {
		fmt.Fprintf(&b, "  (%s)", x.Condition)
	}
	b.WriteByte('\n')
	if x.Condition == Damaged || x.Condition == Unknown {
		return b.String()
	}
	fmt.Fprintf(&b, "  %d base + %d earned -> %d x reliability %s x leniency %s (penalty %s)\n",
		x.Base, x.Earned, x.Base+x.Earned, fraction(x.Reliability), fraction(x.Leniency), fraction(x.Penalty))
	for i := range x.Causes {
		x.Causes[i].write(&b)
	}
	for i := range x.Prospects {
		fmt.Fprintf(&b, "  %s\n", x.Prospects[i].text())
	}
	return b.String()
}

func fraction(thousandths int) string {
	return fmt.Sprintf("%d.%03d", thousandths/1000, thousandths%1000)
}

func (c *Cause) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %+5d  %s", c.Effect, c.Code)
	if c.Times > 1 {
		fmt.Fprintf(b, " x %d, last", c.Times)
	}
	fmt.Fprintf(b, " %s", c.Last.Format(time.RFC3339))
	if c.Ref != "" {
		fmt.Fprintf(b, " %s", c.Ref)
	}
	b.WriteByte('\n')
}

// text says what would bring a score to its minimum.
func (p *Prospect) text() string {
	switch {
	case p.Reached:
		return fmt.Sprintf("%d is reached", p.Min)
	case p.Operator:
		return fmt.Sprintf("%d is reached only through an operator", p.Min)
	case p.Credits > 0:
		return fmt.Sprintf("%d needs %d more credits: at least %d days of good work without new violations", p.Min, p.Credits, max(p.Days, 1))
	default:
		return fmt.Sprintf("reaches %d in %s without new violations", p.Min, wait(p.After))
	}
}

// wait writes a time in its largest unit, rounded up.
func wait(d time.Duration) string {
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}} {
		if d > u.unit {
			return plural(int((d+u.unit-1)/u.unit), u.name)
		}
	}
	return plural(int((d+time.Minute-1)/time.Minute), "minute")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
