package dataclass

import (
	"strings"
	"unicode/utf8"
)

// hints are what the name of a member or parameter says about its value, by its
// last words put together: "customer_phone_number" is a phonenumber.
var hints = hintTable(map[Class]string{
	Email: "email emailaddress emailaddr mail mailaddress",
	Phone: "phone phonenumber phoneno telephone telephonenumber tel mobile mobilenumber mobilephone mobileno cell cellphone " +
		"cellnumber msisdn fax faxnumber contactnumber whatsapp whatsappnumber telefon telefono handynummer landline",
	PaymentCard: "cardnumber cardno pan creditcard creditcardnumber debitcard debitcardnumber ccnumber ccnum paymentcard paymentcardnumber primaryaccountnumber",
	IBAN:        "iban ibannumber",
	NationalID: "ssn socialsecuritynumber socialsecurity nationalid nationalidnumber nationalidentifier nino nationalinsurancenumber personnummer " +
		"cpf dni nie nif bsn aadhaar aadhaarnumber aadhar taxid taxnumber taxidentificationnumber tin itin steuerid nir curp codicefiscale fiscalcode " +
		"passport passportnumber passportno identitynumber identitycardnumber idcardnumber personalidentitynumber personalnumber driverslicense " +
		"driverslicensenumber driverlicense driverlicensenumber drivinglicence drivinglicencenumber pesel socialinsurancenumber",
	DateOfBirth: "dob birthdate dateofbirth birthday bornon geburtsdatum datebirth birthdt fechanacimiento",
	PostalAddress: "street streetaddress streetname addressline addressline1 addressline2 address1 address2 street1 street2 postalcode postcode " +
		"zip zipcode address homeaddress shippingaddress billingaddress mailingaddress fulladdress postaladdress formattedaddress " +
		"deliveryaddress residentialaddress strasse plz",
	Password: "password passwd pwd passphrase passwordconfirmation passwordconfirm confirmpassword passwordhash passwordrepeat kennwort",
	Secret: "secret clientsecret apikey apisecret accesskey secretkey secretaccesskey privatekey accesstoken refreshtoken idtoken authtoken " +
		"authenticationtoken sessiontoken bearertoken token apitoken webhooksecret signingsecret signingkey encryptionkey sharedsecret " +
		"sessionid authorization totpsecret otpsecret recoverycode securitytoken personalaccesstoken connectionstring",
})

func hintTable(words map[Class]string) map[string]Class {
	table := make(map[string]Class)
	for class, list := range words {
		for _, word := range strings.Fields(list) {
			table[word] = class
		}
	}
	return table
}

// misleading are names whose last words are a hint, and that are something else:
// tokens that lead to a page of a list, and the like.
var misleading = map[string]bool{
	"pagetoken": true, "nexttoken": true, "previoustoken": true, "prevtoken": true, "synctoken": true, "continuationtoken": true, "cursortoken": true,
	"csrftoken": true, "xsrftoken": true, "resumetoken": true, "macaddress": true, "ipaddress": true, "walletaddress": true,
	"contractaddress": true, "memoryaddress": true, "publickey": true, "tokensecretname": true, "webaddress": true, "siteaddress": true, "serveraddress": true,
	"remoteaddress": true, "bitcoinaddress": true, "ethereumaddress": true, "depositaddress": true, "hostaddress": true,
}

// maxWords is how many of a name's last words are looked at.
const maxWords = 4

// words splits a name where its spelling does: customerPhone_number.
func words(name string) []string {
	var list []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			list = append(list, strings.ToLower(name[start:end]))
			start = -1
		}
	}
	for i := range len(name) {
		c := name[i]
		upper := 'A' <= c && c <= 'Z'
		switch {
		case !upper && (c < 'a' || c > 'z') && (c < '0' || c > '9'):
			flush(i)
			continue
		case upper && start >= 0:
			before := name[i-1]
			ends := i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z' // the S of "SSNSource"
			if before < 'A' || before > 'Z' || ends {
				flush(i)
			}
		}
		if start < 0 {
			start = i
		}
	}
	flush(len(name))
	return list
}

// hintOf is what a name says, false for nothing.
func hintOf(name string) (Class, bool) {
	list := words(name)
	tail := ""
	var found Class
	any := false
	for i := len(list) - 1; i >= max(0, len(list)-maxWords); i-- {
		tail = list[i] + tail
		if misleading[tail] {
			return 0, false
		}
		if class, ok := hints[tail]; ok {
			found, any = class, true
		}
	}
	return found, any
}

// maxName is how long a name may be that is told, in bytes.
const maxName = 64

// cleanName is a name that can be told: "*" where it may be a value, as in maps by
// e-mail address or identifier.
func cleanName(name string) string {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return "*"
	}
	digits, letters := 0, 0
	for _, c := range []byte(name) {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			letters++
		case c == '_' || c == '-' || c == '.' || c == '$':
		default:
			return "*"
		}
	}
	if letters == 0 || digits > 3 || digits > letters || len(name) > 16 && len(words(name)) == 1 && digits > 0 {
		return "*"
	}
	return name
}
