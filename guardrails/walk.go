package guardrails

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// form is how a leaf is written.
type form uint8

const (
	formText form = iota
	formNumber
	formName  // of a member
	formSeam  // pieces of several leaves, put together
	formCodes // an array of short elements, which may be the codes of characters
)

// place is where a leaf stands in the message.
type place struct {
	at      wire.Span // of the token, quotes included; of a seam: its first and last piece in walk.pieces
	in      int32     // the container around it, an index of walk.boxes
	key     wire.Span // of the member's name, quotes included; absent in an array
	index   int32     // in an array
	form    form
	escaped bool // the text is not the bytes of the token
	media   bool // the text is an encoded picture, sound or archive
}

// spot is what is known about a value's place before it is read. It is small, so that it travels in registers.
type spot struct {
	key       wire.Span
	in, index int32
}

// box is a container.
type box struct {
	at    wire.Span
	in    int32     // the container around it; -1 for the message
	key   wire.Span // as of a place
	index int32
}

// walk takes a message apart: every name, string and number with its place and what is known about it. It reads JSON that
// has been accepted, and is to be used again.
type walk struct {
	raw    []byte
	leaves []detect.Leaf
	places []place
	boxes  []box
	pieces []piece       // of seams
	text   []byte        // of tokens that are not their own text
	head   [][]byte      // names of columns, seen last
	own    []detect.Leaf // names of the values that are open, by depth
	joins  seams
	every  bool // clean leaves are read as well
	left   int  // bytes of those that are not
	engine *detect.Engine
	memory *detect.Scratch
}

// read takes a message apart, but for leaves in which an engine can find nothing. What it gives points into raw and into
// the walk.
func (w *walk) read(raw []byte, e *detect.Engine, memory *detect.Scratch) {
	w.raw, w.engine, w.memory = raw, e, memory
	w.leaves, w.places, w.boxes, w.pieces = w.leaves[:0], w.places[:0], w.boxes[:0], w.pieces[:0]
	w.text, w.head, w.left = w.text[:0], w.head[:0], 0
	w.part()
	if len(w.own) == 0 {
		w.own = make([]detect.Leaf, 16)
	}
	w.own[0] = detect.Leaf{}
	w.value(w.space(0), spot{in: -1}, 0)
	w.seams()
}

// forget lets go of the message, and of memory that a larger one than usual took.
func (w *walk) forget() {
	const most = 64 << 10
	w.raw, w.engine = nil, nil
	if cap(w.leaves) > most || cap(w.text) > 64*most {
		*w = walk{memory: w.memory}
		return
	}
	clear(w.leaves)
	clear(w.own)
	clear(w.head)
	w.head = w.head[:0]
}

func (w *walk) space(i int) int {
	for i < len(w.raw) && w.raw[i] <= ' ' {
		i++
	}
	return i
}

// value reads the value at i, whose place is known but for its span and whose names are in own, and returns where it ends.
func (w *walk) value(i int, p spot, depth int) int {
	switch c := w.raw[i]; {
	case c == '"':
		return w.string(i, p, &w.own[depth])
	case c == '{':
		return w.object(i, p, depth)
	case c == '[':
		return w.array(i, p, depth)
	case c == '-' || c >= '0' && c <= '9':
		return w.number(i, p, &w.own[depth])
	}
	for i < len(w.raw) && w.raw[i] >= 'a' && w.raw[i] <= 'z' {
		i++
	}
	return i
}

// below returns where the names of a value that is one deeper are written.
func (w *walk) below(depth int) *detect.Leaf {
	if depth+1 == len(w.own) {
		w.own = append(w.own, make([]detect.Leaf, len(w.own))...)
	}
	return &w.own[depth+1]
}

func (w *walk) add(p *place, l *detect.Leaf) int32 {
	if k := len(w.leaves); k >= manyLeaves && (k == cap(w.leaves) || k == cap(w.places)) {
		w.grow(int(p.at.Hi))
	}
	w.places = append(w.places, *p)
	w.leaves = append(w.leaves, *l)
	return int32(len(w.leaves) - 1)
}

// manyLeaves is from when on memory for further leaves is taken at once: to grow step by step copies them over and over.
const manyLeaves = 1 << 10

