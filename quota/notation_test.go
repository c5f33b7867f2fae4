package quota_test

import (
	"encoding"
	"errors"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/quota"
)

// notation is a type that an admin writes as text.
type notation interface {
	encoding.TextUnmarshaler
	SchemaPattern() string
	SchemaTitle() string
}

func TestMalformedTextHasAWayOut(t *testing.T) {
	for text, x := range map[string]struct {
		into encoding.TextUnmarshaler
		want string
	}{
		"":                         {&quota.Price{}, "is not a price"},
		"0.25":                     {&quota.Price{}, "is not a price"},
		"$0.25 USD":                {&quota.Price{}, "is not a price"},
		"0.25 usd":                 {&quota.Price{}, "is not a currency"},
		"0.25 USDC":                {&quota.Price{}, "is not a currency"},
		"0.25  USD":                {&quota.Price{}, "is not a currency"},
		" USD":                     {&quota.Price{}, "amount is missing"},
		"$":                        {&quota.Price{}, "amount is missing"},
		"$-1":                      {&quota.Price{}, "has a sign"},
		"+1 USD":                   {&quota.Price{}, "has a sign"},
		"$1e3":                     {&quota.Price{}, "has an exponent"},
		"2E-3 USD":                 {&quota.Price{}, "has an exponent"},
		"$NaN":                     {&quota.Price{}, "is not an amount"},
		"Infinity USD":             {&quota.Price{}, "is not an amount"},
		"$0x10":                    {&quota.Price{}, "is not an amount"},
		"$1,000":                   {&quota.Price{}, "has a separator"},
		"1_000 USD":                {&quota.Price{}, "has a separator"},
		"$.5":                      {&quota.Price{}, "is not an amount"},
		"$5.":                      {&quota.Price{}, "is not an amount"},
		"$1.2.3":                   {&quota.Price{}, "is not an amount"},
		"$007":                     {&quota.Price{}, "begins with a zero"},
		"$0.0000000001":            {&quota.Price{}, "more than 9 digits"},
		"$9223372036":              {&quota.Price{}, "too large"},
		"$99999999999999999999":    {&quota.Price{}, "too large"},
		"٣ USD":                    {&quota.Price{}, "is not an amount"},
		"$5/year":                  {&quota.Cap{}, "is not a cap"},
		"$5":                       {&quota.Cap{}, "is not a cap"},
		"5/month":                  {&quota.Cap{}, "is not a price"},
		"$5/Month":                 {&quota.Cap{}, "is not a cap"},
		"60/minute":                {&quota.Bucket{}, "is not a rate"},
		"60":                       {&quota.Bucket{}, "is not a rate"},
		"0/min":                    {&quota.Bucket{}, "out of range"},
		"-1/min":                   {&quota.Bucket{}, "is not a rate"},
		"1.5/min":                  {&quota.Bucket{}, "is not a rate"},
		"60/min burst 0":           {&quota.Bucket{}, "out of range"},
		"60/min burst":             {&quota.Bucket{}, "is not a rate"},
		"060/min":                  {&quota.Bucket{}, "begins with a zero"},
		"1/day burst 32":           {&quota.Bucket{}, "more than 31 days"},
		"1000000001/s":             {&quota.Bucket{}, "out of range"},
		"99999999999999999999/s":   {&quota.Bucket{}, "out of range"},
		"5/min":                    {&quota.Calls{}, "is not a quota"},
		"0/day":                    {&quota.Calls{}, "out of range"},
		"9223372036854775807/day":  {&quota.Calls{}, "out of range"},
		"64KB":                     {&quota.Bytes{}, "is not a size"},
		"0":                        {&quota.Bytes{}, "out of range"},
		"9999999999GiB":            {&quota.Bytes{}, "too large"},
		"1.5MiB":                   {&quota.Bytes{}, "is not a size"},
		"four":                     {&quota.Count{}, "is not a whole number"},
		"0x4":                      {&quota.Count{}, "is not a whole number"},
		"Local":                    {&quota.Zone{}, "is not a time zone"},
		"Mars/Olympus":             {&quota.Zone{}, "no time zone"},
		"../etc/passwd":            {&quota.Zone{}, "no time zone"},
		"Mon-Fri":                  {&quota.Schedule{}, "does not say hours"},
		"6:00-22:00":               {&quota.Schedule{}, "does not say hours"},
		"06:00-24:30":              {&quota.Schedule{}, "does not say hours"},
		"06:60-22:00":              {&quota.Schedule{}, "does not say hours"},
		"06:00-06:00":              {&quota.Schedule{}, "no time at all"},
		"24:00-06:00":              {&quota.Schedule{}, "is an end"},
		"mon 06:00-07:00":          {&quota.Schedule{}, "does not say hours"},
		"Mon 06:00-07:00 Mars":     {&quota.Schedule{}, "no time zone"},
		"Mon  06:00-07:00":         {&quota.Schedule{}, "does not say hours"},
		"06:00-07:00 Europe/Praha": {&quota.Schedule{}, "no time zone"},
		"usage/cost":               {&quota.Pointer{}, "is not a JSON pointer"},
		"/a~2":                     {&quota.Pointer{}, "has a ~"},
		"/a~":                      {&quota.Pointer{}, "has a ~"},
	} {
		err := x.into.UnmarshalText([]byte(text))
		var hint interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), x.want) || !errors.As(err, &hint) || hint.Hint() == "" {
			t.Errorf("%q into %T: got error %v, want %q and a hint", text, x.into, err, x.want)
		}
	}
}

