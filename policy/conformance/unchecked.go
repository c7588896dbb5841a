package conformance

// The reasons of Result.Unchecked. They are labels of a metric: few and fixed.
const (
	uncheckedSchema    = "schema-unsupported"
	uncheckedPattern   = "pattern-unsupported"
	uncheckedParameter = "parameter-unsupported"
	uncheckedContent   = "parameter-content"
	uncheckedNested    = "deep-object-nested"
	uncheckedNoContent = "no-content-declared"
	uncheckedText      = "text-body"
	uncheckedBinary    = "binary-body"
	uncheckedForm      = "form-body"
	uncheckedMultipart = "multipart-body"
	uncheckedXML       = "xml-body"
	uncheckedYAML      = "yaml-body"
	uncheckedProtobuf  = "protobuf-body"
	uncheckedGRPC      = "grpc"
	uncheckedItems     = "item-schema"
	uncheckedQuery     = "querystring"
	uncheckedOther     = "media-type"

	// Of answers.
	uncheckedUpgrade = "upgrade"
	uncheckedPartial = "partial-content"
	uncheckedStatus  = "undocumented-status"
	uncheckedHead    = "head-response"
	uncheckedStream  = "stream"
	uncheckedCoding  = "content-coding"
	uncheckedCharset = "charset"
)

// UncheckedReasons are all values of Result.Unchecked.
func UncheckedReasons() []string {
	return []string{
		uncheckedSchema, uncheckedPattern, uncheckedParameter, uncheckedContent, uncheckedNested, uncheckedNoContent,
		uncheckedText, uncheckedBinary, uncheckedForm, uncheckedMultipart, uncheckedXML, uncheckedYAML,
		uncheckedProtobuf, uncheckedGRPC, uncheckedItems, uncheckedQuery, uncheckedOther,
		uncheckedUpgrade, uncheckedPartial, uncheckedStatus, uncheckedHead, uncheckedStream, uncheckedCoding, uncheckedCharset,
	}
}
