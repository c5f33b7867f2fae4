package detect

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// fieldNames are what a field is called that holds somebody's name or address, where the word says so only as the whole
// name: "nom" and "nom_fichier" are not the same, nor are "via" and "via_gateway". They are written as in labelTable.
func fieldNames() []labelled {
	return []labelled{
		{"NAME", "nom,prenom,nombre,nombres,nome,imie,imie i nazwisko,naam,navn,namn,nimi,jmeno,ime,nume,nev,isim,soyad,ad soyad,имя,ім я,όνομα,名前,お名前,名字,姓,名,ชื่อ,الاسم,שם"},
		{"STREET_ADDRESS", "rue,calle,via,strase,ulica,ul,adres,adresa,adress,adresse,domicile,osoite,katuosoite,lakcim,utca,gata,rua,cadde,sokak,адреса,街道"}, //nolint:misspell // Dutch and Polish
		{"DATE_OF_BIRTH", "naissance,nacimiento,nascita,nascimento,narozeni,geb,geb dat,рождение"},
	}
}

// capitals are the other ways to write words whose first letter is not ASCII: scripts other than Latin are not folded.
func capitals(words string) []string {
	head := len(words) - len(strings.TrimLeft(words, "_"))
	r, n := utf8.DecodeRuneInString(words[head:])
	if r < utf8.RuneSelf || unicode.ToUpper(r) == r {
		return nil
	}
	return []string{words[:head] + string(unicode.ToUpper(r)) + words[head+n:], strings.ToUpper(words)}
}
