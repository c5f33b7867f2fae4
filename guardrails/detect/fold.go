package detect

import (
	"unicode"
	"unicode/utf8"
)

// fold writes what a reader takes a text for: without what is invisible, in plain Latin letters and digits.
func fold(dst, t []byte, o *offsets) ([]byte, bool) {
	other := false
	for i := 0; i < len(t); {
		if t[i] < utf8.RuneSelf {
			o.mark(len(dst), i, false)
			for i < len(t) && t[i] < utf8.RuneSelf {
				dst = append(dst, t[i])
				i++
			}
			continue
		}
		r, n := utf8.DecodeRune(t[i:])
		switch b := plainRune(r); {
		case b == drop:
			other = true
		case b != 0:
			o.mark(len(dst), i, true)
			dst = append(dst, b)
			other = true
		default:
			o.mark(len(dst), i, false)
			dst = append(dst, t[i:i+n]...)
		}
		i += n
	}
	return dst, other
}

const drop = 0xFF

// plainRune returns the ASCII byte that a rune looks like, drop for one that cannot be seen, or 0.
func plainRune(r rune) byte {
	switch {
	case invisible(r) || unicode.Is(unicode.Mn, r):
		return drop
	case r >= 0x1EA0 && r <= 0x1EF9:
		return vietnamese(r)
	case r == 0x1A0, r == 0x1A1:
		return "Oo"[r-0x1A0]
	case r == 0x1AF, r == 0x1B0:
		return "Uu"[r-0x1AF]
	case r >= 0xFF01 && r <= 0xFF5E:
		return byte(r - 0xFEE0)
	case r >= 0xC0 && r <= 0x17F:
		return latin[r-0xC0]
	case r >= 0x1D400 && r <= 0x1D6A3:
		return mathLetter(r - 0x1D400)
	case r >= 0x1D7CE && r <= 0x1D7FF:
		return byte('0' + (r-0x1D7CE)%10)
	case r >= 0x24B6 && r <= 0x24CF:
		return byte('A' + r - 0x24B6)
	case r >= 0x24D0 && r <= 0x24E9:
		return byte('a' + r - 0x24D0)
	case r >= 0x1F130 && r <= 0x1F189:
		return squared(r)
	case r >= 0x1F1E6 && r <= 0x1F1FF:
		return byte('A' + r - 0x1F1E6)
	case r == 0xA0, r >= 0x2000 && r <= 0x200A, r == 0x202F, r == 0x205F, r == 0x3000, r == 0x1680, r == 0x2028, r == 0x2029:
		return ' '
	}
	if b := lookalike(r); b != 0 {
		return b
	}
	if unicode.Is(unicode.Nd, r) {
		return digitOf(r)
	}
	return 0
}

// invisible holds for what takes no room: joiners, fillers, direction marks, selectors, tags.
func invisible(r rune) bool {
	switch {
	case r == 0xAD, r == 0x34F, r == 0x61C, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, r == 0xFEFF, r == 0x2800:
		return true
	case r >= 0x180B && r <= 0x180F, r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F, r >= 0xFE00 && r <= 0xFE0F, r >= 0xFFF9 && r <= 0xFFFB:
		return true
	}
	return r >= 0xE0000 && r <= 0xE0FFF || r >= 0x1D173 && r <= 0x1D17A
}

// latin are the base letters of U+00C0 to U+017F; a zero byte has none.
const latin = "AAAAAAACEEEEIIII\x00NOOOOO\x00OUUUUY\x00saaaaaaaceeeeiiii\x00nooooo\x00ouuuuy\x00y" +
	"AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"

// latinBase returns the base letter, in lower case, of a letter of two bytes, or 0.
func latinBase(a, b byte) byte {
	if a < 0xC3 || a > 0xC5 {
		return 0
	}
	r := rune(a&0x1F)<<6 | rune(b&0x3F)
	if r < 0xC0 || int(r-0xC0) >= len(latin) {
		return 0
	}
	return lower(latin[r-0xC0])
}

func mathLetter(i rune) byte {
	if i %= 52; i < 26 {
		return byte('A' + i)
	}
	return byte('a' + i - 26)
}

