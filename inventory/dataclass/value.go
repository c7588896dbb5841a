package dataclass

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// maxValue is how much of one text is looked at, in bytes.
const maxValue = 8 << 10

// Value are the classes of a text with a name; both may be hostile. parent is the
// name of the object that it is in.
func Value(name, parent, text string) Set { return value(name, parent, text, false) }

func value(name, parent, text string, number bool) Set {
	text = strings.TrimSpace(text[:min(len(text), maxValue)])
	if text == "" {
		return 0
	}
	hint, hinted := hintOf(name)
	if !hinted && lineOfAddress(name, parent) {
		hint, hinted = PostalAddress, true
	}
	var s Set
	if hinted && named(hint, text, number) {
		s |= Of(hint)
	}
	if number {
		return s
	}
	if hasEmail(text) {
		s |= Of(Email)
	}
	switch {
	case isJWT(text):
		// A token is one thing, also where its name says so too.
		return s&^Of(Secret) | Of(JWT)
	case secretForm(text):
		return s | Of(Secret)
	}
	switch {
	case isIBAN(text):
		s |= Of(IBAN)
	case isNationalID(text):
		s |= Of(NationalID)
	case isCard(text) && (grouped(text) || !identifies(name)):
		s |= Of(PaymentCard)
	case isPhone(text) && s == 0:
		s |= Of(Phone)
	}
	return s
}

// named reports whether a text can be what its name says.
func named(hint Class, text string, number bool) bool {
	digits, letters, spaces := tally(text)
	switch hint {
	case Email:
		return hasEmail(text)
	case Phone:
		return digits >= 7 && digits <= 15 && letters <= 3 && (letters == 0 || strings.Contains(strings.ToLower(text), "ext")) && !isDate(text) && !strings.Contains(text, "@")
	case PaymentCard:
		return isCard(text)
	case IBAN:
		return isIBAN(text)
	case NationalID:
		return digits >= 4 && digits+letters >= 6 && digits+letters <= 20 && spaces <= 4 && len(text) <= 24
	case DateOfBirth:
		return isDate(text)
	case PostalAddress:
		return isAddress(text, digits, letters, spaces, number)
	case Password:
		return !number && text != "true" && text != "false" && text != "null" && len(text) <= 256 && !strings.Contains(text, "://")
	case Secret:
		return !number && len(text) >= 12 && spaces == 0 && letters+digits > 8 && !strings.Contains(text, "://") && !masked(text)
	default:
		return false
	}
}

func tally(text string) (digits, letters, spaces int) {
	for _, c := range []byte(text) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= 0x80:
			letters++
		case c == ' ':
			spaces++
		}
	}
	return digits, letters, spaces
}

// masked reports whether a value was made unreadable: ****1234.
func masked(text string) bool {
	return strings.Contains(text, "***") || strings.Contains(text, "xxxx") || strings.Contains(text, "•••") || strings.Contains(text, "...")
}

// identifies reports whether a name says that its value is an identifier of the
// API's own, of which every tenth passes for a card's number.
func identifies(name string) bool {
	list := words(name)
	for _, w := range list {
		switch w {
		case "id", "ids", "imei", "ean", "gtin", "isbn", "upc", "serial", "tracking", "timestamp", "ts", "time", "at", "invoice", "order", "reference", "ref",
			"version", "hash", "sequence", "seq", "nonce", "trace", "span", "request", "sku", "barcode", "iccid", "counter", "offset", "snowflake":
			return true
		}
	}
	return false
}

// lineOfAddress recognises address.line1.
func lineOfAddress(name, parent string) bool {
	switch strings.ToLower(name) {
	case "line", "line1", "line2", "line_1", "line_2":
	default:
		return false
	}
	list := words(parent)
	return len(list) > 0 && strings.HasPrefix(list[len(list)-1], "address")
}

// isAddress takes streets, whole addresses and postal codes.
func isAddress(text string, digits, letters, spaces int, number bool) bool {
	switch {
	case number:
		return digits >= 4 && digits <= 6 && len(text) == digits
	case len(text) > 256 || strings.Contains(text, "@") || strings.Contains(text, "://") || strings.HasPrefix(text, "0x") || strings.Count(text, ":") > 1:
		return false
	case spaces == 0 && letters == 0 && strings.Contains(text, "."):
		return false // an address of the network
	case isPostalCode(text, digits, letters):
		return true
	}
	return letters >= 3 && (spaces > 0 || strings.ContainsAny(text, ",\n"))
}

func isPostalCode(text string, digits, letters int) bool {
	for _, c := range []byte(text) {
		if c != ' ' && c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(text) <= 10 && digits+letters >= 4 && (letters == 0 && digits >= 4 || letters >= 1 && letters <= 4 && digits >= 2)
}

// isJWT takes the three parts of a signed token whose first one is a JSON object
// with alg (RFC 7519), after "Bearer " too.
func isJWT(text string) bool {
	text = strings.TrimPrefix(text, "Bearer ")
	head, rest, ok := strings.Cut(text, ".")
	if !ok || len(head) < 12 || strings.Count(rest, ".") != 1 || strings.ContainsAny(text, " \t\n") {
		return false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var header struct {
		Alg string `json:"alg"`
	}
	return json.Unmarshal(decoded, &header) == nil && header.Alg != ""
}

// secretPrefixes begin keys that some services issue, with the least length of one.
var secretPrefixes = []struct {
	prefix string
	length int
}{
	{"AKIA", 20}, {"ASIA", 20}, {"ghp_", 36}, {"gho_", 36}, {"ghs_", 36}, {"github_pat_", 40}, {"glpat-", 20}, {"xoxb-", 20}, {"xoxp-", 20}, {"xoxa-", 20},
	{"sk_live_", 20}, {"sk_test_", 20}, {"rk_live_", 20}, {"whsec_", 20}, {"AIza", 35}, {"ya29.", 30}, {"SG.", 40}, {"npm_", 30}, {"dop_v1_", 40}, {"hvs.", 20},
}

// secretForm takes what is a secret by its form alone.
func secretForm(text string) bool {
	if strings.HasPrefix(text, "-----BEGIN ") && strings.Contains(text[:min(len(text), 64)], "PRIVATE KEY-----") {
		return true
	}
	if strings.ContainsAny(text, " \t\n") || masked(text) {
		return false
	}
	if _, rest, ok := strings.Cut(text, "://"); ok { // postgres://user:password@host
		authority, _, _ := strings.Cut(rest, "/")
		user, _, ok := strings.Cut(authority, "@")
		_, password, hasPassword := strings.Cut(user, ":")
		return ok && hasPassword && password != ""
	}
	for _, p := range secretPrefixes {
		if strings.HasPrefix(text, p.prefix) && len(text) >= p.length {
			return true
		}
	}
	return false
}
