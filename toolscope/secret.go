package toolscope

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
)

// What people call secrets that an upstream must not ask for. secretWords are words that alone make a name that of a secret,
// and mean something else in sentences; secretTerms do both; secretParts do wherever they stand in a name, its words joined,
// and as words of their own in sentences; secretSigns stand for themselves in scripts in which nobody divides words.
var (
	secretWords = []string{
		"key", "keys", "token", "tokens", "pin", "otp", "totp", "pwd", "pass", "csc", "card", "ssn", "jwt", "bearer", "cookie", "mnemonic",
		"clave", "parola", "pincode",
	}
	secretTerms = []string{
		"passwd", "cvv", "cvc", "senha", "heslo", "haslo", "sifre", "losenord", "passord", "salasana", "jelszo", "lozinka", "parool",
	}
	secretParts = []string{
		"password", "passwort", "kennwort", "motdepasse", "contrasena", "wachtwoord", "adgangskode", "passphrase", "passcode", "secret",
		"credential", "apikey", "accesskey", "privatekey", "secretkey", "signingkey", "authtoken", "accesstoken", "creditcard", "debitcard",
		"kreditkarte", "cartedecredit", "tarjetadecredito", "cardnumber", "cardcode", "securitycode", "verificationcode", "onetimecode",
		"recoverycode", "seedphrase", "socialsecurity",
	}
	secretSigns = lookOf("пароль", "密码", "密碼", "パスワード", "暗証番号", "비밀번호", "كلمة المرور", "كلمة السر", "סיסמה", "סיסמא", "पासवर्ड", "รหัสผ่าน")
	shouted     = []string{"PIN", "OTP", "TOTP", "CSC", "SSN"} // words of sentences, by their capitals
)

// digits are letters that are written as what looks like them.
var digits = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "$", "s", "@", "a")

func lookOf(words ...string) (all []string) {
	for _, w := range words {
		all = append(all, look([]rune(w)))
	}
	return all
}

// secretName reports whether a name is that of a secret, in any case, with any separators, and in letters that look alike.
func secretName(name []byte) bool {
	var words []string
	start := 0
	runes := []rune(string(name))
	for i := range runes {
		if i > 0 && (unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1]) || !unicode.IsLetter(runes[i]) || !unicode.IsLetter(runes[i-1])) {
			words, start = append(words, look(runes[start:i])), i
		}
	}
	words = append(words, look(runes[start:]))
	joined := strings.Join(words, "")
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) || slices.Contains(secretTerms, w) }) ||
		hasAny(joined, secretParts) || hasAny(joined, secretSigns) || hasAny(look([]rune(digits.Replace(string(name)))), secretParts)
}

// secretIn reports whether a text speaks of a secret. Of two or three words that stand beside each other it takes what they say
// together.
func secretIn(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	var words []string
	for w := range bytes.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !invisible(r) && !unicode.IsMark(r) }) {
		if slices.Contains(shouted, string(w)) {
			return true
		}
		words = append(words, look([]rune(string(w))))
	}
	if hasAny(strings.Join(words, ""), secretSigns) {
		return true
	}
	for i := range words {
		for behind := i + 1; behind <= min(i+3, len(words)); behind++ {
			if isSecret(strings.Join(words[i:behind], "")) {
				return true
			}
		}
	}
	return false
}

// isSecret reports whether a word is one for a secret, or for several.
func isSecret(word string) bool {
	one := strings.TrimSuffix(word, "s")
	return slices.Contains(secretTerms, one) || slices.Contains(secretParts, one) || slices.Contains(secretParts, word)
}

func hasAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}

// look is what some runes look like, without what is no letter.
func look(runes []rune) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, string(appendLook(nil, []byte(string(runes)))))
}