func TestMoneyIsReadToTheBillionth(t *testing.T) {
	for text, want := range map[string]int64{
		"$0": 0, "$0.000000001": 1, "0.1 EUR": 100_000_000, "$12.50": 12_500_000_000, "9223372035.999999999 USD": 9223372035999999999, "$0.30": 300_000_000,
	} {
		p := read[quota.Price](text)
		if again := read[quota.Price](p.String()); p.Nanos != want || again.Nanos != want || again.Currency != p.Currency {
			t.Errorf("%s: got %d, written %s", text, p.Nanos, p)
		}
	}
}

// agree fails where a type reads what its schema refuses. The other way round is no mistake: bounds are not in the schema.
func agree(t *testing.T, text string, into notation) bool {
	t.Helper()
	if into.UnmarshalText([]byte(text)) != nil {
		return false
	}
	if !regexp.MustCompile(into.SchemaPattern()).MatchString(text) {
		t.Errorf("%T reads %q, which %s does not match", into, text, into.SchemaPattern())
	}
	return true
}

func FuzzNotation(f *testing.F) {
	for _, s := range []string{
		"$0.25", "50 USD/month", "60/min burst 20", "1000/day", "64KiB", "Mon-Fri 06:00-22:00 Europe/Prague", "/usage/cost~1x", "4",
		"Sat,Mon-Tue 22:00-24:00", "$1e5", "9223372036/s", "USD", "1/day burst 31",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p quota.Price
		if agree(t, text, &p) {
			want, ok := new(big.Rat).SetString(strings.TrimPrefix(strings.TrimSuffix(text, " "+string(p.Currency)), "$"))
			if !ok || new(big.Rat).Mul(want, big.NewRat(1e9, 1)).Cmp(new(big.Rat).SetInt64(p.Nanos)) != 0 {
				t.Errorf("%q is read as %d", text, p.Nanos)
			}
			if again := read[quota.Price](p.String()); again.Nanos != p.Nanos || again.Currency != p.Currency {
				t.Errorf("%q is written as %s", text, p)
			}
		}
		var b quota.Bucket
		if agree(t, text, &b) {
			if again := read[quota.Bucket](b.String()); again != b || b.Burst < 1 || b.Count < 1 {
				t.Errorf("%q is written as %s", text, &b)
			}
		}
		var c quota.Cap
		if agree(t, text, &c) && c.Nanos < 0 {
			t.Errorf("%q is a cap of %d", text, c.Nanos)
		}
		var n quota.Bytes
		if agree(t, text, &n) && n.N < 1 {
			t.Errorf("%q is a size of %d", text, n.N)
		}
		agree(t, text, &quota.Calls{})
		agree(t, text, &quota.Count{})
		agree(t, text, &quota.Schedule{})
		agree(t, text, &quota.Pointer{})
	})
}
