package detect

import "strings"

// form is the shape of a number of one entity: what stands where, how it is grouped, which check digit it carries, and
// what must speak for it.
type form struct {
	entity string
	// shape has one byte for each: 9 digit, A letter, * either.
	shape string
	// groups are the lengths of the groups in which people write it, as 3-2-4; alternatives are divided by |. Where
	// there are none, it is written in one piece.
	groups  string
	check   func(n []byte) bool
	grouped need
	bare    need
	// slash lets groups be divided by a slash.
	slash bool
	// alone lets the number be found where it is all there is, and nothing names it.
	alone bool
}

// need is what a form asks for before it is believed.
type need uint8

const (
	needLabel   need = iota // a name or a word nearby must say so
	needNothing             // the check or the shape says enough
)

// forms is the table, by length.
type forms struct {
	byLength [32][]compiledForm
	// layouts are by length all ways to write one in groups.
	layouts [32][]uint64
	// free says by length whether digits in one piece may be something that nothing names, and alone whether they may be
	// where they are all there is. codeFree and codeAlone say the same of letters and digits.
	free, alone, codeFree, codeAlone [32]bool
	// named are by length the entities that need a name.
	named [32]labelSet
}

type compiledForm struct {
	form
	id      int // of the entity, in labels
	letters uint32
	digits  uint32
	layouts []uint64
}

func newForms(ids map[string]int) *forms {
	f := &forms{}
	for _, part := range [][]form{westernForms(), europeanForms(), otherForms()} {
		for _, x := range part {
			c := compiledForm{form: x, id: ids[x.entity]}
			for i := range len(x.shape) {
				switch x.shape[i] {
				case '9':
					c.digits |= 1 << i
				case 'A':
					c.letters |= 1 << i
				}
			}
			for layout := range strings.SplitSeq(x.groups, "|") {
				if layout != "" {
					c.layouts = append(c.layouts, packLayout(layout))
				}
			}
			n := len(x.shape)
			f.layouts[n] = append(f.layouts[n], c.layouts...)
			f.byLength[n] = append(f.byLength[n], c)
			f.allow(&c)
			f.named[n].add(c.id)
		}
	}
	return f
}

// allow writes down what a form lets a text of its length be without a name.
func (f *forms) allow(c *compiledForm) {
	n := len(c.shape)
	unnamed := c.bare == needNothing
	if c.letters == 0 {
		f.free[n], f.alone[n] = f.free[n] || unnamed, f.alone[n] || c.alone
	}
	if c.digits != 1<<n-1 {
		f.codeFree[n], f.codeAlone[n] = f.codeFree[n] || unnamed, f.codeAlone[n] || c.alone
	}
}

// packLayout writes the lengths of groups as nibbles.
func packLayout(s string) (v uint64) {
	n := uint64(0)
	for _, b := range []byte(s) {
		if b == '-' {
			v, n = v<<4|n, 0
			continue
		}
		n = n*10 + uint64(b-'0')
	}
	return v<<4 | n
}

