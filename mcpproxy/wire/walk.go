package wire

import (
	"bytes"
	"iter"
)

// Elements yields the raw elements of an array that [Parse] has accepted, with their place in it. It yields nothing for
// any other value.
func Elements(array []byte) iter.Seq2[Span, []byte] {
	return func(yield func(Span, []byte) bool) {
		if len(array) == 0 || array[0] != '[' {
			return
		}
		for i := space(array, 1); array[i] != ']'; {
			end := skip(array, i)
			if !yield(Span{int32(i), int32(end)}, array[i:end:end]) { // fits: Parse bounds the length
				return
			}
			if i = space(array, end); array[i] == ',' {
				i = space(array, i+1)
			}
		}
	}
}

// Entry is one member of an object: its name as it is written, quotes included, its value, and where both lie.
type Entry struct {
	Name, Value []byte
	At          Span // from the first byte of the name to the last of the value
	ValueAt     Span
}

// Entries yields the members of an object that [Parse] has accepted. It yields nothing for any other value.
func Entries(object []byte) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if len(object) == 0 || object[0] != '{' {
			return
		}
		for i := space(object, 1); object[i] != '}'; {
			nameEnd := skip(object, i)
			start := space(object, space(object, nameEnd)+1) // past the colon
			end := skip(object, start)
			e := Entry{
				Name: object[i:nameEnd:nameEnd], Value: object[start:end:end],
				At: Span{int32(i), int32(end)}, ValueAt: Span{int32(start), int32(end)}, // fits: Parse bounds the length
			}
			if !yield(e) {
				return
			}
			if i = space(object, end); object[i] == ',' {
				i = space(object, i+1)
			}
		}
	}
}

// Lookup returns the entry of an object under a name, in whatever spelling the name is written.
func Lookup(object []byte, name string) (e Entry, ok bool) {
	for e := range Entries(object) {
		in := e.Name[1 : len(e.Name)-1]
		if string(in) == name {
			return e, true
		}
		if text, _ := Unquote(e.Name); len(text) != len(in) && string(text) == name {
			return e, true
		}
	}
	return Entry{}, false
}

// skip returns the index past the value at i of accepted JSON.
func skip(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; ; {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	default:
		for i < len(b) && b[i] != ',' && b[i] != ']' && b[i] != '}' && b[i] > ' ' {
			i++
		}
		return i
	}
}

// skipString finds the closing quote: the first one before which the run of backslashes is even.
func skipString(b []byte, i int) int {
	start := i + 1
	for i = start; ; i++ {
		i += bytes.IndexByte(b[i:], '"')
		slashes := i
		for slashes > start && b[slashes-1] == '\\' {
			slashes--
		}
		if (i-slashes)%2 == 0 {
			return i + 1
		}
	}
}
