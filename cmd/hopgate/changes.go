package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// maxCells bounds the work of comparing two texts, in pairs of lines. Beyond that, all of one has gone and all of the other
// has come.
const maxCells = 4 << 20

// changes compares two JSON values line by line: lines that have gone begin with -, those that have come with +.
func changes(before, after string) []string {
	if after == "" {
		return nil
	}
	old, now := lines(before), lines(after)
	var out []string
	if strings.Join(old, "\n") == strings.Join(now, "\n") {
		out = append(out, "! the values are the same; white space or line breaks are not")
	}
	head := 0
	for head < len(old) && head < len(now) && old[head] == now[head] {
		head++
	}
	tail := 0
	for tail < len(old)-head && tail < len(now)-head && old[len(old)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	out = append(out, marked(" ", old[:head])...)
	out = append(out, between(old[head:len(old)-tail], now[head:len(now)-tail])...)
	return append(out, marked(" ", old[len(old)-tail:])...)
}

// lines indents JSON; an empty text has none.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return []string{text} // what is kept was JSON when it came, so this is for damage
	}
	return strings.Split(b.String(), "\n")
}

func marked(mark string, all []string) []string {
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = mark + " " + l
	}
	return out
}

// between compares by the longest common subsequence.
func between(old, now []string) []string {
	if len(old)*len(now) > maxCells {
		return append(marked("-", old), marked("+", now)...)
	}
	width := len(now) + 1
	common := make([]int32, (len(old)+1)*width) // of the rests from each pair of lines on
	for i, gone := range slices.Backward(old) {
		for j, come := range slices.Backward(now) {
			if gone == come {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(old) && j < len(now) {
		switch {
		case old[i] == now[j]:
			out = append(out, "  "+old[i])
			i, j = i+1, j+1
		case common[(i+1)*width+j] >= common[i*width+j+1]:
			out = append(out, "- "+old[i])
			i++
		default:
			out = append(out, "+ "+now[j])
			j++
		}
	}
	return append(append(out, marked("-", old[i:])...), marked("+", now[j:])...)
}

// visible spells out what cannot be seen, or could move a terminal's cursor: a definition is the upstream's text.
func visible(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
