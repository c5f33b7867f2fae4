package detect

// Rules of national numbers. The lengths and the places of letters and digits are checked before.

func ssn(n []byte) bool {
	area, group, serial := number(n[:3]), number(n[3:5]), number(n[5:])
	if area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 {
		return false
	}
	s := string(n)
	return s != "078051120" && s != "219099999" && s != "123456789" && s != "987654321" && distinct(n)
}

func itin(n []byte) bool {
	g := number(n[3:5])
	return n[0] == '9' && (g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94)
}

func aba(n []byte) bool {
	p := number(n[:2])
	return (p <= 12 || p >= 21 && p <= 32 || p >= 61 && p <= 72 || p == 80) && weighted(n, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0 && distinct(n)
}

// npi is Luhn over the number with 80840 before it, which adds 24.
func npi(n []byte) bool {
	return (n[0] == '1' || n[0] == '2') && (luhnSum(n)+24)%10 == 0 && distinct(n)
}

func dea(n []byte) bool {
	return deaSum(n[2:]) && (n[0] != 'I' && n[0] != 'O' && n[0] != 'Q')
}

func deaNine(n []byte) bool { return n[1] == '9' && deaSum(n[2:]) }

func deaSum(d []byte) bool { return weighted(d, 1, 2, 1, 2, 1, 2)%10 == digit(d[6]) }

func mbi(n []byte) bool {
	for _, b := range n {
		switch b {
		case 'S', 'L', 'O', 'I', 'B', 'Z':
			return false
		}
	}
	return n[0] != '0'
}

func sin(n []byte) bool { return n[0] != '0' && n[0] != '8' && luhn(n) && distinct(n) }

func nhs(n []byte) bool { return elevens(n, -1, 10, 9, 8, 7, 6, 5, 4, 3, 2) && distinct(n) }

func utr(n []byte) bool {
	c := "21987654321"[weighted(n[1:], 6, 7, 8, 9, 10, 5, 4, 3, 2)%11]
	return n[0] == c
}

func nino(n []byte) bool {
	for i, b := range n[:2] {
		switch b {
		case 'D', 'F', 'I', 'Q', 'U', 'V':
			return false
		case 'O':
			if i == 1 {
				return false
			}
		}
	}
	switch string(n[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return string(n[:2]) == "BG" && n[8] <= 'D'
	}
	return n[8] >= 'A' && n[8] <= 'D'
}

// ukDriver knows the date inside: year, month (50 more for women), day, year.
func ukDriver(n []byte) bool {
	i := 1
	for i < 5 && is(n[i], isLetter) {
		i++
	}
	for _, b := range n[i:5] {
		if !is(b, isDigit) {
			return false
		}
	}
	month := number(n[6:8])
	if month > 50 {
		month -= 50
	}
	return date(number(n[8:10]), month) && is(n[14], isLetter) && is(n[15], isLetter) || i < 5 && shapeOf(n[5:13]).digit >= 6 && is(n[15], isLetter) && is(n[14], isLetter)
}

func abn(n []byte) bool {
	w := []int{10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19}
	return (weighted(n, w...)-10)%89 == 0 && distinct(n)
}

func acn(n []byte) bool {
	return (10-weighted(n, 8, 7, 6, 5, 4, 3, 2, 1)%10)%10 == digit(n[8]) && distinct(n)
}

func tfn(n []byte) bool {
	return weighted(n, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0 && distinct(n)
}

func auMedicare(n []byte) bool {
	return n[0] >= '2' && n[0] <= '6' && weighted(n, 1, 3, 7, 9, 1, 3, 7, 9)%10 == digit(n[8])
}

func vin(n []byte) bool {
	s := shapeOf(n)
	for _, b := range n {
		if b == 'I' || b == 'O' || b == 'Q' {
			return false
		}
	}
	return s.digit >= 2 && s.letter() >= 2
}

func iccid(n []byte) bool { return n[0] == '8' && n[1] == '9' && luhn(n) }

func deTaxID(n []byte) bool {
	return n[0] != '0' && distinct(n[:10]) && mod11x10(n)
}

func zeroFifth(n []byte) bool { return n[4] == '0' && (n[0] <= '5') && distinct(n) }

func deSocial(n []byte) bool {
	day := number(n[2:4])
	if day > 50 {
		day -= 50
	}
	if !date(day, number(n[4:6])) {
		return false
	}
	l := int(n[8] - 'A' + 1)
	d := []int{digit(n[0]), digit(n[1]), digit(n[2]), digit(n[3]), digit(n[4]), digit(n[5]), digit(n[6]), digit(n[7]), l / 10, l % 10, digit(n[9]), digit(n[10])}
	sum := 0
	for i, w := range []int{2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1} {
		p := d[i] * w
		sum += p/10 + p%10
	}
	return sum%10 == digit(n[11])
}

func kvnr(n []byte) bool {
	l := int(n[0] - 'A' + 1)
	d := []int{l / 10, l % 10}
	for _, b := range n[1:9] {
		d = append(d, digit(b))
	}
	sum := 0
	for i, v := range d {
		p := v * (1 + i%2)
		sum += p/10 + p%10
	}
	return sum%10 == digit(n[9])
}

// travelDocument: serial numbers avoid vowels and letters that look like digits; the last digit checks the others.
func travelDocument(n []byte) bool {
	for _, b := range n {
		switch b {
		case 'A', 'B', 'D', 'E', 'I', 'O', 'Q', 'S', 'U':
			return false
		}
	}
	return shapeOf(n).digit >= 5 && (icao(n) || n[0] == 'T' && distinct(n) && n[1] == '0')
}

func deVAT(n []byte) bool { return n[0] == 'D' && n[1] == 'E' && mod11x10(n[2:]) }

func lanr(n []byte) bool {
	return (10-weighted(n, 4, 9, 4, 9, 4, 9)%10)%10 == digit(n[6]) || string(n[:7]) == "5555555" || string(n[:7]) == "9999999"
}

func bsnr(n []byte) bool { r := number(n[:2]); return r >= 1 && r <= 99 }

func nir(n []byte) bool {
	m := number(n[3:5])
	return n[0] >= '1' && n[0] <= '4' && (m >= 1 && m <= 12 || m >= 20) && 97-number(n[:13])%97 == number(n[13:])
}

const nifLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

func nif(n []byte) bool { return remainder(n, number(n[:len(n)-1]), nifLetters) }

func nie(n []byte) bool {
	return n[0] >= 'X' && n[0] <= 'Z' && remainder(n, int(n[0]-'X')*10_000_000+number(n[1:8]), nifLetters)
}

func fiscalCode(n []byte) bool {
	const odd = "\x01\x00\x05\x07\x09\x0d\x0f\x11\x13\x15\x02\x04\x12\x14\x0b\x03\x06\x08\x0c\x0e\x10\x0a\x16\x19\x18\x17"
	sum := 0
	for i, b := range n[:15] {
		v := int(b - 'A')
		if is(b, isDigit) {
			v = digit(b)
		}
		if i%2 == 0 {
			v = int(odd[v])
		}
		sum += v
	}
	return n[15] == byte('A'+sum%26)
}

func italianU1(n []byte) bool { return n[0] == 'U' && n[1] == '1' }

func pesel(n []byte) bool {
	return date(number(n[4:6]), number(n[2:4])%20) && (10-weighted(n, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == digit(n[10])
}

func nip(n []byte) bool {
	return weighted(n, 6, 5, 7, 2, 3, 4, 5, 6, 7)%11 == digit(n[9]) && distinct(n)
}

func regon(n []byte) bool {
	return weighted(n, 8, 9, 2, 3, 4, 5, 6, 7)%11%10 == digit(n[8]) && distinct(n)
}

func bsn(n []byte) bool { return weighted(n, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0 && distinct(n) }

func nrn(n []byte) bool {
	if m := number(n[2:4]) % 20; m > 12 || number(n[4:6]) > 31 {
		return false
	}
	v, c := number(n[:9]), number(n[9:])
	return (97-v%97 == c || 97-(v+2_000_000_000)%97 == c) && distinct(n)
}

func personnummer(n []byte) bool {
	day := number(n[4:6])
	if day > 60 {
		day -= 60
	}
	return date(day, number(n[2:4])) && luhn(n)
}

func personnummer12(n []byte) bool {
	c := number(n[:2])
	return c >= 18 && c <= 20 && personnummer(n[2:])
}

func orgnummer(n []byte) bool { return n[2] >= '2' && luhn(n) && distinct(n) }

const hetuLetters = "0123456789ABCDEFHJKLMNPRSTUVWXY"

func hetu(n []byte) bool {
	switch n[6] {
	case 'A', 'B', 'C', 'D', 'E', 'F', 'Y', 'X', 'W', 'V', 'U':
	default:
		return false
	}
	return date(number(n[:2]), number(n[2:4])) && remainder(n, number(n[:6])*1000+number(n[7:10]), hetuLetters)
}

func hetuDash(n []byte) bool {
	return date(number(n[:2]), number(n[2:4])) && remainder(n, number(n[:9]), hetuLetters)
}

func fnr(n []byte) bool {
	day := number(n[:2])
	if day > 40 {
		day -= 40
	}
	return date(day, number(n[2:4])) && elevens(n, -1, 3, 7, 6, 1, 8, 9, 4, 5, 2) && elevens(n, -1, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
}

func cpr(n []byte) bool { return date(number(n[:2]), number(n[2:4])) }

func kennitala(n []byte) bool {
	return date(number(n[:2]), number(n[2:4])) && elevens(n, -1, 3, 2, 7, 6, 5, 4, 3, 2)
}

func ahv(n []byte) bool {
	return string(n[:3]) == "756" && (10-weighted(n, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3)%10)%10 == digit(n[12])
}

func svnr(n []byte) bool {
	return weighted(n, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == digit(n[3]) && date(number(n[4:6]), number(n[6:8]))
}

func ptNIF(n []byte) bool { return elevens(n, 0, 9, 8, 7, 6, 5, 4, 3, 2) && n[0] != '0' }

func pps(n []byte) bool {
	sum := weighted(n, 8, 7, 6, 5, 4, 3, 2)
	if len(n) == 9 && n[8] != 'W' {
		sum += int(n[8]-'A'+1) * 9
	}
	return n[7] == "WABCDEFGHIJKLMNOPQRSTUV"[sum%23]
}

func rodneCislo(n []byte) bool {
	m := number(n[2:4]) % 50
	if m > 20 {
		m -= 20
	}
	// Until 1985 a remainder of ten was written as 0.
	return date(number(n[4:6]), m) && (number(n)%11 == 0 || number(n[:9])%11 == 10 && n[9] == '0')
}

func cnp(n []byte) bool {
	c := weighted(n, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
	if c == 10 {
		c = 1
	}
	return n[0] != '0' && date(number(n[5:7]), number(n[3:5])) && c == digit(n[12])
}

func egn(n []byte) bool {
	return date(number(n[4:6]), number(n[2:4])%20) && weighted(n, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == digit(n[9])
}

func afm(n []byte) bool {
	return weighted(n, 256, 128, 64, 32, 16, 8, 4, 2)%11%10 == digit(n[8]) && distinct(n)
}

func baltic(n []byte) bool {
	c := weighted(n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
	if c == 10 {
		c = weighted(n, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
	}
	return n[0] >= '1' && n[0] <= '6' && date(number(n[5:7]), number(n[3:5])) && c == digit(n[10])
}

func luxembourg(n []byte) bool {
	y := number(n[:4])
	return y >= 1880 && y <= 2040 && date(number(n[6:8]), number(n[4:6])) && luhn(n[:12])
}

func taj(n []byte) bool { return weighted(n, 3, 7, 3, 7, 3, 7, 3, 7)%10 == digit(n[8]) && distinct(n) }
