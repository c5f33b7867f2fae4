package detect

import (
	"bytes"
	"crypto/sha256"
	"strings"
)

// email decides about the @ at i.
func (c *candidate) email(i int) int {
	t := c.t
	lo, hi, dot := emailBounds(t, i)
	if lo == i || dot < i+2 || hi-dot < 3 || !topLevel(t[dot+1:hi]) {
		return i + 1
	}
	if partOfAddress(t, lo, hi) || foldEqual(t[lo:i], "git") || reserved(t[i+1:hi]) {
		return i + 1
	}
	c.found("EMAIL_ADDRESS", 95, lo, hi)
	return hi
}

// emailBounds returns what may belong to the address around an @, and the last dot behind it.
func emailBounds(t []byte, i int) (lo, hi, dot int) {
	lo = i
	for lo > 0 && i-lo < 65 && (is(t[lo-1], isAlnum|isHigh) || strings.IndexByte("._%+-'", t[lo-1]) >= 0) {
		lo--
	}
	for lo < i && strings.IndexByte(".-'+%", t[lo]) >= 0 {
		lo++
	}
	hi, dot = i+1, -1
	for hi < len(t) && hi-i < 255 {
		inner := t[hi] == '.' && hi+1 < len(t) && is(t[hi+1], isAlnum|isHigh)
		if inner {
			dot = hi
		}
		if !inner && t[hi] != '-' && !is(t[hi], isAlnum|isHigh) {
			break
		}
		hi++
	}
	return lo, hi, dot
}

// partOfAddress holds for user@host in addresses and command prompts.
func partOfAddress(t []byte, lo, hi int) bool {
	if lo > 1 && t[lo-1] == '/' && t[lo-2] == '/' || lo > 0 && t[lo-1] == '@' {
		return true
	}
	if lo > 0 && t[lo-1] == ':' && hi < len(t) && t[hi] == '/' {
		return true
	}
	return hi+1 < len(t) && t[hi] == ':' && (t[hi+1] == '~' || t[hi+1] == '/')
}

// topLevel wants letters, or an encoded name, and not what ends the names of files and units.
func topLevel(t []byte) bool {
	if foldPrefix(t, "xn--") {
		return true
	}
	for _, b := range t {
		if !is(b, isLetter|isHigh) {
			return false
		}
	}
	for _, ending := range [...]string{"js", "json", "html", "css", "png", "jpg", "svg", "local", "service", "txt", "lock", "target", "timer", "socket", "internal"} {
		if foldEqual(t, ending) {
			return false
		}
	}
	return true
}

// reserved holds for hosts that can never be anybody's: RFC 2606. Those of documentation are left in: who sends mail
// there should know.
func reserved(host []byte) bool {
	return foldSuffix(host, ".invalid") || foldSuffix(host, ".test") || foldSuffix(host, ".localhost")
}

// address decides about IP and MAC addresses around the word t[word:end]; 0 means that it is neither.
func (c *candidate) address(word, end int) int {
	t := c.t
	if end < len(t) && t[end] == '.' && end-word <= 4 && (word == 0 || t[word-1] != ':' || word < 2 || t[word-2] != ':' && !is(t[word-2], isHex)) {
		if next := c.ipv4(word); next > 0 {
			return next
		}
		return c.ciscoMAC(word)
	}
	if end < len(t) && (t[end] == ':' || t[end] == '-') || word > 0 && (t[word-1] == ':' || t[word-1] == '-') {
		return c.colons(word, end)
	}
	return 0
}

func (c *candidate) ipv4(lo int) int {
	t := c.t
	octet, hi := octets(t, lo)
	if hi == 0 || hi < len(t) && (is(t[hi], isAlnum) || t[hi] == '.' && hi+1 < len(t) && is(t[hi+1], isDigit)) {
		return 0
	}
	if lo > 0 && (t[lo-1] == '.' || (t[lo-1] == '-' || t[lo-1] == '@') && lo > 1 && is(t[lo-2], isAlnum)) {
		return 0
	}
	before := t[max(0, lo-14):lo]
	if foldContains(before, "version") || foldContains(before, "section") || foldSuffix(before, " v") || foldContains(before, "upgraded") {
		return hi
	}
	return c.host(lo, hi, ipv4Class(octet))
}

// octets reads four numbers up to 255, without leading zeros; hi is 0 where they are something else.
func octets(t []byte, lo int) (o [4]int, hi int) {
	hi = lo
	for k := range o {
		start := hi
		for hi < len(t) && is(t[hi], isDigit) && hi-start < 3 {
			o[k] = o[k]*10 + digit(t[hi])
			hi++
		}
		if hi == start || o[k] > 255 || hi-start > 1 && t[start] == '0' {
			return o, 0
		}
		if k == 3 {
			break
		}
		if hi >= len(t) || t[hi] != '.' {
			return o, 0
		}
		hi++
	}
	return o, hi
}