func squared(r rune) byte {
	if i := (r - 0x1F130) % 32; i < 26 {
		return byte('A' + i)
	}
	return 0
}

// lookalikes are pairs of a foreign letter and what it is taken for.
const lookalikes = "АAВBЕEЅSІIЈJКKМMНHОOРPСCТTУYХXаaеeоoрpсcуyхxѕsіiјjһhԁdԛqԝwьbгrкkмmнhтtвbпnиuлnЗ3зeъbѵvѴVԌGԍgҮYүyӏlӀIеeёeЁE" +
	"ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧXαaοoρpνvυuιiκkηnωwγyεeτtσoχx" +
	"ՕOօoսuհhոnցgզqւwՏSսuԼLꓐBꓑPꓓDꓔTꓖGꓗKꓙJꓚCꓜZꓝFꓟMꓠNꓡLꓢSꓣRꓦVꓧHꓪWꓫXꓬYꓮAꓰEꓲIꓳOꓴU" +
	"ᎪAᏴBᏟCᎠDᎬEᎳWᎻHᏆIᎫJᏦKᏞLᎷMΝNᏢPᎡRᏚSᎢTᏙVᏃZɑaɡgɩiɪiᴀaᴄcᴇeᴏoᴜuᴠvᴡwᴢzꜱsʀrɴnʟlᴊjᴋkᴍmᴘpᴛtʏyʜhɢgʙbᴅdꞌ'" +
	"‐-‑-‒-–-—-−-﹘-‘'’'‚'“\"”\"„\"′'″\"․.‧.・.。.﹒.⁄/∕/╱/꞉:：:∶:ː:；;․.٫.＠@﹫@∗*⁎*﹡*＝=＿_ƖIǀ|│|ⅰiⅱiⅼlⅽcⅾdⅿmℓlℎhℯeℊgℴo"

// lookalike is a search in a short text; it is asked only about runes beyond Latin.
func lookalike(r rune) byte {
	if r < 0x180 || r >= 0x2E80 && r < 0xA4D0 && r != 0x3002 && r != 0x30FB || r >= 0xAC00 && r < 0xE000 {
		return 0
	}
	for i := 0; i < len(lookalikes); {
		c, n := utf8.DecodeRuneInString(lookalikes[i:])
		if c == r {
			return lookalikes[i+n]
		}
		i += n + 1
	}
	return 0
}

// digitOf returns the value of a decimal digit of any script: they stand in tens.
func digitOf(r rune) byte {
	n := byte(0)
	for n < 9 && unicode.Is(unicode.Nd, r-rune(n)-1) && (r-rune(n))%16 != 0 && (r-rune(n))%16 != 6 {
		n++
	}
	return '0' + n
}

// reveal reads what hides in tag characters and variation selectors.
func reveal(dst, t []byte, o *offsets) ([]byte, bool) {
	for i := 0; i < len(t); {
		if t[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(t[i:])
		b, ok := byte(0), true
		switch {
		case r >= 0xE0020 && r <= 0xE007E:
			b = byte(r - 0xE0000)
		case r == 0xE000A || r == 0xE0009:
			b = '\n'
		case r >= 0xFE00 && r <= 0xFE0F:
			b = byte(r - 0xFE00)
		case r >= 0xE0100 && r <= 0xE01EF:
			b = byte(r-0xE0100) + 16
		default:
			ok = false
		}
		if ok {
			o.mark(len(dst), i, true)
			dst = append(dst, b)
		}
		i += n
	}
	return dst, len(dst) >= 4
}

// vietnamese returns the base letter of U+1EA0 to U+1EF9: capitals are even.
func vietnamese(r rune) byte {
	base := byte('Y')
	switch {
	case r < 0x1EB8:
		base = 'A'
	case r < 0x1EC8:
		base = 'E'
	case r < 0x1ECC:
		base = 'I'
	case r < 0x1EE4:
		base = 'O'
	case r < 0x1EF2:
		base = 'U'
	}
	if r&1 == 1 {
		base += 'a' - 'A'
	}
	return base
}