func westernForms() []form {
	return []form{
		{entity: "US_SSN", shape: "999999999", groups: "3-2-4", check: ssn, grouped: needNothing},
		{entity: "US_ITIN", shape: "999999999", groups: "3-2-4", check: itin, grouped: needNothing, alone: true},
		{entity: "US_EIN", shape: "999999999", groups: "2-7"},
		{entity: "ABA_ROUTING_NUMBER", shape: "999999999", groups: "4-4-1", check: aba, grouped: needNothing, alone: true},
		{entity: "US_PASSPORT", shape: "999999999"},
		{entity: "US_PASSPORT", shape: "A99999999"},
		{entity: "US_DRIVER_LICENSE", shape: "A9999999"},
		{entity: "US_DRIVER_LICENSE", shape: "A99999999", alone: true},
		{entity: "US_DRIVER_LICENSE", shape: "A999999999999", groups: "1-3-3-3-3|4-4-4-1"},
		{entity: "US_DRIVER_LICENSE", shape: "A99999"},
		{entity: "US_DRIVER_LICENSE", shape: "A999999"},
		{entity: "US_DRIVER_LICENSE", shape: "9999999"},
		{entity: "US_DRIVER_LICENSE", shape: "99999999"},
		{entity: "US_DRIVER_LICENSE", shape: "999999999"},
		{entity: "US_DRIVER_LICENSE", shape: "AA999999"},
		{entity: "US_NPI", shape: "9999999999", groups: "4-3-3", check: npi, alone: true},
		{entity: "MEDICAL_LICENSE", shape: "AA9999999", check: dea, alone: true},
		{entity: "MEDICAL_LICENSE", shape: "A99999999", check: deaNine},
		{entity: "US_MBI", shape: "9A*9A*9AA99", groups: "4-3-4", check: mbi, grouped: needNothing, bare: needNothing},
		{entity: "CA_SIN", shape: "999999999", groups: "3-3-3", check: sin, grouped: needNothing, alone: true},
		{entity: "UK_NHS", shape: "9999999999", groups: "3-3-4", check: nhs, alone: true},
		{entity: "UK_NINO", shape: "AA999999A", groups: "2-2-2-2-1|2-6-1|1-1-2-2-2-1|8-1|2-3-3-1", check: nino, grouped: needNothing, bare: needNothing},
		{entity: "UK_DRIVING_LICENCE", shape: "A****999999*****", check: ukDriver, bare: needNothing},
		{entity: "UK_DRIVING_LICENCE", shape: "A***9999999**9AA", check: ukDriver, bare: needNothing},
		{entity: "UK_PASSPORT", shape: "AA9999999", alone: true},
		{entity: "UK_PASSPORT", shape: "999999999"},
		{entity: "UK_UTR", shape: "9999999999", groups: "5-5", check: utr},
		{entity: "UK_POSTCODE", shape: "A99AA", groups: "2-3", alone: true},
		{entity: "UK_POSTCODE", shape: "AA99AA", groups: "3-3", alone: true},
		{entity: "UK_POSTCODE", shape: "A999AA", groups: "3-3", alone: true},
		{entity: "UK_POSTCODE", shape: "AA999AA", groups: "4-3", alone: true},
		{entity: "UK_POSTCODE", shape: "A9A9AA", groups: "3-3", alone: true},
		{entity: "UK_POSTCODE", shape: "AA9A9AA", groups: "4-3", alone: true},
		{entity: "UK_VEHICLE_REGISTRATION", shape: "AA99AAA", groups: "4-3", alone: true},
		{entity: "UK_VEHICLE_REGISTRATION", shape: "A999AAA", groups: "4-3", alone: true},
		{entity: "UK_VEHICLE_REGISTRATION", shape: "A99AAA", groups: "3-3", alone: true},
		{entity: "UK_VEHICLE_REGISTRATION", shape: "AAA999A", groups: "3-4", alone: true},
		{entity: "UK_VEHICLE_REGISTRATION", shape: "AAA99A", groups: "3-3", alone: true},
		{entity: "AU_ABN", shape: "99999999999", groups: "2-3-3-3", check: abn, grouped: needNothing, alone: true},
		{entity: "AU_ACN", shape: "999999999", groups: "3-3-3", check: acn, alone: true},
		{entity: "AU_TFN", shape: "999999999", groups: "3-3-3", check: tfn, alone: true},
		{entity: "AU_MEDICARE", shape: "9999999999", groups: "4-5-1", check: auMedicare, grouped: needNothing, alone: true},
		{entity: "AU_MEDICARE", shape: "99999999999", groups: "4-5-1-1|4-5-2", check: auMedicare, grouped: needNothing},
		{entity: "VIN", shape: "*****************", check: vin},
		{entity: "IMEI", shape: "999999999999999", groups: "2-6-6-1|6-2-6-1", check: luhn},
		{entity: "IMEISV", shape: "9999999999999999", groups: "8-6-2|2-6-6-2"},
		{entity: "ICCID", shape: "9999999999999999999", check: iccid},
		{entity: "ICCID", shape: "99999999999999999999", check: iccid},
		{entity: "IMSI", shape: "999999999999999"},
	}
}