// class of an address: who it can be.
type class uint8

const (
	nobody class = iota // unspecified, loopback, multicast
	local               // a private network
	public
)

func ipv4Class(o [4]int) class {
	switch {
	case o[0] == 0, o[0] == 127, o[0] >= 224:
		return nobody
	case o[0] == 10, o[0] == 172 && o[1]&^15 == 16, o[0] == 192 && o[1] == 168, o[0] == 169 && o[1] == 254:
		return local
	}
	return public
}

// host reports an address. A private one is somebody's only where it is named as an address; nobody's only where the
// text is nothing else.
func (c *candidate) host(lo, hi int, k class) int {
	if hi+1 < len(c.t) && c.t[hi] == '/' && is(c.t[hi+1], isDigit) {
		hi = run(c.t, hi+1, isDigit)
	}
	ctx := context{}
	switch {
	case k == public:
		if !ctx.against(c, lo) {
			c.found("IP_ADDRESS", 85, lo, hi)
		}
	case c.alone(lo, hi), k == local && c.labelled(&ctx, c.e.labels.ip, lo, hi) > 0:
		c.found("IP_ADDRESS", 40, lo, hi)
	}
	return hi
}

// ciscoMAC is the form 0123.4567.89ab.
func (c *candidate) ciscoMAC(lo int) int {
	t := c.t
	if lo+14 > len(t) || lo > 0 && (t[lo-1] == '.' || is(t[lo-1], isAlnum)) || lo+14 < len(t) && is(t[lo+14], isAlnum) {
		return 0
	}
	for i := range 14 {
		if b := t[lo+i]; (i == 4 || i == 9) != (b == '.') || b != '.' && !is(b, isHex) {
			return 0
		}
	}
	c.found("MAC_ADDRESS", 80, lo, lo+14)
	return lo + 14
}

// joined is what is known of the bytes between colons and dashes around the words that were looked at last. Words come in
// order, so that what was read for the last one is not read again.
type joined struct {
	lo, word int // where those begin that end in the last word
	from, to int // bytes of IPv6 addresses
	not      int // one more than where an address would begin that is none
}

// farBefore is how many bytes before a word are looked at: an IPv6 address has 39.
const farBefore = 40

// before returns where an address begins that goes on at word.
func (j *joined) before(t []byte, word int) int {
	lo := word
	for lo > 0 && (is(t[lo-1], isHex) || t[lo-1] == ':' || t[lo-1] == '-') && word-lo < farBefore {
		if lo--; lo == j.word {
			lo = max(j.lo, word-farBefore)
			break
		}
	}
	j.lo, j.word = lo, word
	return lo
}

// after returns where the bytes of an IPv6 address end that begins at lo.
func (j *joined) after(t []byte, lo int) int {
	hi := lo
	if j.from <= lo && lo < j.to {
		hi = j.to
	}
	for hi < len(t) && (is(t[hi], isHex) || t[hi] == ':' || t[hi] == '.') && hi-lo < 48 {
		hi++
	}
	j.from, j.to = lo, hi
	return min(hi, lo+48)
}

// colons reads MAC addresses and IPv6 addresses that the word is part of, and IPv6 addresses that a dash joins with it: what
// stands before it without a digit, at which nobody has looked, and the other end of a range. What else ends before it was
// looked at before.
func (c *candidate) colons(word, end int) int {
	t := c.t
	lo := c.joined.before(t, word)
	if lo+1 == c.joined.not {
		return 0
	}
	c.joined.not = lo + 1
	if n := c.mac(lo, end); n > 0 {
		return n
	}
	for lo < word && t[lo] == '-' {
		lo++
	}
	hi, k := c.ipv6(lo)
	if hi < end && (hi == 0 || t[hi] != '-' || word-lo >= farBefore || bytes.Count(t[lo:hi], []byte(":")) < 3) {
		return 0 // a::b-1 is a name in a program
	}
	for next := hi; next > 0; {
		hi = c.host(lo, next, k)
		if next = 0; hi < len(t) && t[hi] == '-' {
			lo = hi + 1
			next, k = c.ipv6(lo)
		}
	}
	if hi < end {
		return 0
	}
	return hi
}

// ipv6 returns where an address ends that begins at lo, and who it can be; 0 where there is none.
func (c *candidate) ipv6(lo int) (hi int, k class) {
	t := c.t
	hi, ok := ipv6End(t, lo, c.joined.after(t, lo))
	if !ok || hi < len(t) && is(t[hi], isAlnum) || lo > 0 && is(t[lo-1], isAlnum) {
		return 0, nobody
	}
	if k, ok = ipv6Class(t[lo:hi]); !ok {
		return 0, nobody
	}
	if hi+1 < len(t) && t[hi] == '%' {
		hi = run(t, hi+1, isAlnum)
	}
	return hi, k
}