// grow takes memory for as many leaves as the rest of the message will have, if it goes on as it was up to a byte; for four
// times as many as there are at most.
func (w *walk) grow(at int) {
	n := len(w.leaves)
	more := min(n*(len(w.raw)-at)/max(at, 1)+n/8, 3*n) + manyLeaves
	w.leaves, w.places = slices.Grow(w.leaves, more), slices.Grow(w.places, more)
}

// clean leaves a leaf out in which nothing can be found.
func (w *walk) clean(l *detect.Leaf) bool {
	if w.every || !w.engine.Clean(w.memory, l) {
		return false
	}
	w.left += len(l.Text)
	return true
}

// string reads a string. Of one with escapes the text is written elsewhere.
func (w *walk) string(i int, p spot, names *detect.Leaf) int {
	text, end, escaped := w.unquote(i)
	names.Text = text
	at := place{at: span(i, end), in: p.in, key: p.key, index: p.index, escaped: escaped, media: len(text) >= minMedia && isMedia(text)}
	k := int32(-1)
	if !w.clean(names) {
		k = w.add(&at, names)
	}
	if len(text) >= 2 && p.in > 0 && !at.media { // the envelope goes on in nothing
		w.join(k, names, &at)
	}
	return end
}

// name reads the name of a member.
func (w *walk) name(i int, in int32) (name []byte, end int) {
	name, end, escaped := w.unquote(i)
	if leaf := (detect.Leaf{Text: name, Name: true}); !w.engine.Clean(w.memory, &leaf) {
		w.add(&place{at: span(i, end), in: in, key: span(i, end), form: formName, escaped: escaped}, &leaf)
	}
	return name, end
}

// unquote returns the text of the string at i.
func (w *walk) unquote(i int) (text []byte, end int, escaped bool) {
	end = stringBreak(w.raw, i+1)
	if w.raw[end] == '"' {
		return w.raw[i+1 : end : end], end + 1, false
	}
	lo := len(w.text)
	w.text, end = unescapeString(w.text, w.raw, i+1)
	return w.text[lo:len(w.text):len(w.text)], end, true
}

// number reads a number. One that is whole is looked at as its digits, because 4.111e15 and 4111.0 must hide nothing.
func (w *walk) number(i int, at spot, names *detect.Leaf) int {
	end := i
	plain, scaled := true, false
	for end < len(w.raw) {
		c := w.raw[end]
		if c < '0' || c > '9' {
			if c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
				break
			}
			plain, scaled = plain && end == i, scaled || c|0x20 == 'e'
		}
		end++
	}
	names.Text = w.raw[i:end:end]
	if !scaled && w.clean(names) { // 21e8 is short, and a telephone number
		return end
	}
	p := place{at: span(i, end), in: at.in, key: at.key, index: at.index, form: formNumber}
	if !plain {
		lo := len(w.text)
		if w.text, p.escaped = appendWhole(w.text, names.Text); p.escaped {
			names.Text = w.text[lo:len(w.text):len(w.text)]
		}
	}
	w.add(&p, names)
	return end
}

// isHandle reports whether a member is one that the protocol has for values without meaning to anybody but their maker. A
// secret that can be told by itself is found in it all the same.
func isHandle(name []byte) bool {
	switch string(name) {
	case "progressToken", "cursor", "nextCursor", "requestState", "taskId":
		return true
	}
	return false
}

// object reads members. The value of a member called name, and the like, labels a value beside it.
func (w *walk) object(i int, p spot, depth int) int {
	me := w.open(i, p)
	above := w.own[depth].Field
	var label []byte
	for i = w.space(i + 1); w.raw[i] != '}'; {
		name, end := w.name(i, me)
		names := w.below(depth)
		names.Field, names.Label, names.Parent = name, nil, above
		if isHandle(name) {
			names.Field, names.Parent = nil, nil // its name says nothing about what it holds
		}
		role := roleOf(name)
		if role == roleValue {
			names.Label = label
		}
		from := w.space(w.space(end) + 1)
		until := w.value(from, spot{in: me, key: span(i, end)}, depth+1)
		if role == roleLabel && w.raw[from] == '"' {
			label = w.own[depth+1].Text
		}
		if i = w.space(until); w.raw[i] == ',' {
			i = w.space(i + 1)
		}
	}
	w.boxes[me].at.Hi = int32(i + 1)
	return i + 1
}

