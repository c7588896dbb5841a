package conformance

import (
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// style is how a parameter's value is written: OpenAPI's `style`.
type style uint8

const (
	styleUnknown style = iota
	styleSimple
	styleLabel
	styleMatrix
	styleForm
	styleSpace
	stylePipe
	styleDeep
	styleCookie // OpenAPI 3.2: as form, without percent-encoding
)

var styleNames = map[string]style{
	"simple": styleSimple, "label": styleLabel, "matrix": styleMatrix, "form": styleForm,
	"spaceDelimited": styleSpace, "pipeDelimited": stylePipe, "deepObject": styleDeep, "cookie": styleCookie,
}

// stylesOf are the styles that each location may have.
var stylesOf = map[Where][]style{
	InPath:   {styleSimple, styleLabel, styleMatrix},
	InQuery:  {styleForm, styleSpace, stylePipe, styleDeep},
	InHeader: {styleSimple},
	InCookie: {styleForm, styleCookie},
}

// setStyle applies the defaults of OpenAPI: simple in path and header, form in
// query and cookie; explode for form (and cookie) alone.
func (p *parameter) setStyle(d *openapi3.Parameter) {
	allowed := stylesOf[p.in]
	if len(allowed) == 0 {
		return
	}
	p.style = allowed[0]
	if d.Style != "" {
		p.style = styleUnknown
		for _, s := range allowed {
			if styleNames[d.Style] == s {
				p.style = s
			}
		}
	}
	p.explode = p.style == styleForm || p.style == styleCookie
	if d.Explode != nil {
		p.explode = *d.Explode
	}
	if p.style == styleCookie {
		p.style, p.raw = styleForm, true
	}
}

// encoding is what stands for a character that the syntax does not let through.
type encoding uint8

const (
	encodedNot     encoding = iota // headers
	encodedPercent                 // paths and cookies
	encodedForm                    // queries: `+` is a space too
)

func (p *parameter) encoding() encoding {
	switch {
	case p.raw || p.in == InHeader:
		return encodedNot
	case p.in == InQuery:
		return encodedForm
	default:
		return encodedPercent
	}
}

// separator is what stands between the items of a value that is one text.
type separator uint8

const (
	comma separator = iota
	dot
	semicolon
	space // %20 or +
	pipe  // | or %7C
	ampersand
)

// cut gives the text before the next separator and what follows it. It looks at
// the text as it was sent: an encoded comma is no separator. Spaces and pipes
// cannot stand in a URI as such, so that their encoded forms do separate, as
// OpenAPI 3.1.1 appendix E has it.
func (s separator) cut(text string) (piece, rest string, more bool) {
	switch s {
	case space:
		return cutEncoded(text, '+', "%20")
	case pipe:
		return cutEncoded(text, '|', "%7C")
	}
	return strings.Cut(text, [...]string{comma: ",", dot: ".", semicolon: ";", ampersand: "&"}[s])
}

func cutEncoded(text string, raw byte, encoded string) (piece, rest string, more bool) {
	for i := range len(text) {
		if text[i] == raw {
			return text[:i], text[i+1:], true
		}
		if text[i] == '%' && i+3 <= len(text) && strings.EqualFold(text[i:i+3], encoded) {
			return text[:i], text[i+3:], true
		}
	}
	return text, "", false
}

func (p *parameter) separator() separator {
	switch {
	case p.style == styleSpace:
		return space
	case p.style == stylePipe:
		return pipe
	case p.style == styleLabel && p.explode:
		return dot
	case p.style == styleMatrix && p.explode:
		return semicolon
	default:
		return comma
	}
}
