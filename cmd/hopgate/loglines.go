package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// plainLines writes a log of lines of JSON, with everything escaped that cannot be seen or could move a terminal's cursor: what
// programs and servers say is in it, and somebody looks at it. The encoder of the log escapes none of that beyond ASCII.
type plainLines struct{ to io.Writer }

// Write takes one or more whole lines.
func (w plainLines) Write(lines []byte) (int, error) {
	if bytes.IndexFunc(lines, unseen) < 0 {
		return w.to.Write(lines)
	}
	plain := make([]byte, 0, len(lines)+64)
	for rest := lines; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if unseen(r) {
			for _, unit := range utf16.AppendRune(nil, r) {
				plain = fmt.Appendf(plain, `\u%04x`, unit)
			}
		} else {
			plain = append(plain, rest[:n]...)
		}
		rest = rest[n:]
	}
	if _, err := w.to.Write(plain); err != nil {
		return 0, err
	}
	return len(lines), nil
}

func unseen(r rune) bool { return r != '\n' && !strconv.IsPrint(r) }
