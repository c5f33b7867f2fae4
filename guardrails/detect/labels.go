package detect

import (
	"slices"
	"strings"
)

// labelled says with which words people name an entity. Words are in lower case, without accents, divided by single
// blanks; phrases by commas. Phrases of six letters and more are also found inside longer words.
type labelled struct{ entity, phrases string }

func labelTable() []labelled {
	return slices.Concat(numberLabels(), europeanLabels(), worldLabels())
}

func numberLabels() []labelled {
	return []labelled{
		{"CREDIT_CARD", "credit card,card number,card no,cardnumber,card,cc,ccnum,visa,mastercard,amex,kreditkarte,kreditkartennummer,carte bancaire,tarjeta,carta di credito,pan"},
		{"IBAN_CODE", "iban,bank account,kontonummer,payout account,account number"},
		{"SWIFT_BIC", "swift,bic,swift code"},
		{"US_SSN", "ssn,social security,socialsecurity,ssns,social sec,soc sec"},
		{"US_ITIN", "itin,taxpayer id,taxpayer identification,tax payer,individual taxpayer"},
		{"US_EIN", "ein,employer identification,employer id,fein"},
		{"ABA_ROUTING_NUMBER", "aba,routing,routing number,rtn,transit number,bankrouting"},
		{"US_BANK_NUMBER", "bank account,account number,account no,acct,acct no,checking,savings,checking account,account num,bank acct,accountnumber,konto"},
		{"US_PASSPORT", "passport,passport number,passport no,us passport,travel document"},
		{"US_DRIVER_LICENSE", "driver license,drivers license,driver s license,driving license,driver licence,license number,dl number,dl no,dl,dln,drivers lic,driverlicense,license"},
		{"US_NPI", "npi,provider npi,national provider,provider identifier,provider id"},
		{"MEDICAL_LICENSE", "dea,dea number,dea registration,medical license,prescriber"},
		{"US_MBI", "mbi,medicare beneficiary,beneficiary id,medicare id,medicare number,hicn"},
		{"CA_SIN", "sin,social insurance,nas,numero d assurance sociale,sin number"},
		{"UK_NHS", "nhs,nhsno,nhs no,nhs number,national health service,health service number"},
		{"UK_NINO", "nino,ni number,national insurance,ni no"},
		{"UK_UTR", "utr,unique taxpayer reference,self assessment"},
		{"UK_DRIVING_LICENCE", "driving licence,dvla,licence number"},
		{"UK_PASSPORT", "uk passport,british passport,hm passport,passport,passports"},
		{"UK_POSTCODE", "postcode,post code,postal code,address,delivery,shipping,zip"},
		{"UK_VEHICLE_REGISTRATION", "vehicle,registration,number plate,licence plate,reg,vrn,car reg,vehicles,plate"},
		{"AU_ABN", "abn,australian business number"},
		{"AU_ACN", "acn,australian company number"},
		{"AU_TFN", "tfn,tax file number,tax file"},
		{"AU_MEDICARE", "medicare,medicare number,medicare card,medicare no"},
		{"VIN", "vin,vehicle,vehicle identification,chassis,vehicle id,fahrgestellnummer,frame number"},
		{"IMEI", "imei,device id,handset"},
		{"IMEISV", "imeisv,imei sv,imei"},
		{"ICCID", "iccid,sim card,sim"},
		{"IMSI", "imsi"},
	}
}

