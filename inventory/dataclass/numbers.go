package dataclass

import "strings"

// isCard takes numbers of payment cards: 12 to 19 digits, maybe in groups, with
// the prefix and length of an issuer and the check digit of ISO/IEC 7812 (Luhn).
func isCard(text string) bool {
	digits := bare(text, " -")
	return allDigits(digits) && issued(digits) && luhn(digits) && strings.Trim(digits, digits[:1]) != ""
}

// grouped reports whether a number is written in groups, as cards' are.
func grouped(text string) bool { return strings.ContainsAny(strings.TrimSpace(text), " -") }

func issued(d string) bool {
	n := len(d)
	if n < 13 || n > 19 {
		return false
	}
	prefix := func(k int) int {
		v, _ := small(d[:k])
		return v
	}
	two, three, four := prefix(2), prefix(3), prefix(4)
	switch {
	case d[0] == '4':
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720:
		return n == 16
	case two == 34 || two == 37:
		return n == 15
	case three >= 300 && three <= 305, two == 36, two == 38 || two == 39:
		return n == 14
	case four == 6011, two == 65, three >= 644 && three <= 649:
		return n == 16 || n == 19
	case four >= 3528 && four <= 3589:
		return n == 16
	case two == 62:
		return n >= 16
	case two == 50 || two >= 56 && two <= 58:
		return n == 16 || n == 19
	default:
		return false
	}
}

func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		n := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// ibanLengths are those of the IBAN registry (ISO 13616).
var ibanLengths = ibanTable("AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 " +
	"GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 " +
	"NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20")

func ibanTable(list string) map[string]int {
	table := map[string]int{}
	for _, entry := range strings.Fields(list) {
		table[entry[:2]], _ = small(entry[2:])
	}
	return table
}

// isIBAN checks length and check digits (ISO 13616: the remainder by 97 is 1).
func isIBAN(text string) bool {
	s := bare(strings.ToUpper(text), " ")
	if len(s) < 15 || ibanLengths[s[:2]] != len(s) {
		return false
	}
	rest := 0
	for _, c := range []byte(s[4:] + s[:4]) {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}

// isNationalID takes identifiers that their form gives away without a name: of the
// USA (123-45-6789), Brazil (123.456.789-09), Italy (RSSMRA85T10A562S) and Sweden
// (19900101-2392).
func isNationalID(text string) bool {
	switch len(text) {
	case 11:
		return text[3] == '-' && text[6] == '-' && isSSN(bare(text, "-"))
	case 13:
		return text[8] == '-' && isPersonnummer(bare(text, "-"))
	case 14:
		return text[3] == '.' && text[7] == '.' && text[11] == '-' && isCPF(bare(text, ".-"))
	case 16:
		return isCodiceFiscale(text)
	default:
		return false
	}
}

func isSSN(d string) bool {
	return len(d) == 9 && allDigits(d) && d[:3] != "000" && d[:3] != "666" && d[0] != '9' && d[3:5] != "00" && d[5:] != "0000"
}

func isPersonnummer(d string) bool {
	return len(d) == 12 && allDigits(d) && isDate(d[:8]) && luhn(d[2:])
}

func isCPF(d string) bool {
	if len(d) != 11 || !allDigits(d) || strings.Trim(d, d[:1]) == "" {
		return false
	}
	for _, n := range []int{9, 10} {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		if check := sum * 10 % 11 % 10; check != int(d[n]-'0') {
			return false
		}
	}
	return true
}

func isCodiceFiscale(s string) bool {
	for i, c := range []byte(s) {
		digit := i == 6 || i == 7 || i == 9 || i == 10 || i >= 12 && i <= 14
		if digit != ('0' <= c && c <= '9') || !digit && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return strings.IndexByte("ABCDEHLMPRST", s[8]) >= 0
}
