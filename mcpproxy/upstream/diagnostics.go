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
)

// diagnostics puts what a child writes to stderr into the log: not more of a line, and not more lines, than a log can
// bear. The rest is read and counted.
type diagnostics struct {
	log     zerolog.Logger
	clock   func() time.Time
	full    time.Time // when as many lines as there may be at once are there again
	skipped uint64    // lines since the last that was logged
}

// copy reads until the end.
func (d *diagnostics) copy(r io.Reader) {
	br := bufio.NewReaderSize(r, maxDiagLine)
	for inside := false; ; {
		line, err := br.ReadSlice('\n')
		if !inside && len(line) > 0 {
			d.tell(bytes.TrimRight(line, "\r\n"))
		}
		inside = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !inside {
			return
		}
	}
}

func (d *diagnostics) tell(line []byte) {
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
	d.log.Debug().Bytes("line", line).Uint64("skipped", d.skipped).Msg("stderr")
	d.skipped = 0
}
