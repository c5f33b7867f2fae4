package detect

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// foreignNames are what people call a password in scripts other than Latin; names in Latin letters are among the secret
// words, without accents.
func foreignNames() []string {
	return strings.Fields("пароль Пароль ПАРОЛЬ пароля паролем пароли Пароли парола Парола лозинка Лозинка 密码 密碼 口令 密钥 密鑰 パスワード 暗証番号 秘密鍵 비밀번호 암호 패스워드 كلمة_المرور كلمة_السر κωδικός_πρόσβασης Κωδικός_πρόσβασης " +
		"κωδικός Κωδικός συνθηματικό סיסמה סיסמא पासवर्ड कूटशब्द รหัสผ่าน পাসওয়ার্ড கடவுச்சொல் գաղտնաբառ პაროლი құпия_сөз ключ_API секретный_ключ")
}

// foreignWords are the literals of the automaton for other scripts: sentences that command a model, then names of secrets.
func foreignWords() (words []string, names int) {
	words = foreignLiterals()
	names = len(words)
	for _, n := range foreignNames() {
		words = append(words, strings.ReplaceAll(n, "_", " "))
		if strings.Contains(n, "_") {
			words = append(words, n)
		}
	}
	return words, names
}

// foreignSecret judges the value after a name in another script: t[s:e].
func (e *Engine) foreignSecret(t []byte, s, end int) (lo, hi int, confidence uint8) {
	at := pastForeign(t, end)
	if at < 0 {
		return 0, 0, 0
	}
	lo, hi, quoted := valueAt(t, at, linkAssign)
	for i, b := range t[lo:hi] {
		if b >= utf8.RuneSelf && !quoted {
			hi = lo + i // the sentence goes on without a blank
			break
		}
	}
	if hi-lo < 5 {
		return 0, 0, 0
	}
	return lo, hi, e.names.decide(claim{name: t[s:end], value: t[lo:hi], grade: gradePass, via: linkAssign, quoted: quoted, after: t[hi:]})
}

// pastForeign skips what divides a name from its value: quotes, blanks, and a sign or a word that says "is". It returns
// -1 where there is nothing of that kind.
func pastForeign(t []byte, at int) int {
	rest := t[at:min(len(t), at+24)]
	n := len(rest)
	rest = bytes.TrimLeft(rest, " \t\"'`*)_")
	for _, sign := range [...]string{":", "=", "|", ">", "：", "＝", "是", "为", "為", "は", "는", "은", "—", "– ", "- ", "это ", "είναι ", "הוא ", "है "} {
		if bytes.HasPrefix(rest, []byte(sign)) {
			rest = rest[len(sign):]
			return at + n - len(bytes.TrimLeft(rest, " >"))
		}
	}
	return -1
}

// foreignName says what a name with letters beyond ASCII calls its value.
func (e *Engine) foreignName(s *Scratch, name []byte) grade {
	e.foreign.find(name, &s.turnedHits)
	for _, stream := range s.turnedHits {
		for _, h := range stream {
			if int(h.lit) >= e.sentences {
				return gradePass
			}
		}
	}
	var o offsets
	plain, other := fold(nil, name, &o)
	if !other {
		return gradeNone
	}
	best := gradeNone
	e.words.find(plain, &s.cache.hits)
	for _, hit := range s.cache.hits[0] {
		if a := &e.anchors[hit.lit]; a.kind == anchorWord {
			if _, _, g := e.names.name(plain, int(hit.end)-int(a.size), int(hit.end), a.grade); g > best {
				best = g
			}
		}
	}
	return best
}

// ascii holds for text without letters beyond ASCII.
func ascii(t []byte) bool {
	for _, b := range t {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