func europeanLabels() []labelled {
	return []labelled{
		{"DE_TAX_ID", "steuer id,steuerid,id nr,idnr,steueridentifikationsnummer,idnr,tax id,identifikationsnummer,steuerliche identifikation,steuer identifikation"}, //nolint:misspell // German
		{"DE_TAX_NUMBER", "steuernummer,steuer nr,st nr,finanzamt"},
		{"DE_SOCIAL_SECURITY", "rvnr,svnr,rentenversicherungsnummer,sozialversicherungsnummer,versicherungsnummer,sv nummer"},
		{"DE_HEALTH_INSURANCE", "kvnr,krankenversicherung,krankenversichertennummer,versichertennummer,egk,krankenkasse,gesundheitskarte"},
		{"DE_ID_CARD", "personalausweis,ausweis,ausweisnummer,npa,ausweis nr"},
		{"DE_PASSPORT", "reisepass,passnummer,pass nr"},
		{"DE_VAT_ID", "ust id,ustidnr,ust idnr,umsatzsteuer id,umsatzsteuer identifikationsnummer,vat,mwst"},
		{"DE_FUEHRERSCHEIN", "fuhrerschein,fuhrerscheinnummer,fahrerlaubnis,fuehrerschein"},
		{"DE_LANR", "lanr,arztnummer,arzt nr,lebenslange arztnummer"},
		{"DE_BSNR", "bsnr,betriebsstattennummer,betriebsstatte,praxisnummer"},
		{"DE_PLZ", "plz,postleitzahl,wohnort,anschrift"},
		{"DE_KFZ", "kennzeichen,kfz,kfz kennzeichen,nummernschild,zulassung,fahrzeug"},
		{"DE_HANDELSREGISTER", "handelsregister,amtsgericht,registergericht,hrb,hra"},
		{"FR_NIR", "nir,numero secu,securite sociale,numero de securite sociale,insee,num secu,nss"},
		{"ES_NIF", "nif,dni,documento nacional"},
		{"ES_NIE", "nie,identificacion de extranjero"}, //nolint:misspell // Spanish
		{"ES_PASSPORT", "pasaporte,numero de pasaporte"},
		{"IT_FISCAL_CODE", "codice fiscale,c f,cf,fiscal code"},
		{"IT_VAT_CODE", "partita iva,p iva,piva"},
		{"IT_DRIVER_LICENSE", "patente,patente di guida"},
		{"IT_IDENTITY_CARD", "carta d identita,carta identita,identita,cie"},
		{"IT_PASSPORT", "passaporto"},
		{"PL_PESEL", "pesel"},
		{"PL_NIP", "nip"},
		{"PL_REGON", "regon"},
		{"NL_BSN", "bsn,burgerservicenummer,sofinummer,citizen service number"},
		{"BE_NRN", "nrn,rijksregisternummer,national register,rijksregister,registre national,niss,insz"},
		{"SE_PERSONNUMMER", "personnummer,pnr,personal identity number,samordningsnummer,svensk id"},
		{"SE_ORGANISATIONSNUMMER", "organisationsnummer,orgnr,org nr,orgnummer,foretagsnummer"},
		{"FI_PERSONAL_IDENTITY_CODE", "hetu,henkilotunnus,personbeteckning"},
		{"NO_FNR", "fodselsnummer,fnr,personnummer"},
		{"DK_CPR", "cpr,cpr nummer,cpr nr,personnummer"},
		{"IS_KENNITALA", "kennitala"},
		{"CH_AHV", "ahv,ahv nummer,avs,ahvn13,ahv nr,sozialversicherungsnummer,navs"},
		{"AT_SVNR", "svnr,sozialversicherungsnummer,sv nummer"},
		{"PT_NIF", "nif,contribuinte,numero de contribuinte"},
		{"IE_PPS", "pps,ppsn,pps number"},
		{"CZ_RODNE_CISLO", "rodne cislo,rc,rodne"},
		{"RO_CNP", "cnp,cod numeric personal"},
		{"BG_EGN", "egn"},
		{"GR_AFM", "afm"},
		{"HR_OIB", "oib"},
		{"EE_LT_ID", "isikukood,asmens kodas,personal code"},
		{"LU_ID", "matricule,cns number"},
		{"HU_TAJ", "taj,taj szam"},
		{"HU_TAX_ID", "adoazonosito,adoazonosito jel,ado azonosito"},
		{"ES_CIF", "cif,numero cif"},
		{"LV_PERSONAL_CODE", "personas kods,pk,personas koda"},
		{"RU_INN", "inn,инн,идентификационный номер налогоплательщика"},
		{"RU_SNILS", "snils,снилс,страховой номер"},
		{"RU_PASSPORT", "паспорт,паспорта,паспортные данные"},
		{"UA_RNOKPP", "rnokpp,рнокпп,іпн,ипн,податковий номер"},
		{"RS_SI_JMBG", "jmbg,emso,jedinstveni maticni broj,mbg,јмбг,матични број,ембг"},
	}
}

