package detect

import "strings"

// Rules of national numbers that came later: those of Eastern Europe, and what its neighbours lacked.

func huTax(n []byte) bool {
	return n[0] == '8' && weighted(n, 1, 2, 3, 4, 5, 6, 7, 8, 9)%11 == digit(n[9])
}

// cif is the number of a Spanish company: a sum as Luhn's, written as a digit or as a letter.
func cif(n []byte) bool {
	if strings.IndexByte("ABCDEFGHJNPQRSUVW", n[0]) < 0 {
		return false
	}
	sum := 0
	for i, b := range n[1:8] {
		d := digit(b)
		if i%2 == 0 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	c := (10 - sum%10) % 10
	return n[8] == "0123456789"[c] || n[8] == "JABCDEFGHI"[c]
}

// latvian holds for codes with a date, whose check digit is defined; those that begin with 32 have neither.
func latvian(n []byte) bool {
	if n[0] == '3' && n[1] == '2' {
		return true
	}
	return date(number(n[:2]), number(n[2:4])) && (1+weighted(n, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9))%11%10 == digit(n[10])
}

func innCompany(n []byte) bool {
	return distinct(n) && weighted(n, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(n[9])
}

func innPerson(n []byte) bool {
	return distinct(n) && weighted(n, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(n[10]) &&
		weighted(n, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(n[11])
}

func snils(n []byte) bool {
	return distinct(n) && weighted(n, 9, 8, 7, 6, 5, 4, 3, 2, 1)%101%100 == number(n[9:])
}

func rnokpp(n []byte) bool {
	sum := weighted(n, -1, 5, 7, 9, 4, 6, 10, 5, 7) % 11
	return distinct(n) && (sum+11)%11%10 == digit(n[9])
}

// jmbg is the number that Yugoslavia gave, and that its successors go on to give.
func jmbg(n []byte) bool {
	sum := weighted(n, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
	return date(number(n[:2]), number(n[2:4])) && (11-sum%11)%11%10 == digit(n[12])
}

func nit(n []byte) bool {
	c := weighted(n, 41, 37, 29, 23, 19, 17, 13, 7, 3) % 11
	if c > 1 {
		c = 11 - c
	}
	return distinct(n) && c == digit(n[9])
}

func ohip(n []byte) bool { return luhn(n[:10]) }
