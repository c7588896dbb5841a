package conformance

import "github.com/getkin/kin-openapi/openapi3"

// hint is what a schema says about the form of a parameter's value: text has no
// types of its own, the schema must tell how to read it.
type hint struct {
	types types // anyType when the schema does not say
	item  *hint
	props map[string]*hint
	rest  *hint // of other properties; nil: any text is a string
	open  bool  // an object may have other properties than props
	bytes bool  // a string of any bytes, as files are described

	// marked: it cannot be told, since a schema is known as it was written only.
	marked bool
}

// maxHintDepth is how deep hints follow a schema: styles write two levels, and
// alternatives may stand before each.
const maxHintDepth = 4

func hintOf(r *openapi3.SchemaRef, depth int) *hint {
	return hints{}.of(r, depth)
}

// hints are those that are made already: schemas that name each other have many more
// ways to a schema than there are schemas.
type hints map[hintKey]*hint

type hintKey struct {
	schema *openapi3.Schema
	depth  int
}

func (known hints) of(r *openapi3.SchemaRef, depth int) *hint {
	h := &hint{types: anyType, open: true, marked: r != nil && r.Value != nil && isMarked(r.Value)}
	if r == nil || r.Value == nil || depth == 0 {
		return h
	}
	s := r.Value
	if made := known[hintKey{s, depth}]; made != nil {
		return made
	}
	known[hintKey{s, depth}] = h
	h.types = declaredTypes(s)
	if s.Items != nil {
		h.item = known.of(s.Items, depth-1)
		h.marked = h.marked || h.item.marked
	}
	for name, p := range s.Properties {
		of := known.of(p, depth-1)
		h.prop(name, of)
		h.marked = h.marked || of.marked
	}
	if has := s.AdditionalProperties.Has; has != nil && !*has {
		h.open = false
	}
	if s.AdditionalProperties.Schema != nil {
		h.rest = known.of(s.AdditionalProperties.Schema, depth-1)
		h.marked = h.marked || h.rest.marked
	}
	h.bytes = s.Format == "binary" || s.ContentMediaType != "" && s.ContentEncoding == ""
	for _, r := range s.AllOf {
		part := known.of(r, depth-1)
		h.join(part)
		h.types &= part.types
		h.open = h.open && part.open
	}
	for _, list := range []openapi3.SchemaRefs{s.AnyOf, s.OneOf} {
		var union types
		for _, r := range list {
			part := known.of(r, depth-1)
			h.join(part)
			union |= part.types
		}
		if len(list) > 0 {
			h.types &= union
		}
	}
	if h.types == 0 {
		h.types = anyType
	}
	return h
}

func declaredTypes(s *openapi3.Schema) types {
	var set types
	if s.Type != nil {
		for _, name := range *s.Type {
			set |= typesOf(name)
		}
		return set
	}
	values := s.Enum
	if s.Const != nil {
		values = []any{s.Const}
	}
	for _, v := range values {
		switch v.(type) {
		case string:
			set |= typeString
		case bool:
			set |= typeBoolean
		case float64, int, int64, uint64:
			set |= typeNumber | typeInteger
		default:
			return anyType
		}
	}
	if set == 0 {
		return anyType
	}
	return set
}

func (h *hint) prop(name string, p *hint) {
	if h.props == nil {
		h.props = map[string]*hint{}
	}
	if h.props[name] == nil {
		h.props[name] = p
	}
}

func (h *hint) join(part *hint) {
	if h.item == nil {
		h.item = part.item
	}
	if h.rest == nil {
		h.rest = part.rest
	}
	h.bytes = h.bytes || part.bytes
	h.marked = h.marked || part.marked
	for name, p := range part.props {
		h.prop(name, p)
	}
}

// itemTypes and propTypes are the types of what is within. A nil hint, and a
// schema without types, take any text as a string.
func (h *hint) itemTypes() types { return h.item.scalars() }

func (h *hint) propTypes(name []byte) types {
	if p := h.props[string(name)]; p != nil {
		return p.scalars()
	}
	return h.rest.scalars()
}

// has tells whether the schema says that a value may be of the type.
func (h *hint) has(t types) bool { return h != nil && h.types != anyType && h.types&t != 0 }

func (h *hint) scalars() types {
	if h == nil || h.types == anyType {
		return typeString
	}
	return h.types
}

// shape is a form that a parameter's value may have.
type shape uint8

const (
	shapeScalar shape = iota
	shapeArray
	shapeObject
)

// shapes are the forms to try, in order. A schema without types takes scalars.
func (h *hint) shapes() []shape {
	if h.types == anyType {
		return []shape{shapeScalar}
	}
	var list []shape
	if h.types&typeArray != 0 {
		list = append(list, shapeArray)
	}
	if h.types&typeObject != 0 {
		list = append(list, shapeObject)
	}
	if h.types&^(typeArray|typeObject) != 0 || list == nil {
		list = append(list, shapeScalar)
	}
	return list
}