func europeanForms() []form {
	return []form{
		{entity: "DE_TAX_ID", shape: "99999999999", groups: "2-3-3-3", check: deTaxID, alone: true},
		{entity: "DE_TAX_NUMBER", shape: "99999999999", groups: "3-3-5", grouped: needNothing, slash: true},
		{entity: "DE_TAX_NUMBER", shape: "9999999999", groups: "2-4-4|2-3-5", grouped: needNothing, slash: true},
		{entity: "DE_TAX_NUMBER", shape: "9999999999999", check: zeroFifth, alone: true},
		{entity: "DE_SOCIAL_SECURITY", shape: "99999999A999", groups: "2-6-1-3|8-1-3", check: deSocial, grouped: needNothing, bare: needNothing},
		{entity: "DE_HEALTH_INSURANCE", shape: "A999999999", check: kvnr, bare: needNothing},
		{entity: "DE_ID_CARD", shape: "A99999999", check: travelDocument, alone: true},
		{entity: "DE_ID_CARD", shape: "A99999999"},
		{entity: "DE_ID_CARD", shape: "A********", check: travelDocument},
		{entity: "DE_ID_CARD", shape: "A********9", check: icao},
		{entity: "DE_PASSPORT", shape: "A99999999", check: travelDocument},
		{entity: "DE_PASSPORT", shape: "A********", check: travelDocument, alone: true},
		{entity: "DE_VAT_ID", shape: "AA999999999", groups: "2-9|2-3-3-3", check: deVAT, grouped: needNothing, bare: needNothing},
		{entity: "DE_FUEHRERSCHEIN", shape: "AA99999999*", alone: true},
		{entity: "DE_LANR", shape: "999999999", check: lanr, alone: true},
		{entity: "DE_BSNR", shape: "999999999", check: bsnr},
		{entity: "DE_PLZ", shape: "99999"},
		{entity: "FR_NIR", shape: "999999999999999", groups: "1-2-2-2-3-3-2|13-2", check: nir, grouped: needNothing, bare: needNothing},
		{entity: "ES_NIF", shape: "99999999A", groups: "8-1|2-3-3-1", check: nif, grouped: needNothing, bare: needNothing},
		{entity: "ES_NIF", shape: "9999999A", groups: "7-1", check: nif, grouped: needNothing},
		{entity: "ES_NIE", shape: "A9999999A", groups: "1-7-1|8-1", check: nie, grouped: needNothing, bare: needNothing},
		{entity: "ES_PASSPORT", shape: "AAA999999", alone: true},
		{entity: "IT_FISCAL_CODE", shape: "AAAAAA**A**A***A", check: fiscalCode, bare: needNothing},
		{entity: "IT_VAT_CODE", shape: "99999999999", check: luhn},
		{entity: "IT_DRIVER_LICENSE", shape: "AA9999999A", alone: true},
		{entity: "IT_DRIVER_LICENSE", shape: "A9*******A", check: italianU1, alone: true},
		{entity: "IT_IDENTITY_CARD", shape: "9999999AA", alone: true},
		{entity: "IT_IDENTITY_CARD", shape: "AA99999AA", alone: true},
		{entity: "IT_PASSPORT", shape: "AA9999999"},
		{entity: "PL_PESEL", shape: "99999999999", check: pesel, alone: true},
		{entity: "PL_NIP", shape: "9999999999", groups: "3-3-2-2|3-2-2-3", check: nip, grouped: needNothing},
		{entity: "PL_REGON", shape: "999999999", check: regon},
		{entity: "NL_BSN", shape: "999999999", groups: "4-2-3", check: bsn, alone: true},
		{entity: "BE_NRN", shape: "99999999999", groups: "2-2-2-3-2|6-3-2", check: nrn, grouped: needNothing, bare: needNothing},
		{entity: "SE_PERSONNUMMER", shape: "9999999999", groups: "6-4", check: personnummer, grouped: needNothing, alone: true},
		{entity: "SE_PERSONNUMMER", shape: "999999999999", groups: "8-4", check: personnummer12, grouped: needNothing, bare: needNothing},
		{entity: "SE_ORGANISATIONSNUMMER", shape: "9999999999", groups: "6-4", check: orgnummer, grouped: needNothing, alone: true},
		{entity: "FI_PERSONAL_IDENTITY_CODE", shape: "999999A999*", check: hetu, bare: needNothing},
		{entity: "FI_PERSONAL_IDENTITY_CODE", shape: "999999999*", groups: "6-4", check: hetuDash, grouped: needNothing},
		{entity: "NO_FNR", shape: "99999999999", groups: "6-5", check: fnr, grouped: needNothing, bare: needNothing},
		{entity: "DK_CPR", shape: "9999999999", groups: "6-4", check: cpr},
		{entity: "IS_KENNITALA", shape: "9999999999", groups: "6-4", check: kennitala},
		{entity: "CH_AHV", shape: "9999999999999", groups: "3-4-4-2", check: ahv, grouped: needNothing, bare: needNothing},
		{entity: "AT_SVNR", shape: "9999999999", groups: "4-6", check: svnr},
		{entity: "PT_NIF", shape: "999999999", groups: "3-3-3", check: ptNIF},
		{entity: "IE_PPS", shape: "9999999A", check: pps},
		{entity: "IE_PPS", shape: "9999999AA", check: pps},
		{entity: "CZ_RODNE_CISLO", shape: "9999999999", groups: "6-4", check: rodneCislo, slash: true},
		{entity: "RO_CNP", shape: "9999999999999", check: cnp},
		{entity: "BG_EGN", shape: "9999999999", check: egn},
		{entity: "GR_AFM", shape: "999999999", check: afm},
		{entity: "HR_OIB", shape: "99999999999", check: mod11x10},
		{entity: "EE_LT_ID", shape: "99999999999", check: baltic},
		{entity: "LU_ID", shape: "9999999999999", check: luxembourg},
		{entity: "HU_TAJ", shape: "999999999", groups: "3-3-3", check: taj},
		{entity: "HU_TAX_ID", shape: "9999999999", check: huTax},
		{entity: "ES_CIF", shape: "A9999999*", groups: "1-8|1-7-1", check: cif},
		{entity: "LV_PERSONAL_CODE", shape: "99999999999", groups: "6-5", check: latvian},
		{entity: "RU_INN", shape: "9999999999", check: innCompany},
		{entity: "RU_INN", shape: "999999999999", check: innPerson},
		{entity: "RU_SNILS", shape: "99999999999", groups: "3-3-3-2", check: snils, grouped: needNothing},
		{entity: "RU_PASSPORT", shape: "9999999999", groups: "4-6|2-2-6"},
		{entity: "UA_RNOKPP", shape: "9999999999", check: rnokpp},
		{entity: "RS_SI_JMBG", shape: "9999999999999", check: jmbg},
	}
}

