package detect_test

import (
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// TestTextSaysWhatItsValuesAre puts values behind labels, into columns, elements and settings, and what only looks so.
func TestTextSaysWhatItsValuesAre(t *testing.T) {
	e := engine(t, detect.Options{})
	tellsApart(t, e, map[string]texts{
		"NAME": {
			[]string{"Vorname: Anna", "Please note, surname: O'Brien, is new", "first_name,city\nJane,Leeds\n", "| id | Last Name |\n|---|---|\n| 7 | Roe |\n", "<lastName>Roe</lastName>", `first_name = "Jane"`, "Prénom : Zoé"},
			[]string{"First name: required", "firstName: String", "lastName: faker.name()", "surname = GetName", "| First Name | Last Name |", "first name is optional", "Last name: The name of the family", "last_name_id: Roe"},
		},
		"STREET_ADDRESS": {
			[]string{"street address: 12 Elm Street, Leeds", "Anschrift: Hauptstr. 5", "address_line1;x\n12 Elm Street;1\n", "Address line 2: Flat 4b"},
			[]string{"home address: see below", "street address: https://example.org/a 1", "mailing address: optional"},
		},
		"CVV":       {[]string{"CVV: 123", "cvv 1234", "the cvc is 123"}, []string{"CVV: 12", "cvv: required", "CVV: 12345", "cvss: 123"}},
		"PIN":       {[]string{"PIN: 4711", "my PIN is 0815", "pin=471100"}, []string{"pin 4711", "GPIO pin: 13", "pin: GPIO4", "ping: 4711"}},
		"SWIFT_BIC": {[]string{"SWIFT: DEUTDEFF500", "BIC COBADEFFXXX", "swift_code=CHASUS33"}, []string{"swift: FUNCTION", "BIC: deutdeff", "Swift TESTCASE", "code DEUTDEFF"}},
		"MRZ": {
			[]string{"P<D<<MUSTERMANN<<ERIKA<<<<<<<<<<<<<<<<<<<<<<<\nC01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4", "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<", "scan: L898902C36UTO7408122F1204159ZE184226B<<<<<10"},
			[]string{"C01X00T478D<<6408126F2702283<<<<<<<<<<<<<<<4", "1<<30 | 2<<20", "A<1 && B<2"},
		},
		"DATE_OF_BIRTH": {[]string{"born March 3, 1980", "DOB: 3 Feb 1980", "geboren am 3. Mai 1980", "né le 03/02/1980", "дата рождения: 03.02.1980"}, []string{"released March 3, 1980", "born 3 times in 1980", "3 Feb 1980 release"}},
		"CREDIT_CARD":   {[]string{"%B4539825979190743^ROE/JANE^2712101000000000?"}, []string{"%B4539825979190744^ROE/JANE^2712101000000000?"}},
	})
}

// TestAllLinesOfATravelDocumentAreFound: the line with the name has no check digit of its own.
func TestAllLinesOfATravelDocumentAreFound(t *testing.T) {
	text := "P<D<<MUSTERMANN<<ERIKA<<<<<<<<<<<<<<<<<<<<<<<\nC01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4"
	name := "P<D<<MUSTERMANN<<ERIKA<<<<<<<<<<<<<<<<<<<<<<"
	text = name + text[len(text)-45:]
	all := found(engine(t, detect.Options{}), detect.Leaf{Text: []byte(text)})
	if len(all) != 1 || all[0].Start != 0 || all[0].End != len(text) {
		t.Errorf("got %v of %d bytes", all, len(text))
	}
}
