package toolscope

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// appendLook appends what a name looks like to people and to models: two names that are hard to tell apart have the same
// look. It is a skeleton in the sense of Unicode TR 39 section 4, coarser in that it ignores case and accents, and made
// for names of ASCII: letters that resemble others than those of ASCII stay apart. Of ASCII it changes only the case and
// cuts spaces at the ends, and allocates nothing but room in dst.
func appendLook(dst, name []byte) []byte {
	start := len(dst)
	for _, c := range name {
		switch {
		case c >= utf8.RuneSelf:
			dst = appendShapes(dst[:start], name)
			return append(dst[:start], bytes.TrimSpace(dst[start:])...)
		case isUpper(c):
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return append(dst[:start], bytes.TrimSpace(dst[start:])...)
}

// appendShapes appends what the characters of any text look like.
func appendShapes(dst, text []byte) []byte {
	for _, r := range string(norm.NFKD.Bytes(text)) {
		if invisible(r) {
			continue
		}
		// A letter is compared by its own shape and not by that of its other case: a capital nu is an N, a small one a v.
		ascii, ok := lookalikes[r]
		if !ok {
			r = folded(r)
			ascii, ok = lookalikes[r]
		}
		if ok {
			dst = append(dst, ascii)
			continue
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// folded returns one rune for all that differ only in case.
func folded(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}

// invisible reports whether a rune of a decomposed text takes no room of its own: accents, joiners, directions, variants,
// tags and blanks that are letters.
func invisible(r rune) bool {
	return r >= utf8.RuneSelf && (r == '\u2800' || unicode.In(r, accents, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point))
}

// accents are the blocks of combining marks that go with any letter. Marks of one script stay: in some, they are vowels.
var accents = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0300, Hi: 0x036f, Stride: 1},
	{Lo: 0x0483, Hi: 0x0489, Stride: 1},
	{Lo: 0x1ab0, Hi: 0x1aff, Stride: 1},
	{Lo: 0x1dc0, Hi: 0x1dff, Stride: 1},
	{Lo: 0x20d0, Hi: 0x20ff, Stride: 1},
	{Lo: 0xfe20, Hi: 0xfe2f, Stride: 1},
}}

// lookalikes gives the ASCII character, in lower case, that a rune can be taken for. What NFKD makes ASCII of, such as
// full-width and mathematical letters, is not in it.
var lookalikes = func() map[rune]byte {
	m := map[rune]byte{}
	for ascii, runes := range map[byte]string{
		'a': "аАαΑɑᴀᎪ", 'b': "вВьЬβΒʙᏴ", 'c': "сСᴄᏟ", 'd': "ԁđĐᴅᎠ", 'e': "еЕεΕєᴇᎬ", 'f': "ϝϜꜰ", 'g': "ɡɢցᏀԌԍ",
		'h': "һҺнНΗʜհᎻħĦ", 'i': "іІιΙıɩɪӀᎥ", 'j': "јЈϳͿȷᴊյᎫ", 'k': "кКκΚᴋᏦ", 'l': "ӏłŁʟᏞ", 'm': "мМΜᴍᎷϺ",
		'n': "ηΝɴոп", 'o': "оОοΟσøØᴏօՕ", 'p': "рРρΡᴘᏢ", 'q': "ԛԚզ", 'r': "гʀᎡ", 's': "ѕЅꜱՏᏚ", 't': "тТτΤᴛᎢŧŦ",
		'u': "υᴜսՍ", 'v': "νѵѴᴠᏙ", 'w': "ԝԜωᴡᎳ", 'x': "хХχΧ", 'y': "уУүҮγΥʏ", 'z': "ΖᴢᏃ",
		'3': "зЗ", '4': "Ч", '6': "б", '-': "‐–—−⁃", '_': "ˍ", '/': "⁄∕", ':': "∶꞉׃",
	} {
		for _, r := range runes {
			m[r] = ascii
		}
	}
	return m
}()