func worldLabels() []labelled {
	return []labelled{
		{"IN_AADHAAR", "aadhaar,uidai,aadhar"},
		{"IN_PAN", "pan,permanent account number,in pan,pan number,pan no"},
		{"IN_GSTIN", "gstin,gst,gst number"},
		{"IN_VOTER", "voter,epic,voter id,elector,vote"},
		{"IN_PASSPORT", "indian passport,passport"},
		{"IN_VEHICLE_REGISTRATION", "rto,vehicle,registration"},
		{"SG_NRIC_FIN", "nric,fin"},
		{"SG_UEN", "uen,unique entity number"},
		{"BR_CPF", "cpf,cadastro de pessoas"},
		{"BR_CNPJ", "cnpj"},
		{"AR_CUIT", "cuit,cuil"},
		{"CL_RUT", "rut"},
		{"MX_CURP", "curp"},
		{"MX_RFC", "rfc"},
		{"KR_RRN", "rrn,resident registration number,resident registration,주민등록번호"},
		{"KR_FRN", "frn,foreigner registration,외국인등록번호"},
		{"KR_BRN", "brn,business registration number"},
		{"KR_PASSPORT", "korean passport,passport"},
		{"KR_DRIVER_LICENSE", "korean driver"},
		{"JP_MY_NUMBER", "my number,mynumber,individual number,マイナンバー,個人番号"},
		{"CN_RESIDENT_ID", "resident identity,chinese id,shenfenzheng,身份证,身份證"},
		{"TW_NATIONAL_ID", "taiwan id,national id"},
		{"HK_ID", "hkid,hong kong id"},
		{"TH_TNIN", "tnin,thai national id,thai id,เลขบัตรประชาชน,เลขประจำตัวประชาชน"},
		{"PH_TIN", "tin,bir,tax id,taxpayer id"},
		{"MY_NRIC", "mykad,nric,ic number"},
		{"ID_NIK", "nik,ktp"},
		{"ZA_ID_NUMBER", "south african id,sa id,rsa id,id number,identity number,smart id"},
		{"NG_NIN", "nin,nimc,national identification number,national identity number"},
		{"NG_VEHICLE_REGISTRATION", "plate number,plates,plate"},
		{"TR_NATIONAL_ID", "tckn,tc kimlik,tc kimlik no,tc no,kimlik no,turkish id,kimlik numarasi"},
		{"TR_LICENSE_PLATE", "plaka,plakasi,license plate,plate"},
		{"IL_ID", "teudat zehut,israeli id"},
		{"AE_EMIRATES_ID", "emirates id,eid"},
		{"CO_NIT", "nit,numero de identificacion tributaria"}, //nolint:misspell // Spanish
		{"CA_HEALTH", "ohip,health card,health card number,ontario health,carte sante"},
		{"EMAIL_ADDRESS", "email,e mail,mail"},
		{"PHONE_NUMBER", "phone,telephone,tel,mobile,cell,cellphone,fax,call,whatsapp,telefon,handy,movil,telefono,celular,contact number,phone number,number is,msisdn,sms,cellulare,rufnummer,telefoonnummer,komorka,puhelin,telemovel,mobiel,gsm,电话,電話,携帯,手机,전화번호,휴대폰,телефон,моб"},
		{"IP_ADDRESS", "ip,ipv4,ipv6,ip address,client ip,remote addr,address,prefix,route,addr,cidr,subnet,network"},
		{"MAC_ADDRESS", "mac,mac address,hardware address,hw address,bssid,ethernet"},
		{"CRYPTO", "wallet,btc,bitcoin,eth,ethereum,crypto,wallet address"},
		{"DATE_OF_BIRTH", "dob,date of birth,birth date,birthdate,birthday,born,geburtsdatum,geboren am,date de naissance,date naissance,ne le,nee le,fecha nacimiento,nacido el,nacida el,nato il,nata il,data nascita,data nascimento,data urodzenia,datum narozeni,datum rodenja,data nasterii,szuletesi datum,syntymaaika,dogum tarihi,fodselsdato,дата рождения,дата народження,生年月日,出生日期,誕生日,생년월일,fecha de nacimiento,data di nascita,geboortedatum,data de nascimento,fodelsedatum,geburtstag,born on"},
		{"NAME", "first name,last name,full name,firstname,lastname,fullname,surname,given name,family name,middle name,vorname,nachname,prenom,nom de famille,apellido,apellidos,nombre completo,cognome,sobrenome,patient name,customer name,cardholder,cardholder name,maiden name,achternaam,voornaam,fornamn,efternamn,nazwisko,contact name,employee name,guest name,passenger name,student name,account holder,beneficiary name,recipient name,nom complet,nome completo,nome e cognome,primer nombre,segundo nombre,primeiro nome,nom usuel,fornavn,etternavn,efternavn,etunimi,sukunimi,prijmeni,prezime,prenume,vezeteknev,keresztnev,soyadi,фамилия,отчество,прізвище,επώνυμο,姓名,氏名,이름,성명,фио"},
		{"STREET_ADDRESS", "street address,address line1,address line2,address line 1,address line,street,home address,billing address,shipping address,mailing address,postal address,strasse,adresse,direccion,indirizzo,endereco,straat,address1,address2,addr1,addr2,anschrift,wohnadresse,domicilio,logradouro,gatuadress,strassenname,улица,地址,住所,주소,адрес"},
		{"CVV", "cvv,cvc,cvv2,card verification,security code,csc"},
		{"PIN", "pin,pin code,card pin"},
		{"SALARY", "salary,base salary,gehalt,salaire,salario,annual income"},
		{"HEALTH", "diagnosis,diagnoses,diagnose,medical condition,icd10,blood type,blood group,disability,allergies"},
		{"RELIGION", "religion,ethnicity,race,sexual orientation,political party,union membership"},
		{"CARD_EXPIRY", "card expiry,expiry date,exp date,card exp,expiration date"},
	}
}

