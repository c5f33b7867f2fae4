package detect

import "bytes"

// Values of running text, tables and settings that nothing but the words before them makes personal.

// toldLabels are the words, as they are written in text. They are looked for in every text, so that only words are here
// that hardly mean anything else.
func toldLabels() []labelled {
	return []labelled{
		{"NAME", "first name,first_name,firstname,last name,last_name,lastname,full name,full_name,surname,given name,given_name,family name,family_name,maiden name,patient name,cardholder name,vorname,nachname,prenom,nom de famille,apellido,apellidos,cognome,nazwisko,sobrenome,achternaam,voornaam,efternamn,etternavn,prijmeni"},
		{"STREET_ADDRESS", "street address,street_address,address line,address_line,home address,home_address,billing address,shipping address,mailing address,anschrift,strasse,indirizzo,direccion,endereco,domicilio,ulica"},
		{"CVV", "cvv,cvc,cvv2,cvc2"},
		{"PIN", "pin,pin code,pin_code"},
		{"SWIFT_BIC", "bic,swift,swift code,swift_code,bic code"},
	}
}

// told judges what stands after the label t[at:end], or in the column below it.
func (e *Engine) told(s *Scratch, t []byte, at, end int, entity string, leaf int, tr *trail) {
	camel := at > 0 && is(t[at], isUpper) && is(t[at-1], isLower)
	if at > 0 && is(t[at-1], isAlnum|isHigh) && !camel {
		return
	}
	for end < len(t) && (is(t[end], isDigit) || t[end] == ' ' && end+1 < len(t) && is(t[end+1], isDigit) && entity == "STREET_ADDRESS") {
		end++ // address_line1, address line 2
	}
	if end+1 < len(t) && (is(t[end], isAlnum|isHigh) || (t[end] == '_' || t[end] == '-') && is(t[end+1], isAlnum)) {
		return
	}
	if lo, hi := toldValue(t, end, entity); hi > lo {
		if toldFits(entity, t[lo:hi]) {
			s.add(leaf, tr, Finding{Rule: "pii-" + entity, Entity: entity, Kind: PII, Confidence: 70, Start: lo, End: hi})
		}
		return
	}
	column(t, at, end, func(lo, hi int) bool {
		if toldFits(entity, t[lo:hi]) {
			s.add(leaf, tr, Finding{Rule: "pii-" + entity, Entity: entity, Kind: PII, Confidence: 70, Start: lo, End: hi})
		}
		return s.effort(effortOf[anchorWord], leaf, tr, len(t))
	})
}

// toldValue returns the bounds of the value after a label: after a colon, after = where it stands in quotes, in an element
// of that name, or, for what is nothing but digits and capitals, after a blank or "is".
func toldValue(t []byte, end int, entity string) (lo, hi int) {
	short := entity == "SWIFT_BIC" || entity == "CVV" || entity == "PIN"
	lo, sign := toldSign(t, end, entity)
	if lo == 0 {
		return 0, 0
	}
	for lo < len(t) && (t[lo] == ' ' || t[lo] == '\t' || t[lo] == '*') {
		lo++
	}
	quote := lo < len(t) && (t[lo] == '"' || t[lo] == '\'' || t[lo] == '`')
	if quote {
		lo++
	}
	if !short && (sign == '=' && !quote || sign == ' ') {
		return 0, 0
	}
	hi = lo
	for hi < len(t) && hi < lo+maxTold && toldByte(t[hi], short) {
		hi++
	}
	if hi == lo+maxTold || hi < len(t) && (t[hi] == '(' || t[hi] == '{' || t[hi] == '[' || t[hi] == '<' && sign != '>') {
		return 0, 0 // code, or a sentence
	}
	return lo, lo + len(bytes.TrimRight(t[lo:hi], " .'"))
}

// maxTold is how long a value in running text may be.
const maxTold = 80

func toldByte(b byte, short bool) bool {
	if short {
		return is(b, isAlnum)
	}
	return bytes.IndexByte([]byte("\n\r\"`,;|<>(){}[]*\t"), b) < 0
}

// toldSign returns where a value may begin, and what says so; a blank stands for "is", and for nothing at all. at is 0
// where nothing does.
func toldSign(t []byte, end int, entity string) (at int, sign byte) {
	i := end
	for i < len(t) && i < end+4 && bytes.IndexByte([]byte("\"'`*) "), t[i]) >= 0 {
		i++
	}
	switch {
	case i >= len(t):
		return 0, 0
	case t[i] == ':' || t[i] == '=' || t[i] == '>' && i == end:
		return i + 1, t[i]
	case foldPrefix(t[i:], "is "):
		return i + 3, ' '
	case foldPrefix(t[i:], "ist "):
		return i + 4, ' '
	case i > end && (entity == "CVV" || entity == "SWIFT_BIC" && !is(t[end-1], isLower)): // "Swift" is more than a code
		return i, ' '
	}
	return 0, 0
}

// toldFits is stricter than fits: text holds more than values.
func toldFits(entity string, v []byte) bool {
	if len(v) < 3 || !fits(entity, v) {
		return false
	}
	return entity != "NAME" || properName(v)
}

// properName holds for up to four words that begin with capitals, none of which says what would stand there.
func properName(v []byte) bool {
	words := 0
	for w := range bytes.SplitSeq(v, []byte{' '}) {
		if words++; len(w) == 0 || words > 4 || !is(w[0], isUpper|isHigh) || commonWord(w) {
			return false
		}
		for i, b := range w {
			inner := b == '-' || b == '\'' || b == '.' && i == len(w)-1
			if !inner && !is(b, isLetter|isHigh) || i > 2 && is(b, isUpper) && is(w[i-1], isLower) {
				return false
			}
		}
	}
	return true
}

// bic holds for the code of a bank, ISO 9362: letters, a country, and the place.
func bic(v []byte) bool {
	if len(v) != 8 && len(v) != 11 || run(v, 0, isUpper) < 6 || run(v, 6, isUpper|isDigit) != len(v) {
		return false
	}
	const further = "US CA AU NZ JP CN IN SG HK KR ZA MX AR CL CO PE TH MY ID PH VN TW NG KE MA UY EC BO PY PA LK BD NP"
	country := v[4:6]
	for i := 0; i < len(ibanLengths); i += 4 {
		if ibanLengths[i] == country[0] && ibanLengths[i+1] == country[1] {
			return true
		}
	}
	for i := 0; i < len(further); i += 3 {
		if further[i] == country[0] && further[i+1] == country[1] {
			return true
		}
	}
	return false
}
