package quota_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// load reads a configuration as the proxy does, with these gates and the one that has the key tools.
func load(tb testing.TB, b *quota.Book, text string) (*configs.File, error) {
	tb.Helper()
	return configs.Parse("t.yaml", []byte(text), configs.Options{
		Gates:    slices.Insert(specs(b), 1, toolscope.Spec(toolscope.NewCatalog(), pin.Assume())),
		Env:      func(string) (string, bool) { return "", false },
		ReadFile: os.ReadFile,
	})
}

// TestEveryKeyInEveryPlace reads them all, and says which limits come of them.
func TestEveryKeyInEveryPlace(t *testing.T) {
	text, err := os.ReadFile("testdata/limits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b := newBook(t)
	f, err := load(t, b, string(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range b.Usage(f.Connections...) {
		got = append(got, fmt.Sprintf("%s %s: %s", u.Kind, u.Place, u.Text))
		if u.At.Line == 0 {
			t.Errorf("%s of %s has no place in the file", u.Text, u.Place)
		}
	}
	want := []string{
		"rate agent bot: 60/min burst 30 refusals",
		"bytes connection bot-crm: 100MiB/day Europe/Prague", "bytes agent bot: 512MiB/day Europe/Prague",
		"bytes team crew: 1GiB/day Europe/Prague", "bytes org acme: 10GiB/day Europe/Prague", "bytes tool export_*: 10MiB/day Europe/Prague",
		"rate agent bot: 600/min burst 100",
		"rate connection bot-crm: 60/min burst 20", "rate connection bot-crm: 1000/hour burst 20", "concurrency connection bot-crm: 4 at once",
		"concurrency agent bot: 8 at once", "rate team crew: 1200/min", "concurrency team crew: 50 at once",
		"rate org acme: 5000/min", "concurrency org acme: 100 at once", "rate tool export_*: 5/hour", "concurrency tool export_*: 1 at once",
		"quota connection bot-crm: 500 calls/day Europe/Prague", "quota agent bot: 1000 calls/day Europe/Prague", "quota agent bot: 20000 calls/month",
		"quota team crew: 100000 calls/month Europe/Prague", "quota org acme: 1000000 calls/month Europe/Prague",
		"quota tool export_*: 20 calls/day Europe/Prague",
		"spend connection bot-crm: 50 USD/month", "spend agent bot: 20 GBP/week Europe/Prague", "spend team crew: 800 EUR/month Europe/Prague",
		"spend team crew: 100 USD/day Europe/Prague", "spend org acme: 2000 USD/month Europe/Prague", "spend tool export_*: 10 USD/day Europe/Prague",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	l := &link{f.Connections[0], b}
	for tool, want := range map[string]string{"get_a": "0.41161 USD", "export_b": "1 EUR"} {
		d := l.decide(t, l.toolCall(t, tool, "{}", noon))
		if got := (quota.Price{Nanos: d.Facts.Reserved, Currency: quota.Code(d.Facts.Currency)}).String(); got != want {
			t.Errorf("%s: %s reserves %s, want %s", tool, d.code(), got, want)
		}
	}
}

func TestMistakesInAFileHaveTheirPlaceAndAWayOut(t *testing.T) {
	const file = "version: 1\nTOP\nagents: { bot: { auth: key, AGENT } }\nupstreams: { up: { command: [x], UP } }\nconnections:\n  c: { from: bot, to: up, tools: [x], LINK }\n"
	for name, x := range map[string]struct{ at, text, want string }{
		"rate":                {"LINK", "rate: 60/minute", `"60/minute" is not a rate`},
		"rate of nothing":     {"AGENT", "rate: 0/min", "0 is out of range"},
		"concurrency":         {"LINK", "concurrency: 0", "0 is out of range"},
		"quota":               {"AGENT", "quota: 5/year", `"5/year" is not a quota`},
		"hours":               {"LINK", "hours: 9-17", `"9-17" does not say hours`},
		"zone of hours":       {"LINK", "hours: 09:00-17:00 Europe/Praha", `there is no time zone "Europe/Praha"`},
		"zone":                {"TOP", "zone: CET/DST", `there is no time zone "CET/DST"`},
		"size":                {"LINK", "size: { args: 64kb }", `"64kb" is not a size`},
		"spend":               {"LINK", "spend: 50/month", `"50" is not a price`},
		"spend with a sign":   {"LINK", "spend: $-5/month", `"-5" has a sign`},
		"spend too fine":      {"LINK", "spend: $0.0000000001/month", "more than 9 digits"},
		"price":               {"UP", "cost: 0.002", "expected"},
		"price per tool":      {"UP", "cost: { tools: { x: $1e-3 } }", "has an exponent"},
		"unbounded price":     {"UP", "cost: { reported: { pointer: /c } }", "nothing bounds what the upstream may report"},
		"pointer":             {"UP", "cost: { reported: { pointer: cost, max: $1 } }", `"cost" is not a JSON pointer`},
		"unknown key of cost": {"UP", "cost: { cal: $1 }", `"cal"`},
		"currency":            {"TOP", "currencies: { eur: 1.08 USD }", `"eur" is not a currency`},
		"second currency":     {"UP", "cost: { call: $1, argument: { pointer: /n, each: 1 EUR } }", "EUR meets USD here, and there is no rate for EUR"},
		"burst":               {"LINK", "rate: 60/min burst 0", "0 is out of range"},
		"hours of nobody":     {"LINK", "hours: []", "hours of connection c are an empty list"},
		"size without a key":  {"LINK", "size: 64KiB", "found text, expected a mapping"},
		"rate as a mapping":   {"LINK", "rate: { max: 1/s }", "found a mapping, expected a list"},
		"refusals":            {"TOP", "refusals: 0/min", "0 is out of range"},
		"refusals of one":     {"AGENT", "refusals: often", `"often" is not a rate`},
		"a worthless rate":    {"TOP", "currencies: { EUR: 1 }", "found a number, expected a price"},
		"window of a team":    {"TOP", "teams: { t: { spend: $5/year } }", `"$5/year" is not a cap`},
		"rate of an org":      {"TOP", "orgs: { o: { rate: 5 } }", "found a number, expected a rate"},
		"currency in itself":  {"TOP", "currencies: { USD: 1 USD }", "USD is what the rates are in"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(file, x.at, x.text, 1)
			text = strings.NewReplacer("\nTOP", "\n", ", AGENT", "", ", UP", "", ", LINK", "").Replace(text)
			_, err := load(t, newBook(t), text)
			var all configs.Diagnostics
			if !errors.As(err, &all) || len(all) == 0 {
				t.Fatalf("got error %v", err)
			}
			if x.at == "TOP" && len(all) > 1 {
				t.Errorf("one mistake is told %d times: %v", len(all), err)
			}
			if d := all[0]; !strings.Contains(d.Text, x.want) || d.Hint == "" || d.Line == 0 {
				t.Errorf("got %+v, want %q, a hint and a place", d, x.want)
			}
		})
	}
}
