package detect_test

import (
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// TestFieldsArePersonalInEveryLanguage gives fields the names that programs of other countries give them, in snake,
// camel and kebab case, and values that only look like what the names promise.
func TestFieldsArePersonalInEveryLanguage(t *testing.T) {
	e := engine(t, detect.Options{})
	for entity, c := range map[string]struct{ fields, holds, not []string }{
		"NAME": {
			[]string{"nom", "prenom", "Prénom", "nom-de-famille", "apellidos", "primerApellido", "nombre", "cognome", "Vorname", "nachname", "imie", "Imię", "nazwisko", "nome", "nome_completo", "naam", "achternaam", "名前", "氏名", "姓名", "Имя", "имя", "Фамилия", "контактная_фамилия", "příjmení", "contactName", "employee-name"},
			[]string{"Dupont", "Lucía Márquez", "Иван"},
			[]string{"left-pad", "build 42", "none", "https://example.org"},
		},
		"STREET_ADDRESS": {
			[]string{"rue", "calle", "via", "ulica", "Strasse", "Straße", "adres", "adresse_postale", "indirizzo", "direccion", "dirección", "endereço", "住所", "Адрес", "улица", "addr1", "homeAddress"}, //nolint:misspell // Dutch and Polish
			[]string{"5 rue de la Paix", "Prosta 51", "東京都千代田区1-1"},
			[]string{"1.1 varnish", "0x1234", "Lyon", "https://example.org/a 1"},
		},
		"DATE_OF_BIRTH": {
			[]string{"Geburtsdatum", "date_de_naissance", "fechaDeNacimiento", "data-di-nascita", "data_urodzenia", "生年月日", "Дата рождения", "дата_рождения", "dataNascimento"},
			[]string{"1980-02-03", "03.02.1980", "3 Feb 1980"},
			[]string{"unbekannt", "n/a", "42"},
		},
	} {
		for _, field := range c.fields {
			for _, value := range c.holds {
				if !has(found(e, detect.Leaf{Text: []byte(value), Field: []byte(field)}), "pii-"+entity) {
					t.Errorf("%s: %q of %q is not found", entity, value, field)
				}
			}
			for _, value := range c.not {
				if all := found(e, detect.Leaf{Text: []byte(value), Field: []byte(field)}); has(all, "pii-"+entity) {
					t.Errorf("%s: %q of %q: %v", entity, value, field, all)
				}
			}
		}
	}
	for _, field := range []string{"nom_fichier", "nombre_archivo", "viaGateway", "имя_файла", "ファイル名", "name", "title", "category"} {
		for _, value := range []string{"Dupont", "5 rue de la Paix"} {
			if all := found(e, detect.Leaf{Text: []byte(value), Field: []byte(field)}); ofKind(all, detect.PII) {
				t.Errorf("%q of %q: %v", value, field, all)
			}
		}
	}
}