// labelSet is a set of entities.
type labelSet [3]uint64

func (s *labelSet) add(id int)            { s[id>>6] |= 1 << (id & 63) }
func (s labelSet) has(id int) bool        { return s[id>>6]>>(id&63)&1 != 0 }
func (s labelSet) meets(t labelSet) bool  { return s[0]&t[0]|s[1]&t[1]|s[2]&t[2] != 0 }
func (s labelSet) or(t labelSet) labelSet { return labelSet{s[0] | t[0], s[1] | t[1], s[2] | t[2]} }

// labels finds the phrases in names and in the words before a value.
type labels struct {
	find  *automaton
	id    []uint8 // by literal
	ids   map[string]int
	exact map[string]int // entities by names that say so only where they are the whole name
	// whole are the entities that a field's name alone makes of its value.
	whole     []wholeEntity
	wholeMask labelSet
	numbers   labelSet // what may be a number of any length
	// The entities that the code asks about by name.
	card, phone, ip, plate, birth, account, licence int
}

type wholeEntity struct {
	entity string
	id     int
}

func newLabels() (*labels, error) {
	l := &labels{ids: map[string]int{}, exact: map[string]int{}}
	var literals []string
	for i, e := range labelTable() {
		l.ids[e.entity] = i
		for p := range strings.SplitSeq(e.phrases, ",") {
			words := strings.ReplaceAll(p, " ", "_")
			if len(words) < 6 {
				words = "_" + words + "_"
			}
			literals = append(literals, words)
			l.id = append(l.id, uint8(i))
			for _, capital := range capitals(words) {
				literals = append(literals, capital)
				l.id = append(l.id, uint8(i))
			}
			if joined := strings.ReplaceAll(p, " ", ""); joined != p && len(joined) >= 6 {
				literals = append(literals, joined)
				l.id = append(l.id, uint8(i))
			}
		}
	}
	for _, entity := range [...]string{"NAME", "STREET_ADDRESS", "DATE_OF_BIRTH", "CVV", "PIN", "SALARY", "HEALTH", "RELIGION", "CARD_EXPIRY", "US_BANK_NUMBER", "SWIFT_BIC"} {
		l.whole = append(l.whole, wholeEntity{entity, l.ids[entity]})
		l.wholeMask.add(l.ids[entity])
	}
	l.card, l.phone, l.ip, l.plate = l.ids["CREDIT_CARD"], l.ids["PHONE_NUMBER"], l.ids["IP_ADDRESS"], l.ids["DE_KFZ"]
	l.birth, l.account, l.licence = l.ids["DATE_OF_BIRTH"], l.ids["US_BANK_NUMBER"], l.ids["US_DRIVER_LICENSE"]
	for _, id := range [...]int{l.phone, l.account, l.licence, l.card} {
		l.numbers.add(id)
	}
	l.addFieldNames()
	var err error
	l.find, err = newAutomaton(literals)
	return l, err
}