// array reads elements. They take the name of the array; in rows the column's, in pairs the element's before.
func (w *walk) array(i int, p spot, depth int) int {
	me := w.open(i, p)
	names := w.own[depth]
	header := isHeader(names.Field)
	if header {
		w.head = w.head[:0]
	}
	rows := p.in >= 0 && w.raw[w.boxes[p.in].at.Lo] == '['
	var before []byte
	var codes detect.CodeRun
	n := int32(0)
	for i = w.space(i + 1); w.raw[i] != ']'; n++ {
		own, leaf := w.below(depth), w.raw[i] != '[' && w.raw[i] != '{'
		own.Field, own.Label, own.Parent = names.Field, names.Label, names.Parent
		switch {
		case len(names.Label) > 0 || !leaf:
		case rows && int(n) < len(w.head):
			own.Label = w.head[n]
		case n == 1:
			own.Label = before
		}
		text := w.raw[i] == '"'
		from := i
		i = w.value(i, spot{in: me, index: n}, depth+1)
		codes.Add(w.raw[from:i])
		before = nil
		if text {
			before = w.label(w.own[depth+1].Text, header)
		}
		if i = w.space(i); w.raw[i] == ',' {
			i = w.space(i + 1)
		}
	}
	w.boxes[me].at.Hi = int32(i + 1)
	if at := w.boxes[me].at; codes.Text() {
		names.Text = w.raw[at.Lo+1 : at.Hi-1 : at.Hi-1]
		w.add(&place{at: at, in: p.in, key: p.key, index: p.index, form: formCodes}, &names)
	}
	return i + 1
}

// label returns a text that may name what stands beside it, and keeps the names of columns.
func (w *walk) label(text []byte, header bool) []byte {
	if len(text) == 0 || len(text) >= 40 || slices.ContainsFunc(text, isDigit) {
		text = nil
	}
	if header && len(w.head) < 64 {
		w.head = append(w.head, text)
	}
	return text
}

func (w *walk) open(i int, p spot) int32 {
	w.boxes = append(w.boxes, box{at: span(i, i), in: p.in, key: p.key, index: p.index})
	return int32(len(w.boxes) - 1)
}

// pointer returns where a leaf stands, as a JSON pointer (RFC 6901) into the message. Names that begin at a byte of
// hidden are written as what that says.
func (w *walk) pointer(leaf int, hidden map[int32]string) string {
	p := &w.places[leaf]
	steps := []string{w.step(p.key, p.index, hidden)}
	for b := p.in; b >= 0; b = w.boxes[b].in {
		if w.boxes[b].in >= 0 {
			steps = append(steps, w.step(w.boxes[b].key, w.boxes[b].index, hidden))
		}
	}
	var out strings.Builder
	for _, step := range slices.Backward(steps) {
		out.WriteByte('/')
		out.WriteString(step)
	}
	return out.String()
}

func (w *walk) step(key wire.Span, index int32, hidden map[int32]string) string {
	if !key.Present() {
		return strconv.Itoa(int(index))
	}
	if what, ok := hidden[key.Lo]; ok {
		return "[" + what + "]"
	}
	name := appendUnescaped(nil, w.raw[key.Lo+1:key.Hi-1])
	return strings.ReplaceAll(strings.ReplaceAll(string(name), "~", "~0"), "/", "~1")
}

// bytes returns the bytes of the message that hold bytes lo..hi of a leaf's text. For a number and for what is no text of
// its own that is all of it.
func (w *walk) bytes(leaf, lo, hi int) wire.Span {
	p := &w.places[leaf]
	switch {
	case p.form == formNumber, p.form == formCodes:
		return p.at
	case !p.escaped:
		return span(int(p.at.Lo)+1+lo, int(p.at.Lo)+1+hi)
	}
	from, to := escapedSpan(w.raw[p.at.Lo+1:p.at.Hi-1], lo, hi)
	return span(int(p.at.Lo)+1+from, int(p.at.Lo)+1+to)
}

// span fits: the limit of a frame is far below 2 GiB.
func span(lo, hi int) wire.Span { return wire.Span{Lo: int32(lo), Hi: int32(hi)} }
