package detect

// Check digits. Every function takes digits and capitals without separators, of a length its entity has checked.

func digit(b byte) int { return int(b - '0') }

// luhn is ISO/IEC 7812-1, annex B.
func luhn(n []byte) bool { return luhnSum(n)%10 == 0 }

func luhnSum(n []byte) int {
	sum := 0
	for i := range n {
		d := digit(n[len(n)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum
}

// weighted returns the sum of the digits times their weights.
func weighted(n []byte, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += digit(n[i]) * w
	}
	return sum
}

func number(n []byte) (v int) {
	for _, b := range n {
		v = v*10 + digit(b)
	}
	return v
}

// mod97 is ISO 7064 mod 97-10 over digits and letters, letters counting from 10.
func mod97(n []byte) int {
	r := 0
	for _, b := range n {
		if is(b, isDigit) {
			r = (r*10 + digit(b)) % 97
		} else {
			r = (r*100 + int(lower(b)-'a') + 10) % 97
		}
	}
	return r
}

// mod11x10 is ISO 7064 mod 11,10, with the check digit last.
func mod11x10(n []byte) bool {
	p := 10
	for _, b := range n[:len(n)-1] {
		if p = (p + digit(b)) % 10; p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return (11-p)%10 == digit(n[len(n)-1])
}

// mod11x2 is ISO 7064 mod 11-2; the check character may be X.
func mod11x2(n []byte) bool {
	p := 0
	for _, b := range n[:len(n)-1] {
		p = (p + digit(b)) * 2 % 11
	}
	c := (12 - p) % 11
	last := n[len(n)-1]
	return c == 10 && last == 'X' || c < 10 && last == byte('0'+c)
}

// verhoeff is the dihedral check of 1969.
func verhoeff(n []byte) bool {
	const mul = "0123456789" + "1234067895" + "2340178956" + "3401289567" + "4012395678" +
		"5987604321" + "6598710432" + "7659821043" + "8765932104" + "9876543210"
	const perm = "0123456789" + "1576283094" + "5803796142" + "8916043527" +
		"9453126870" + "4286573901" + "2793806415" + "7046913258"
	c := 0
	for i := range n {
		d := digit(n[len(n)-1-i])
		c = int(mul[c*10+int(perm[i%8*10+d]-'0')] - '0')
	}
	return c == 0
}

// date checks a day and month; a month may be raised by an offset that some countries use for a century or a sex.
func date(day, month int) bool {
	return day >= 1 && day <= 31 && month >= 1 && month <= 12 && (day <= 30 || month != 2 && month != 4 && month != 6 && month != 9 && month != 11) && (day <= 29 || month != 2)
}

// icao is the check digit of travel documents, ICAO 9303: weights 7, 3, 1.
func icao(n []byte) bool {
	sum := 0
	for i, b := range n[:len(n)-1] {
		v := 0
		switch {
		case is(b, isDigit):
			v = digit(b)
		case is(b, isLetter):
			v = int(lower(b)-'a') + 10
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	last := n[len(n)-1]
	return is(last, isDigit) && sum%10 == digit(last)
}

// remainder picks the check letter of sum from a table.
func remainder(n []byte, sum int, table string) bool {
	return n[len(n)-1] == table[sum%len(table)]
}

// elevens is the family "weights, then 11 - sum mod 11". 11 becomes 0; what 10 becomes differs, and -1 is never.
func elevens(n []byte, ten int, weights ...int) bool {
	c := 11 - weighted(n, weights...)%11
	switch c {
	case 10:
		c = ten
	case 11:
		c = 0
	}
	return c == digit(n[len(weights)])
}

// distinct holds unless all bytes are the same.
func distinct(n []byte) bool {
	for _, b := range n[1:] {
		if b != n[0] {
			return true
		}
	}
	return false
}