// of returns what a name says. In running text the words are looked up as they stand; in names, capitals begin words.
func (l *labels) of(s *Scratch, t []byte, name bool) labelSet {
	var out labelSet
	l.each(s, t, name, func(id, _ int) { out.add(id) })
	return out
}

// field returns what the name of a field says as a whole, beside what its words say.
func (l *labels) field(s *Scratch, name []byte) labelSet {
	out := l.of(s, name, true)
	if id, ok := l.exact[string(s.around)]; ok {
		out.add(id)
	}
	return out
}

// wholes returns which of the entities that a name alone makes of a value are in a set, by their bits.
func (l *labels) wholes(s labelSet) (bits uint16) {
	if !s.meets(l.wholeMask) {
		return 0
	}
	for i, w := range l.whole {
		if s.has(w.id) {
			bits |= 1 << i
		}
	}
	return bits
}

// each calls f for each entity named in t, in order, with where the phrase ends among the squeezed bytes.
func (l *labels) each(s *Scratch, t []byte, name bool, f func(id, end int)) {
	if s.around = s.around[:0]; wordless(t) {
		return
	}
	s.around = squeezeWords(s.around[:0], t, name)
	l.find.find(s.around, &s.squeeze)
	for _, stream := range s.squeeze {
		for _, h := range stream {
			f(int(l.id[h.lit]), int(h.end))
		}
	}
}

// wordless holds for a text without a letter: numbers beside numbers. Every phrase has some.
func wordless(t []byte) bool {
	for _, b := range t {
		if is(b, isLetter|isHigh) {
			return false
		}
	}
	return true
}

// squeezeWords writes words in lower case, without accents, each followed by one underscore.
func squeezeWords(dst, t []byte, name bool) []byte {
	dst = append(dst, '_')
	for i := 0; i < len(t); i++ {
		b := t[i]
		switch {
		case is(b, isAlnum):
			if name && i > 0 && is(b, isUpper) && (is(t[i-1], isLower) || i+1 < len(t) && is(t[i+1], isLower) && is(t[i-1], isUpper)) {
				dst = append(dst, '_')
			}
			dst = append(dst, lower(b))
		case b >= 0xC3 && b <= 0xC5 && i+1 < len(t):
			if base := latinBase(t[i], t[i+1]); base != 0 {
				dst = append(dst, base)
			}
			i++
		case b >= 0x80:
			dst = append(dst, b)
		case dst[len(dst)-1] != '_':
			dst = append(dst, '_')
		}
	}
	if dst[len(dst)-1] != '_' {
		dst = append(dst, '_')
	}
	return dst
}

// addFieldNames fills what counts only as a whole name.
func (l *labels) addFieldNames() {
	for _, e := range fieldNames() {
		for p := range strings.SplitSeq(e.phrases, ",") {
			words := "_" + strings.ReplaceAll(p, " ", "_") + "_"
			l.exact[words] = l.ids[e.entity]
			for _, capital := range capitals(words) {
				l.exact[capital] = l.ids[e.entity]
			}
		}
	}
}
