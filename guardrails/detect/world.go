package detect

// Rules of national numbers of Asia, Africa and Latin America.

func aadhaar(n []byte) bool { return n[0] >= '2' && verhoeff(n) && distinct(n) }

func pan(n []byte) bool {
	switch n[3] {
	case 'P', 'C', 'H', 'A', 'B', 'G', 'J', 'L', 'F', 'T', 'K':
		return string(n[5:9]) != "0000"
	}
	return false
}

func gstin(n []byte) bool { s := number(n[:2]); return s >= 1 && s <= 38 && n[13] == 'Z' }

func nric(n []byte) bool {
	sum := weighted(n[1:], 2, 7, 6, 5, 4, 3, 2)
	switch n[0] {
	case 'S':
		return remainder(n, sum, "JZIHGFEDCBA")
	case 'T':
		return remainder(n, sum+4, "JZIHGFEDCBA")
	case 'F':
		return remainder(n, sum, "XWUTRQPNMLK")
	case 'G':
		return remainder(n, sum+4, "XWUTRQPNMLK")
	case 'M':
		return remainder(n, sum+3, "XWUTRQPNJLK") || remainder(n, sum+3, "KLJNPQRTUWX")
	}
	return false
}

func uen(n []byte) bool { return n[0] == 'T' || n[0] == 'S' || n[0] == 'R' }

func cpf(n []byte) bool {
	return distinct(n) && elevens(n, 0, 10, 9, 8, 7, 6, 5, 4, 3, 2) && elevens(n, 0, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)
}

// cnpj counts letters by their code less 48, as the alphanumeric form of 2026 does.
func cnpj(n []byte) bool {
	for k := range 2 {
		sum := 0
		for i := range 12 + k {
			sum += int(n[i]-'0') * (2 + (11+k-i)%8)
		}
		c := 11 - sum%11
		if c >= 10 {
			c = 0
		}
		if c != digit(n[12+k]) {
			return false
		}
	}
	return distinct(n)
}

func cuit(n []byte) bool {
	switch string(n[:2]) {
	case "20", "23", "24", "25", "26", "27", "30", "33", "34":
		return elevens(n, 9, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
	}
	return false
}

func rut(n []byte) bool {
	sum, w := 0, 2
	for i := len(n) - 2; i >= 0; i-- {
		sum += digit(n[i]) * w
		if w++; w > 7 {
			w = 2
		}
	}
	return n[len(n)-1] == "0K987654321"[sum%11] && distinct(n)
}

func curp(n []byte) bool {
	return date(number(n[8:10]), number(n[6:8])) && (n[10] == 'H' || n[10] == 'M' || n[10] == 'X')
}

func krDate(n []byte) bool { return date(number(n[4:6]), number(n[2:4])) }

func rrn(n []byte) bool { return krDate(n) && n[6] >= '1' && n[6] <= '4' }

func frn(n []byte) bool { return krDate(n) && n[6] >= '5' && n[6] <= '8' }

func brn(n []byte) bool {
	sum := weighted(n, 1, 3, 7, 1, 3, 7, 1, 3, 5) + digit(n[8])*5/10
	return (10-sum%10)%10 == digit(n[9]) && distinct(n)
}

func krDriver(n []byte) bool { r := number(n[:2]); return r >= 11 && r <= 28 }

func myNumber(n []byte) bool {
	r := weighted(n, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11
	c := 0
	if r > 1 {
		c = 11 - r
	}
	return c == digit(n[11]) && distinct(n)
}

func residentID(n []byte) bool {
	y := number(n[6:10])
	return y >= 1900 && y <= 2100 && date(number(n[12:14]), number(n[10:12])) && mod11x2(n)
}

func taiwan(n []byte) bool {
	const order = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
	code := 10
	for order[code-10] != n[0] {
		code++
	}
	sum := code/10 + code%10*9 + weighted(n[1:], 8, 7, 6, 5, 4, 3, 2, 1, 1)
	return sum%10 == 0
}

func thai(n []byte) bool {
	return n[0] != '0' && (11-weighted(n, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%10 == digit(n[12])
}

func myKad(n []byte) bool { return date(number(n[4:6]), number(n[2:4])) }

func nik(n []byte) bool {
	day := number(n[6:8])
	if day > 40 {
		day -= 40
	}
	return date(day, number(n[8:10])) && n[0] != '0'
}

func zaID(n []byte) bool {
	return date(number(n[4:6]), number(n[2:4])) && n[10] <= '2' && luhn(n)
}

func tckn(n []byte) bool {
	odd, even := 0, 0
	for i := range 9 {
		if i%2 == 0 {
			odd += digit(n[i])
		} else {
			even += digit(n[i])
		}
	}
	ten := ((odd*7-even)%10 + 10) % 10
	return n[0] != '0' && ten == digit(n[9]) && (odd+even+ten)%10 == digit(n[10])
}

func trPlate(n []byte) bool { c := number(n[:2]); return c >= 1 && c <= 81 }

func emirates(n []byte) bool { return string(n[:3]) == "784" && luhn(n) }
