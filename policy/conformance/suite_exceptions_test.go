package conformance

// What the JSON Schema Test Suite asks for and does not hold here, by reason.
// runSuite fails for an exception that is not needed.

const (
	notLoaded    = "the dialect of OpenAPI 3.0 has no id, so that references are JSON pointers or files"
	otherDialect = "OpenAPI 3.0 has no patternProperties"
	annotation   = "formats are asserted here; the suite has them as annotations"
	punycode     = "A-labels are checked as host names only, not as IDNA"
	unloadable   = "array-form items are no OpenAPI 3.0 and stop the loader"
)

// Nothing else is excepted of draft 2020-12, and nothing at all where formats are
// off.
var excepted202012 = map[string][]string{
	annotation: {
		"format/date format/invalid date string is only an annotation by default",
		"format/date-time format/invalid date-time string is only an annotation by default",
		"format/duration format/invalid duration string is only an annotation by default",
		"format/email format/invalid email string is only an annotation by default",
		"format/hostname format/invalid hostname string is only an annotation by default",
		"format/ipv4 format/invalid ipv4 string is only an annotation by default",
		"format/ipv6 format/invalid ipv6 string is only an annotation by default",
		"format/time format/invalid time string is only an annotation by default",
		"format/uri format/invalid uri string is only an annotation by default",
		"format/uuid format/invalid uuid string is only an annotation by default",
	},
}

// Keywords that the dialect of OpenAPI 3.0 does not have.
var skippedDraft4 = []string{"additionalItems", "definitions", "dependencies", "patternProperties", "refRemote"}

var exceptedDraft4 = map[string][]string{
	notLoaded: {
		"ref/$ref prevents a sibling id from changing the base uri",
		"ref/Location-independent identifier",
		"ref/Location-independent identifier with base URI change in subschema",
		"ref/Recursive references between schemas",
		"ref/id must be resolved against nearest parent, not just immediate parent",
		"ref/remote ref, containing refs itself",
	},
	unloadable: {
		"items/an array of schemas for items",
		"items/array-form items with null instance elements",
		"items/items and subitems",
		"ref/relative pointer ref to array",
		"uniqueItems/uniqueItems with an array of items",
		"uniqueItems/uniqueItems with an array of items and additionalItems=false",
		"uniqueItems/uniqueItems=false with an array of items",
		"uniqueItems/uniqueItems=false with an array of items and additionalItems=false",
	},
	otherDialect: {
		"additionalProperties/additionalProperties being false does not allow other properties/patternProperties are not additional properties",
		"additionalProperties/non-ASCII pattern with additionalProperties/matching the pattern is valid",
		"properties/properties, patternProperties, additionalProperties interaction/patternProperty invalidates property",
		"properties/properties, patternProperties, additionalProperties interaction/patternProperty validates nonproperty",
	},
}

// Formats that are not asserted.
var skippedFormats = []string{
	"ecmascript-regex", "idn-email", "idn-hostname", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer",
	"unknown", "uri-reference", "uri-template",
}

var exceptedFormats = map[string][]string{
	punycode: {
		"hostname/validation of A-label (punycode) host names/Arabic-Indic digits mixed with Extended Arabic-Indic digits",
		"hostname/validation of A-label (punycode) host names/Begins with a Nonspacing Mark",
		"hostname/validation of A-label (punycode) host names/Begins with a Spacing Combining Mark",
		"hostname/validation of A-label (punycode) host names/Begins with an Enclosing Mark",
		"hostname/validation of A-label (punycode) host names/Exceptions that are DISALLOWED, left-to-right chars",
		"hostname/validation of A-label (punycode) host names/Exceptions that are DISALLOWED, right-to-left chars",
		"hostname/validation of A-label (punycode) host names/Greek KERAIA not followed by Greek",
		"hostname/validation of A-label (punycode) host names/Greek KERAIA not followed by anything",
		"hostname/validation of A-label (punycode) host names/Hebrew GERESH not preceded by Hebrew",
		"hostname/validation of A-label (punycode) host names/Hebrew GERESH not preceded by anything",
		"hostname/validation of A-label (punycode) host names/Hebrew GERSHAYIM not preceded by Hebrew",
		"hostname/validation of A-label (punycode) host names/Hebrew GERSHAYIM not preceded by anything",
		"hostname/validation of A-label (punycode) host names/KATAKANA MIDDLE DOT with no Hiragana, Katakana, or Han",
		"hostname/validation of A-label (punycode) host names/KATAKANA MIDDLE DOT with no other characters",
		"hostname/validation of A-label (punycode) host names/MIDDLE DOT with no following 'l'",
		"hostname/validation of A-label (punycode) host names/MIDDLE DOT with no preceding 'l'",
		"hostname/validation of A-label (punycode) host names/MIDDLE DOT with nothing following",
		"hostname/validation of A-label (punycode) host names/MIDDLE DOT with nothing preceding",
		"hostname/validation of A-label (punycode) host names/ZERO WIDTH JOINER not preceded by Virama",
		"hostname/validation of A-label (punycode) host names/ZERO WIDTH JOINER not preceded by anything",
		`hostname/validation of A-label (punycode) host names/contains "--" in the 3rd and 4th position`,
		"hostname/validation of A-label (punycode) host names/contains illegal char U+302E Hangul single dot tone mark",
		"hostname/validation of A-label (punycode) host names/invalid Punycode",
	},
}

// Keywords of other drafts, and references that the loader does not resolve.
var skippedOptional = []string{
	"cross-draft", "dependencies-compatibility", "format-assertion", "no-schema",
	"refOfUnknownKeyword", "unknownKeyword",
}

func exceptions(byReason map[string][]string) map[string]string {
	out := map[string]string{}
	for reason, names := range byReason {
		for _, name := range names {
			out[name] = reason
		}
	}
	return out
}
