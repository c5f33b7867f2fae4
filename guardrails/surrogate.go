package guardrails

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// unlike are entities of which no other value can be told from a valid one, because nothing in them is checked and their
// name alone makes a finding of them.
const unlike = `
DATE_OF_BIRTH DE_FUEHRERSCHEIN DE_ID_CARD DE_KFZ DE_PASSPORT DE_PLZ DE_TAX_NUMBER ES_PASSPORT HK_ID IMEISV IMSI IN_PASSPORT
IN_VEHICLE_REGISTRATION IN_VOTER IT_DRIVER_LICENSE IT_IDENTITY_CARD IT_PASSPORT KR_DRIVER_LICENSE KR_PASSPORT MEDICAL_LICENSE
MX_RFC NG_NIN NG_VEHICLE_REGISTRATION PH_TIN RU_PASSPORT SG_UEN TR_LICENSE_PLATE UK_DRIVING_LICENCE UK_PASSPORT UK_POSTCODE
UK_VEHICLE_REGISTRATION US_BANK_NUMBER US_DRIVER_LICENSE US_EIN US_PASSPORT
authorization basic-auth generic-secret obfuscated password session-cookie sidekiq-url signed-url url-credentials wallet-key
`

// imitable reports whether surrogates can be made of an entity.
func imitable(entity string) bool {
	return entity != mediaEntity && !slices.Contains(strings.Fields(unlike), entity)
}

// maxTries bounds how many surrogates are made of a value until one is not found itself.
const maxTries = 48

// surrogate returns a value of the same type and shape that belongs to nobody: its check digit is wrong, or its range or
// domain is one that is never given out. Within a call the same value has the same one. Where the detectors find each that
// is made, the message is blocked.
func (t *trim) surrogate(k *keys, c *cut, value []byte) ([]byte, error) {
	call := callOf(t.c)
	seed := sum(k.drawing, []byte("surrogate"), []byte(call.connection), binary.BigEndian.AppendUint64(nil, uint64(call.ref)), []byte(c.entity), value)
	leaf := &t.s.leaves[c.leaf]
	s := newScan(nil)
	defer s.free()
	number := t.s.places[c.leaf].form == formNumber
	for try := range maxTries {
		made := similar(c.entity, value, &dice{key: seed, round: byte(try)}, try)
		if bytes.Equal(made, value) || number && made[0] == '0' || t.seen(s.scratch, leaf, c, made) {
			continue
		}
		if number {
			return made, nil
		}
		quoted := wire.AppendQuote(nil, made)
		return quoted[1 : len(quoted)-1], nil
	}
	return nil, errUncuttable
}

// seen reports whether something is found where a surrogate stands in the place of the value.
func (t *trim) seen(scratch *detect.Scratch, leaf *detect.Leaf, c *cut, made []byte) (found bool) {
	now := *leaf
	lo := c.start
	now.Text = append(append(append(make([]byte, 0, len(leaf.Text)+8), leaf.Text[:lo]...), made...), leaf.Text[c.end:]...)
	hi := lo + len(made)
	t.g.engine.Scan(scratch, []detect.Leaf{now}, func(_ int, f detect.Finding) {
		found = found || f.Start < hi && f.End > lo && f.Confidence >= min(c.rule.least, medium.least())
	})
	return found
}

// dice draw from a key, always the same.
type dice struct {
	key   []byte
	round byte
	n     byte
	left  []byte
}

func (d *dice) below(n int) int {
	if len(d.left) == 0 {
		h := hmac.New(sha256.New, d.key)
		h.Write([]byte{d.round, d.n})
		d.left, d.n = h.Sum(nil), d.n+1
	}
	x := int(d.left[0])
	d.left = d.left[1:]
	return x * n >> 8
}

// mailDomain is one that nobody can ever have (RFC 2606).
const mailDomain = "@mail.invalid"

// similar makes a text like a value. Digits become digits and letters letters; everything else stays. After some tries
// groups of digits begin with zeros, which few numbers may.
func similar(entity string, value []byte, d *dice, try int) []byte {
	if entity == "EMAIL_ADDRESS" {
		local, _, _ := bytes.Cut(value, []byte("@"))
		return append(scramble(local, d, 0), mailDomain...)
	}
	if entity == "PHONE_NUMBER" && try >= maxTries*2/3 { // too short for any country's
		return append([]byte("+0"), scramble([]byte("0000"), d, 0)...)
	}
	zeros := 0
	if try >= maxTries/3 {
		zeros = 1 + (try-maxTries/3)/8
	}
	if entity == "IBAN_CODE" && len(value) > 4 { // its country stays, and 00 is no check of any number
		rest := scramble(value[4:], d, 0)
		for i, c := range rest {
			if isDigit(c) && try >= maxTries/2 { // beside "call me" digits are a telephone number
				rest[i] = 'A' + c - '0'
			}
		}
		return append(append(bytes.Clone(value[:2]), '0', '0'), rest...)
	}
	return scramble(value, d, zeros)
}

// scramble draws each digit and each letter anew. The first digits of each group are zeros.
func scramble(value []byte, d *dice, zeros int) []byte {
	out := bytes.Clone(value)
	run := 0
	for i, c := range out {
		switch {
		case isDigit(c):
			if run++; run <= zeros {
				out[i] = '0'
			} else {
				out[i] = '0' + byte(d.below(10))
			}
			continue
		case c >= 'a' && c <= 'z':
			out[i] = 'a' + byte(d.below(26))
		case c >= 'A' && c <= 'Z':
			out[i] = 'A' + byte(d.below(26))
		}
		run = 0
	}
	return out
}
