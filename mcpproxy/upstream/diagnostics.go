package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/rs/zerolog"
)

const (
	maxDiagLine = 1 << 10          // of a line on stderr that is logged
	diagBurst   = 100              // lines that are logged at once
	diagEvery   = time.Second / 20 // a line more may be logged
	maxKeyLines = 200              // of a private key in PEM
	lastLines   = 5                // that are kept
)

// diagnostics puts what a child writes to stderr into the log: not more of a line, and not more lines, than a log can
// bear. The rest is read and counted. veil takes out what must not be in a log.
type diagnostics struct {
	log     zerolog.Logger
	clock   func() time.Time
	veil    func(string) string // nil for none
	full    time.Time           // when as many lines as there may be at once are there again
	skipped uint64              // lines since the last that was logged
	key     int                 // lines that the end of a private key may still be away; 0 outside of one
	last    []diagLine          // those that came last, and are not empty
}

// diagLine is a line as it came.
type diagLine struct {
	text        []byte
	cut, secret bool
}

// copy reads until the end.
func (d *diagnostics) copy(r io.Reader) {
	br := bufio.NewReaderSize(r, maxDiagLine)
	for inside := false; ; {
		line, err := br.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if !inside && len(line) > 0 {
			d.tell(bytes.TrimRight(line, "\r\n"), cut)
		}
		inside = cut
		if err != nil && !inside {
			return
		}
	}
}

func (d *diagnostics) tell(line []byte, cut bool) {
	secret := d.inKey(line)
	d.keep(line, cut, secret)
	now := d.clock()
	if d.full.Before(now) {
		d.full = now
	}
	next := d.full.Add(diagEvery)
	if next.Sub(now) > diagBurst*diagEvery {
		d.skipped++
		return
	}
	d.full = next
	if e := d.log.Debug(); e != nil {
		e.Str("line", d.show(line, cut, secret)).Uint64("skipped", d.skipped).Msg("stderr")
	}
	d.skipped = 0
}

// keep keeps a line among the last, in the place of the oldest.
func (d *diagnostics) keep(line []byte, cut, secret bool) {
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	var oldest diagLine
	if len(d.last) == lastLines {
		oldest = d.last[0]
		d.last = append(d.last[:0], d.last[1:]...)
	}
	d.last = append(d.last, diagLine{append(oldest.text[:0], line...), cut, secret})
}

// lines are the last lines as they may be in a log.
func (d *diagnostics) lines() (all []string) {
	for _, x := range d.last {
		all = append(all, d.show(x.text, x.cut, x.secret))
	}
	return all
}

// show is a line as it may be in a log.
func (d *diagnostics) show(line []byte, cut, secret bool) string {
	if d.veil == nil {
		return string(line)
	}
	if secret {
		return "[private key]"
	}
	if cut { // of the last word only a part is there, by which nobody would know it for a secret
		line = line[:bytes.LastIndexAny(line, " \t")+1]
	}
	return d.veil(string(line))
}

// inKey reports whether a line belongs to a private key in PEM, of which a single line shows nothing that is known.
func (d *diagnostics) inKey(line []byte) bool {
	if bytes.Contains(line, []byte("-----BEGIN ")) && bytes.Contains(line, []byte("PRIVATE KEY")) {
		d.key = maxKeyLines
	}
	within := d.key > 0
	switch {
	case bytes.Contains(line, []byte("-----END ")):
		d.key = 0
	case within:
		d.key--
	}
	return within
}
