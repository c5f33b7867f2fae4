package detect_test

import (
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// TestNumbersOfTheEastAreChecked gives numbers with their labels, and the same with another check digit or no label.
func TestNumbersOfTheEastAreChecked(t *testing.T) {
	e := engine(t, detect.Options{})
	tellsApart(t, e, map[string]texts{
		"RU_INN":           {[]string{"ИНН 500100732259", "инн: 7707083893", `{"inn":"500100732259"}`}, []string{"ИНН 500100732258", "rows 7707083893"}},
		"RU_SNILS":         {[]string{"СНИЛС 112-233-445 95", "снилс: 11223344595", `{"snils":"112-233-445 95"}`}, []string{"СНИЛС 112-233-445 96", "count 11223344595"}},
		"RU_PASSPORT":      {[]string{"паспорт 4509 123456", "Паспорт: 4509123456", "паспорт 45 09 123456"}, []string{"count 4509123456", "паспорт 45-09"}},
		"UA_RNOKPP":        {[]string{"РНОКПП 3184710691", "ІПН 3184710691", `{"rnokpp":"3184710691"}`}, []string{"РНОКПП 3184710692", "rows 3184710691"}},
		"LV_PERSONAL_CODE": {[]string{"personas kods 161175-19997", "Personas kods: 16117519997", "personas kods 320103-20112"}, []string{"personas kods 161175-19998", "range 161175-19997"}},
		"RS_SI_JMBG":       {[]string{"EMŠO 0101006500006", "JMBG: 0101006500006", "ЈМБГ 0101006500006"}, []string{"EMŠO 0101006500007", "id 0101006500006"}},
		"CO_NIT":           {[]string{"NIT: 860.034.313-7", "nit 860034313-7", `{"nit":"8600343137"}`}, []string{"NIT: 860.034.313-8", "version 860.034.313-7"}},
		"EE_LT_ID":         {[]string{"asmens kodas 38703181745", "isikukood: 38703181745", `{"isikukood":"38703181745"}`}, []string{"asmens kodas 38703181746", "rows 38703181745"}},
		"CZ_RODNE_CISLO":   {[]string{"rodné číslo 780123/3540", "rodne cislo: 7801233540", "Rodné číslo: 740104/0020"}, []string{"rodné číslo 780123/3542", "of 780123/3540"}},
		"ES_CIF":           {[]string{"CIF A58818501", "cif: B-58378431", `{"cif":"A58818501"}`}, []string{"CIF A58818502", "part A58818501"}},
		"HU_TAX_ID":        {[]string{"adóazonosító jel: 8071592153", "adoazonosito 8071592153", `{"adoazonosito_jel":"8071592153"}`}, []string{"adóazonosító jel: 8071592154", "rows 8071592153"}},
		"CA_HEALTH":        {[]string{"OHIP 5584-486-673 YM", "health card: 5584486673YM", "OHIP 5584 486 673"}, []string{"OHIP 5584-486-674 YM", "rows 5584486673"}},
		"IMEISV":           {[]string{"IMEISV: 3520990017614823", "imeisv 35-209900-176148-23", `{"imeisv":"3520990017614823"}`}, []string{"rows 3520990017614823", "IMEISV: 35209900176148"}},
		"PHONE_NUMBER":     {[]string{"Telefon: 089/63648018", "電話: 03-1234-5678", "телефон 8 (495) 123-45-67", "cellulare 333 1234567", "Phone (212) 555-0187 x12", "tel. 06.12.34.56.78"}, []string{"200/401/404", "089/63648018 rows", "tel aviv 2026-11-23"}},
	})
}
