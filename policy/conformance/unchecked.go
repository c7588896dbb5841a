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
	uncheckedOther     = "media-type"
)
