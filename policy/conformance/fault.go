package conformance

// fault is why a text is no value that every parser reads in the same way,
// before any schema. It is a number, since it is returned for every token.
type fault uint8

const (
	noFault fault = iota
	faultSyntax
	faultTrailing
	faultBOM
	faultUTF8
	faultSurrogate
	faultDuplicate
	faultDepth
	faultNumber
	faultStyle
	faultEncoding
	faultRepeated
	faultMissing
	faultMultipart
	faultPartType
	faultPartCharset
	faultFormSize
	faultText
)

var faults = [...]struct{ keyword, detail string }{
	faultSyntax:      {"json", "must be one JSON value as RFC 8259 writes it"},
	faultTrailing:    {"json", "must be exactly one JSON value, with nothing after it"},
	faultBOM:         {"json", "must not start with a byte order mark"},
	faultUTF8:        {"json", "must be UTF-8"},
	faultSurrogate:   {"json", "must not have an escaped surrogate without its pair"},
	faultDuplicate:   {"duplicate-name", "must not have two members of one name in an object"},
	faultDepth:       {"json-depth", "must not be nested more than 64 deep"},
	faultNumber:      {"json-number", "must not have a number of more than 64 characters or with an exponent beyond 400"},
	faultStyle:       {"style", "must be written in the style that the document gives"},
	faultEncoding:    {"encoding", "must be percent-encoded UTF-8"},
	faultRepeated:    {"repeated", "must not be given more than once"},
	faultMultipart:   {"multipart", "must be the parts of a form as RFC 7578 writes them: each with one Content-Disposition that names it, nothing around them"},
	faultPartType:    {"content-type", "the part must be of the media type that the document gives"},
	faultPartCharset: {"charset", "the part must be UTF-8"},
	faultFormSize:    {"form-size", "must not have more than 10000 fields, or more than 1000 parts with headers of 8 KiB each"},
	faultText:        {"encoding", "must be UTF-8"},
	faultMissing:     {"required", "the parameter is required"},
}

func (f fault) keyword() string { return faults[f].keyword }
func (f fault) detail() string  { return faults[f].detail }