// ipv6End says whether t[lo:hi] is eight groups between colons, or fewer around one pair of colons, or has an IPv4
// address as the last. The end is without the point or colon of a sentence.
func ipv6End(t []byte, lo, hi int) (end int, ok bool) {
	v := t[lo:hi]
	n, pairs := bytes.Count(v, []byte(":")), 0
	for i := 0; n >= 2 && pairs < 2; i++ {
		next := bytes.Index(t[lo+i:min(len(t), hi+1)], []byte("::"))
		if next < 0 {
			break
		}
		i += next
		pairs++
	}
	for hi > lo && (t[hi-1] == '.' || t[hi-1] == ':' && (hi-2 < lo || t[hi-2] != ':')) {
		hi--
	}
	if n < 2 || pairs > 1 {
		return hi, false
	}
	return hi, pairs == 1 || n == 7 || n == 6 && bytes.IndexByte(t[lo:hi], '.') > 0
}

func ipv6Class(v []byte) (class, bool) {
	digits := 0
	for part := range bytes.SplitSeq(v, []byte(":")) {
		if bytes.IndexByte(part, '.') >= 0 {
			continue
		}
		if len(part) > 4 {
			return nobody, false
		}
		digits += len(part)
	}
	if bytes.HasSuffix(v, []byte("::")) && digits < 3 || digits == 0 {
		return nobody, digits > 2
	}
	switch {
	case foldEqual(v, "::1"), foldPrefix(v, "ff"):
		return nobody, true
	case foldPrefix(v, "fe80:"), foldPrefix(v, "fc"), foldPrefix(v, "fd"), bytes.HasPrefix(v, []byte("::")):
		return local, true
	}
	return public, true
}

const macSize = 17

// mac reads six pairs with one separator, which reach as far as end.
func (c *candidate) mac(lo, end int) int {
	t := c.t
	for lo < len(t) && (t[lo] == ':' || t[lo] == '-') {
		lo++
	}
	hi := lo + macSize
	if hi > len(t) || hi < end || lo > 0 && (is(t[lo-1], isAlnum) || t[lo-1] == ':' && lo > 1 && is(t[lo-2], isHex)) || !pairs(t[lo:hi]) {
		return 0
	}
	if hi < len(t) && (is(t[hi], isAlnum) || t[hi] == t[lo+2] && hi+1 < len(t) && is(t[hi+1], isHex)) {
		return 0
	}
	if entropy(t[lo:hi]) > 1 {
		c.found("MAC_ADDRESS", 85, lo, hi)
	}
	return hi
}

// pairs holds for hexadecimal pairs divided by one of two signs.
func pairs(v []byte) bool {
	if v[2] != ':' && v[2] != '-' {
		return false
	}
	for i, b := range v {
		if i%3 == 2 && b != v[2] || i%3 != 2 && !is(b, isHex) {
			return false
		}
	}
	return true
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// bitcoin holds for addresses whose checksum is right: base58check, or bech32 (BIP 173, BIP 350).
func bitcoin(v []byte) bool {
	if foldPrefix(v, "bc1") && len(v) >= 42 && len(v) <= 62 {
		return bech32(v)
	}
	if len(v) < 26 || len(v) > 35 || v[0] != '1' && v[0] != '3' {
		return false
	}
	var raw [25]byte
	for _, b := range v {
		carry := strings.IndexByte(base58, b)
		if carry < 0 {
			return false
		}
		for i := len(raw) - 1; i >= 0; i-- {
			carry += int(raw[i]) * 58
			raw[i] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	first := sha256.Sum256(raw[:21])
	second := sha256.Sum256(first[:])
	return bytes.Equal(second[:4], raw[21:])
}

func bech32(v []byte) bool {
	const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	gen := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	sum := uint32(1)
	step := func(x uint32) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ x
		for i, g := range gen {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	for _, x := range []uint32{3, 3, 0, 2, 3} { // the prefix "bc", expanded
		step(x)
	}
	for _, b := range v[3:] {
		x := strings.IndexByte(alphabet, lower(b))
		if x < 0 {
			return false
		}
		step(uint32(x))
	}
	return sum == 1 || sum == 0x2bc830a3
}

// ethereum holds for 0x and 40 hexadecimal digits that are no repetition.
func ethereum(v []byte) bool {
	if len(v) != 42 || v[0] != '0' || lower(v[1]) != 'x' {
		return false
	}
	for _, b := range v[2:] {
		if !is(b, isHex) {
			return false
		}
	}
	return entropy(v[2:]) > 2.5
}