func otherForms() []form {
	return []form{
		{entity: "IN_AADHAAR", shape: "999999999999", groups: "4-4-4", check: aadhaar, grouped: needNothing, alone: true},
		{entity: "IN_PAN", shape: "AAAAA9999A", check: pan, bare: needNothing},
		{entity: "IN_GSTIN", shape: "99AAAAA9999A*A*", check: gstin, bare: needNothing},
		{entity: "IN_VOTER", shape: "AAA9999999", alone: true},
		{entity: "IN_PASSPORT", shape: "A9999999", alone: true},
		{entity: "IN_VEHICLE_REGISTRATION", shape: "AA99AA9999", groups: "2-2-2-4|4-2-4"},
		{entity: "SG_NRIC_FIN", shape: "A9999999A", check: nric, bare: needNothing},
		{entity: "SG_UEN", shape: "A99AA9999A", check: uen, bare: needNothing},
		{entity: "SG_UEN", shape: "99999999A"},
		{entity: "SG_UEN", shape: "999999999A"},
		{entity: "BR_CPF", shape: "99999999999", groups: "3-3-3-2", check: cpf, grouped: needNothing, alone: true},
		{entity: "BR_CNPJ", shape: "99999999999999", groups: "2-3-3-4-2", check: cnpj, grouped: needNothing, bare: needNothing, slash: true},
		{entity: "BR_CNPJ", shape: "************99", groups: "2-3-3-4-2", check: cnpj, grouped: needNothing, slash: true},
		{entity: "AR_CUIT", shape: "99999999999", groups: "2-8-1", check: cuit, grouped: needNothing},
		{entity: "CL_RUT", shape: "99999999*", groups: "2-3-3-1|8-1", check: rut, grouped: needNothing},
		{entity: "CL_RUT", shape: "9999999*", groups: "1-3-3-1|7-1", check: rut},
		{entity: "MX_CURP", shape: "AAAA999999AAAAAA*9", check: curp, bare: needNothing},
		{entity: "MX_RFC", shape: "AAAA999999***"},
		{entity: "KR_RRN", shape: "9999999999999", groups: "6-7", check: rrn, grouped: needNothing, alone: true},
		{entity: "KR_FRN", shape: "9999999999999", groups: "6-7", check: frn, grouped: needNothing, alone: true},
		{entity: "KR_BRN", shape: "9999999999", groups: "3-2-5", check: brn, grouped: needNothing},
		{entity: "KR_PASSPORT", shape: "A999A9999", alone: true},
		{entity: "KR_PASSPORT", shape: "A99999999"},
		{entity: "KR_DRIVER_LICENSE", shape: "999999999999", groups: "2-2-6-2", check: krDriver, grouped: needNothing},
		{entity: "JP_MY_NUMBER", shape: "999999999999", groups: "4-4-4", check: myNumber},
		{entity: "CN_RESIDENT_ID", shape: "99999999999999999*", check: residentID, bare: needNothing},
		{entity: "TW_NATIONAL_ID", shape: "A999999999", check: taiwan},
		{entity: "HK_ID", shape: "A9999999"},
		{entity: "TH_TNIN", shape: "9999999999999", groups: "1-4-5-2-1", check: thai, grouped: needNothing, alone: true},
		{entity: "PH_TIN", shape: "999999999999", groups: "3-3-3-3"},
		{entity: "PH_TIN", shape: "999999999", groups: "3-3-3"},
		{entity: "MY_NRIC", shape: "999999999999", groups: "6-2-4", check: myKad},
		{entity: "ID_NIK", shape: "9999999999999999", check: nik},
		{entity: "ZA_ID_NUMBER", shape: "9999999999999", groups: "6-4-3|6-4-2-1", check: zaID, grouped: needNothing, bare: needNothing},
		{entity: "NG_NIN", shape: "99999999999"},
		{entity: "NG_VEHICLE_REGISTRATION", shape: "AAA999AA", groups: "3-5", grouped: needNothing, alone: true},
		{entity: "TR_NATIONAL_ID", shape: "99999999999", check: tckn, bare: needNothing},
		{entity: "TR_LICENSE_PLATE", shape: "99A9999", groups: "2-1-4", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99A999", groups: "2-1-3", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99A99", groups: "2-1-2", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99AA999", groups: "2-2-3", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99AA9999", groups: "2-2-4", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99AAA99", groups: "2-3-2", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99AAA999", groups: "2-3-3", check: trPlate, alone: true},
		{entity: "TR_LICENSE_PLATE", shape: "99AAA9999", groups: "2-3-4", check: trPlate, alone: true},
		{entity: "IL_ID", shape: "999999999", check: luhn},
		{entity: "AE_EMIRATES_ID", shape: "999999999999999", groups: "3-4-7-1", check: emirates, grouped: needNothing, bare: needNothing},
		{entity: "CO_NIT", shape: "9999999999", groups: "3-3-3-1|9-1", check: nit},
		{entity: "CA_HEALTH", shape: "9999999999AA", groups: "4-3-3-2|10-2", check: ohip},
		{entity: "CA_HEALTH", shape: "9999999999", groups: "4-3-3", check: luhn},
	}
}
