package dataclass

import (
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// Declared is what a document says that an operation carries.
type Declared struct {
	Found
	// Answer says that it is in an answer, else in a request.
	Answer bool
	// In is where: "body", "query", "path", "header" or "cookie".
	In string
	// None says that the document declares that there is none of the class:
	// `x-data-class: none`. Class is not set then; it counts for every class.
	None bool
}

const (
	// extension is how a schema or parameter names its classes: one, or a list; or
	// "none", where names and values mislead.
	extension = "x-data-class"
	// maxSchemaDepth is how deep a schema is looked into, maxDeclared how much of an
	// operation is found.
	maxSchemaDepth, maxDeclared = 12, 128
	// maxSchemas is how many schemas of one parameter or body are looked at. Where each of
	// some thirty names all others there are more ways through them than can be gone.
	maxSchemas = 10_000
)

// formats are the formats that name a class.
var formats = map[string]Class{
	"email": Email, "idn-email": Email, "phone": Phone, "phone-number": Phone, "e164": Phone, "credit-card": PaymentCard, "card-number": PaymentCard,
	"iban": IBAN, "ssn": NationalID, "jwt": JWT, "password": Password,
}

// Operation is what the documents say that an operation carries: by x-data-class,
// else by format, else by name.
func Operation(item *openapi3.PathItem, op *openapi3.Operation) []Declared {
	r := reader{}
	r.operation(item, op)
	return r.found
}

// Problems are what the documents say of an operation's classes in a way that cannot
// be used, each once: x-data-class with what is no class.
func Problems(item *openapi3.PathItem, op *openapi3.Operation) []string {
	r := reader{}
	r.operation(item, op)
	slices.Sort(r.problems) // media types and answers come in no order
	return r.problems
}

func (r *reader) operation(item *openapi3.PathItem, op *openapi3.Operation) {
	if op == nil {
		return
	}
	parameters := op.Parameters
	if item != nil {
		parameters = append(slices.Clone(parameters), item.Parameters...)
	}
	for _, p := range parameters {
		if p != nil && p.Value != nil && p.Value.Schema != nil && p.Value.Schema.Value != nil {
			r.in, r.path = p.Value.In, append(r.path[:0], p.Value.Name)
			if !r.declare(p.Value.Extensions) {
				r.root(p.Value.Name, p.Value.Schema.Value)
			}
		}
	}
	if op.RequestBody != nil && op.RequestBody.Value != nil {
		r.content(op.RequestBody.Value.Content)
	}
	if op.Responses == nil {
		return
	}
	r.answer = true
	for status, response := range op.Responses.Map() {
		if strings.HasPrefix(status, "2") && response != nil && response.Value != nil {
			r.content(response.Value.Content)
		}
	}
}

// reader collects what the document of an operation says.
type reader struct {
	found    []Declared
	problems []string
	answer   bool
	in       string
	path     []string
	left     int // how many schemas are still looked at
}

func (r *reader) content(content openapi3.Content) {
	for _, media := range content {
		if media != nil && media.Schema != nil && media.Schema.Value != nil {
			r.in, r.path = "body", r.path[:0]
			r.root("", media.Schema.Value)
		}
	}
}

func (r *reader) add(d Declared) {
	d.Answer, d.In, d.Pointer = r.answer, r.in, pointer(r.path)
	if len(r.found) < maxDeclared && !slices.Contains(r.found, d) {
		r.found = append(r.found, d)
	}
}

// declare takes x-data-class, and reports whether there was one that says something.
func (r *reader) declare(extensions map[string]any) bool {
	value, ok := extensions[extension]
	if !ok || value == nil {
		return false
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	if len(list) == 0 {
		r.problem("an empty list")
	}
	said := false
	for _, v := range list {
		name, isText := v.(string)
		switch class, ok := Parse(name); {
		case ok:
			r.add(Declared{Found: Found{Class: class}})
			said = true
		case name == "none":
			r.add(Declared{None: true})
			said = true
		case isText:
			r.problem(strconv.Quote(name))
		default:
			r.problem("a value that is no text")
		}
	}
	return said
}

func (r *reader) problem(has string) {
	text := extension + " has " + has + ", which is no class of data and not in force: write one of " + strings.Join(names[:], ", ") + ", a list of them, or none"
	if len(r.problems) < maxDeclared && !slices.Contains(r.problems, text) {
		r.problems = append(r.problems, text)
	}
}

// root looks at the schema of a parameter or body.
func (r *reader) root(name string, s *openapi3.Schema) {
	r.left = maxSchemas
	r.schema(name, "", s, nil)
}

// schema looks at the schema of a value with a name. above are the schemas that it
// is in.
func (r *reader) schema(name, parent string, s *openapi3.Schema, above []*openapi3.Schema) {
	if len(above) > maxSchemaDepth || slices.Contains(above, s) || len(r.found) == maxDeclared || r.left == 0 {
		return
	}
	r.left--
	above = append(above, s)
	if r.declare(s.Extensions) {
		return
	}
	if scalar(s) {
		if class, ok := declaredBy(name, parent, s); ok {
			r.add(Declared{Found: Found{Class: class}})
		}
	}
	for _, part := range slices.Concat(s.AllOf, s.OneOf, s.AnyOf) {
		if part != nil && part.Value != nil {
			r.schema(name, parent, part.Value, above)
		}
	}
	if s.Items != nil && s.Items.Value != nil {
		r.path = append(r.path, "*")
		r.schema(name, parent, s.Items.Value, above)
		r.path = r.path[:len(r.path)-1]
	}
	if more := s.AdditionalProperties.Schema; more != nil && more.Value != nil {
		r.path = append(r.path, "*")
		r.schema("", name, more.Value, above)
		r.path = r.path[:len(r.path)-1]
	}
	for _, member := range sortedNames(s.Properties) {
		p := s.Properties[member]
		if p == nil || p.Value == nil {
			continue
		}
		r.path = append(r.path, member)
		r.schema(member, name, p.Value, above)
		r.path = r.path[:len(r.path)-1]
	}
	if isPosition(s.Properties) {
		r.add(Declared{Found: Found{Class: Location}})
	}
}

func sortedNames(properties openapi3.Schemas) []string {
	list := make([]string, 0, len(properties))
	for name := range properties {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// scalar reports whether a value may be a text or a number.
func scalar(s *openapi3.Schema) bool {
	return s.Type == nil && len(s.Properties) == 0 || s.Type != nil && (s.Type.Includes("string") || s.Type.Includes("integer") || s.Type.Includes("number"))
}

// declaredBy goes by format and name.
func declaredBy(name, parent string, s *openapi3.Schema) (Class, bool) {
	if class, ok := formats[s.Format]; ok {
		return class, true
	}
	text := s.Type == nil || s.Type.Includes("string")
	class, ok := hintOf(name)
	switch {
	case !ok && lineOfAddress(name, parent):
		return PostalAddress, true
	case !ok || len(s.Enum) > 0:
		return 0, false
	case s.Format == "uri" || s.Format == "date-time" && class != DateOfBirth:
		return 0, false
	case !text && class != Phone && class != PaymentCard && class != NationalID && class != PostalAddress:
		return 0, false
	case class == PostalAddress && s.Type == nil:
		return 0, false
	default:
		return class, true
	}
}

func isPosition(properties openapi3.Schemas) bool {
	latitude, longitude := false, false
	for name := range properties {
		switch strings.ToLower(name) {
		case "lat", "latitude":
			latitude = true
		case "lon", "lng", "long", "longitude":
			longitude = true
		}
	}
	return latitude && longitude
}
