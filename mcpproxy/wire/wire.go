// Package wire says what a JSON-RPC message of the Model Context Protocol is, to the byte.
//
// [Parse] reads a message once, strictly, and leaves an index of spans into the bytes that it was given.
// Everything that judges and everything that forwards works on those spans, so no decision is made on one reading
// of a message while another reading is sent on. Whatever two parsers could read in two ways is refused, with one of
// the problems that [Problems] lists.
//
// The package does no I/O, keeps no state between messages and knows no policy. It decodes numbers never and strings
// only on demand: what arrives as 1.0 or "\u00e9" leaves as 1.0 and "\u00e9".
package wire

import (
	"bytes"
	"fmt"
)

// Limits bounds one message. The zero value refuses everything; start from [DefaultLimits].
type Limits struct {
	Frame int // bytes of the whole message
	Depth int // containers inside each other; the message itself is the first
	Keys  int // members of all objects together
	Name  int // bytes of a tool, prompt or method name

	// UpstreamKeys takes the place of Keys in what a server writes, unless it is 0: a list of a thousand tools has more
	// members than anything that an agent says.
	UpstreamKeys int
}

// DefaultLimits are the limits of a configuration that names none.
var DefaultLimits = Limits{Frame: 4 << 20, Depth: 256, Keys: 10_000, Name: 128, UpstreamKeys: 200_000}

// maxNumber bounds the digits of one number. Nothing that a protocol peer computes with needs more, and some parsers
// take quadratic time over such a number.
const maxNumber = 1024

// Side says who wrote a message, because a server may extend the envelope and an agent may not.
type Side uint8

// The two ends of a connection.
const (
	FromAgent Side = iota
	FromUpstream
)

// Span is a half-open range of bytes in [Frame.Raw]. The zero Span means that the member is absent.
type Span struct{ Lo, Hi int32 }

// Present reports whether the member was there.
func (s Span) Present() bool { return s.Hi > s.Lo }

// Kind is what a message is in JSON-RPC 2.0.
type Kind uint8

// Kinds of messages. The zero Kind is no message.
const (
	KindNone Kind = iota
	KindRequest
	KindNotification
	KindResult
	KindError
)

func (k Kind) String() string {
	return [...]string{"none", "request", "notification", "result", "error"}[k]
}

// Frame is one message that [Parse] has accepted: the bytes, and where the members lie on which the proxy decides.
// The bytes belong to whoever parsed them and must not change while the frame is in use. A Frame may be parsed into
// again; it must not be used by two goroutines while that happens.
type Frame struct {
	Raw   []byte
	Kind  Kind
	From  Side
	Keys  int   // members of all objects together
	Mark  *Mark // of whoever knows the message again; nil where it is not known, and after Parse
	spans [memberCount]Span
}

// Response reports whether the frame answers a request.
func (f *Frame) Response() bool { return f.Kind == KindResult || f.Kind == KindError }

// Span returns where a member's value lies in Raw.
func (f *Frame) Span(m Member) Span { return f.spans[m] }

// Has reports whether a member is there.
func (f *Frame) Has(m Member) bool { return f.spans[m].Present() }

// Get returns the raw JSON value of a member, or nil where it is absent. The slice points into Raw.
func (f *Frame) Get(m Member) []byte {
	s := f.spans[m]
	if !s.Present() {
		return nil
	}
	return f.Raw[s.Lo:s.Hi:s.Hi]
}

// Text returns the decoded text of a member that is a string. It reports false where the member is absent, is not a
// string, or has no meaning as text because it holds a lone surrogate. It allocates only where the string has escapes.
func (f *Frame) Text(m Member) ([]byte, bool) { return Unquote(f.Get(m)) }

// String is Text as a string, empty where Text reports false. It allocates.
func (f *Frame) String(m Member) string {
	t, _ := f.Text(m)
	return string(t)
}

// OneLine replaces line breaks between the tokens of a message by spaces, in place, so that the message can be a line of
// stdio or of an event stream. Inside strings JSON allows no raw line break, so nothing but insignificant white space
// changes, and spans stay true.
func OneLine(message []byte) {
	for _, c := range []byte("\n\r") {
		for rest := message; ; {
			i := bytes.IndexByte(rest, c)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}

// Fault is why a message was refused.
type Fault struct {
	Problem *Problem
	Offset  int    // byte at which the problem was noticed
	ID      []byte // raw id of the message where it was readable and legal, else nil; a copy
}

// Error names the problem and the place, never the content.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s at byte %d", f.Problem.Text, f.Offset)
}
