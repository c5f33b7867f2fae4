package detect

// card holds for digits that are the number of a payment card: length and issuer agree, Luhn holds, the grouping is one in use.
func (c *candidate) card(from, to int, n []byte) bool {
	g := &c.s.groups
	if !issuer(n) || !luhn(n) || !distinct(n) || !c.clear(g.start[from], g.end[to-1]) {
		return false
	}
	for i := from; i < to; i++ {
		if size := g.end[i] - g.start[i]; to-from > 1 && (size < 3 && i < to-1 || size > 6) || i > from && g.sep[i] != ' ' && g.sep[i] != '-' {
			return false
		}
	}
	ctx := context{}
	if ctx.against(c, g.start[from]) {
		return false
	}
	return to-from > 1 || len(n) >= 14 || c.labelled(&ctx, c.e.labels.card, g.start[from], g.end[to-1]) > 0
}

// issuer checks the first digits with the lengths that their networks use: ISO/IEC 7812.
func issuer(n []byte) bool {
	two, four, size := number(n[:2]), number(n[:4]), len(n)
	switch {
	case n[0] == '4':
		return size == 13 || size == 16 || size == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return size == 16
	case two == 34 || two == 37:
		return size == 15
	case two == 36 || two == 38 || two == 39 || four/10 >= 300 && four/10 <= 305:
		return size >= 14 && size <= 19
	case four == 6011 || two == 65 || four/10 >= 644 && four/10 <= 649, two == 62, two == 81, two == 60:
		return size >= 16
	case four >= 3528 && four <= 3589, four >= 2200 && four <= 2204:
		return size >= 16
	case two == 50 || two >= 56 && two <= 58 || two == 67 || two == 63:
		return size >= 12
	}
	return false
}

// ibanLengths is the register of SWIFT, release 99: country and length.
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28" +
	"HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33" +
	"SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"

// iban checks country, length and ISO 7064.
func iban(n []byte) bool {
	if len(n) < 15 || len(n) > 34 || !is(n[0], isUpper) || !is(n[1], isUpper) || !is(n[2], isDigit) || !is(n[3], isDigit) {
		return false
	}
	for i := 0; i < len(ibanLengths); i += 4 {
		if ibanLengths[i] == n[0] && ibanLengths[i+1] == n[1] {
			if int(ibanLengths[i+2]-'0')*10+int(ibanLengths[i+3]-'0') != len(n) {
				return false
			}
			var turned [34]byte
			copy(turned[:], n[4:])
			copy(turned[len(n)-4:], n[:4])
			return mod97(turned[:len(n)]) == 1
		}
	}
	return false
}

func ibanText(v []byte) bool {
	var up [34]byte
	for i, b := range v {
		if is(b, isLower) {
			b -= 'a' - 'A'
		}
		up[i] = b
	}
	return iban(up[:len(v)])
}

// ibanGroups holds for groups of four, the last at most four.
func ibanGroups(g *groups, from, to int) bool {
	for i := from; i < to; i++ {
		if size := g.end[i] - g.start[i]; i < to-1 && size != 4 || size > 4 || i > from && g.sep[i] != ' ' && g.sep[i] != '-' {
			return false
		}
	}
	return true
}
