package detect

// What machines read on cards and passports.

// machineLine decides about lines of a travel document around the word t[word:end], ICAO 9303: all of them are found
// where the check digits of one hold. It returns where to go on, or 0.
func (c *candidate) machineLine(word, end int) int {
	t := c.t
	if (end >= len(t) || t[end] != '<') && (word == 0 || t[word-1] != '<') {
		return 0
	}
	lo, hi := word, end
	for lo > 0 && word-lo < 44 && machineSign(t[lo-1]) {
		lo--
	}
	for hi < len(t) && hi-lo < 45 && machineSign(t[hi]) {
		hi++
	}
	if !machineChecked(t[lo:hi]) {
		return 0
	}
	size := hi - lo
	for lo > size && t[lo-1] == '\n' && machineSigns(t[lo-1-size:lo-1]) {
		lo -= size + 1
	}
	for hi+size < len(t) && t[hi] == '\n' && machineSigns(t[hi+1:hi+1+size]) {
		hi += size + 1
	}
	c.found("MRZ", 92, lo, hi)
	return hi
}

func machineSign(b byte) bool { return is(b, isUpper|isDigit) || b == '<' }

func machineSigns(t []byte) bool {
	for _, b := range t {
		if !machineSign(b) {
			return false
		}
	}
	return true
}

// machineChecked holds for a line that has check digits, and the right ones.
func machineChecked(n []byte) bool {
	switch len(n) {
	case 44, 36:
		return icao(n[:10]) && icao(n[13:20]) && icao(n[21:28])
	case 30:
		first := (n[0] == 'I' || n[0] == 'A' || n[0] == 'C') && icao(n[5:15])
		return first || icao(n[:7]) && icao(n[8:15])
	}
	return false
}

// track reads the number of a card from the first track of its stripe: %B, the number, ^ and the name.
func (c *candidate) track(word, end int) bool {
	t := c.t
	if word == 0 || t[word-1] != '%' || t[word] != 'B' || end >= len(t) || t[end] != '^' || end-word < 13 || end-word > 20 {
		return false
	}
	n := t[word+1 : end]
	if run(n, 0, isDigit) != len(n) || !issuer(n) || !luhn(n) || !distinct(n) {
		return false
	}
	c.found("CREDIT_CARD", 95, word+1, end)
	return true
}

// spelledDay reads a day whose month is a word, where it is called a birthday: "3 Feb 1980", "March 3, 1980".
func (c *candidate) spelledDay(word, end int) int {
	t := c.t
	if end-word > 2 || end >= len(t) || t[end] != ' ' && t[end] != ',' && t[end] != '.' || !is(t[end-1], isDigit) {
		return 0
	}
	lo, at := word, end
	if word > 3 && t[word-1] == ' ' && month(t[runBack(t, word-1, isLetter):word-1]) {
		lo = runBack(t, word-1, isLetter)
	} else {
		for at < len(t) && (t[at] == ' ' || t[at] == '.') {
			at++
		}
		next := run(t, at, isLetter)
		if !month(t[at:next]) {
			return 0
		}
		at = next
	}
	for at < len(t) && at < end+16 && (t[at] == ' ' || t[at] == ',' || t[at] == '.') {
		at++
	}
	hi := run(t, at, isDigit)
	ctx := context{}
	if hi-at != 4 || t[at] != '1' && t[at] != '2' || c.labelled(&ctx, c.e.labels.birth, lo, hi) == 0 {
		return 0
	}
	c.found("DATE_OF_BIRTH", 80, lo, hi)
	return hi
}

// month holds for the name of a month, or the three letters that stand for it, in English and German.
func month(w []byte) bool {
	if len(w) < 3 || len(w) > 9 {
		return false
	}
	for _, m := range [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december", "januar", "februar", "mai", "juni", "juli", "oktober", "dezember"} {
		if foldEqual(w, m) || len(w) == 3 && foldEqual(w, m[:3]) {
			return true
		}
	}
	return false
}
