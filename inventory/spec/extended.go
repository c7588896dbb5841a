package spec

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Extended is an object of a document that has extensions.
type Extended struct {
	Pointer string // a JSON pointer into the document; behind a reference to a file, through it
	// Kind is what it is: "document", "info", "path item", "operation", "parameter",
	// "schema" and so on, or "$ref" for an object that stands for another.
	Kind  string
	Names []string // of those that were asked for, sorted
}

// likeable are the names that are asked for.
func likeable(extensions map[string]any, like func(string) bool) (names []string) {
	for name := range extensions {
		if like(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ExtendedOperations calls f with the operations that have extensions with names that
// like is true for, and with what is around them: path items, the info and the
// document itself.
func (d *Document) ExtendedOperations(like func(name string) bool, f func(Extended)) {
	tell := func(extensions map[string]any, kind string, at ...string) {
		if names := likeable(extensions, like); len(names) > 0 {
			f(Extended{pointerTo(at), kind, names})
		}
	}
	tell(d.Root.Extensions, "document")
	if d.Root.Info != nil {
		tell(d.Root.Info.Extensions, "info", "info")
	}
	if d.Root.Paths == nil {
		return
	}
	items := d.Root.Paths.Map()
	for _, template := range slices.Sorted(maps.Keys(items)) {
		item := items[template]
		if item == nil {
			continue
		}
		tell(item.Extensions, "path item", "paths", template)
		operations := item.Operations()
		for _, method := range slices.Sorted(maps.Keys(operations)) {
			if op := operations[method]; op != nil {
				tell(op.Extensions, "operation", "paths", template, strings.ToLower(method))
			}
		}
	}
}

// Extended calls f with each object that has such extensions, components first, and
// each object once however many references lead to it. It walks all of the document.
func (d *Document) Extended(like func(name string) bool, f func(Extended)) {
	w := extendedWalk{like: like, f: f, seen: map[uintptr]bool{}, types: map[reflect.Type]*objectType{}}
	if d.Root.Components != nil {
		w.path = []string{"components"}
		w.value(reflect.ValueOf(d.Root.Components))
	}
	w.path = nil
	w.value(reflect.ValueOf(d.Root))
}

type extendedWalk struct {
	like  func(string) bool
	f     func(Extended)
	seen  map[uintptr]bool
	types map[reflect.Type]*objectType
	path  []string // of names, not escaped
}

// objectType is what is to know of a struct of kin-openapi's.
type objectType struct {
	kind       string
	extensions []int // where they stand; nil: it has none
	ref        []int // of one that stands for another
	fields     []objectField
	all        int // the method that gives what is kept unexported; -1 for none
}

type objectField struct {
	index int
	name  string // empty: it is not in the document
}

func (w *extendedWalk) typeOf(t reflect.Type) *objectType {
	if known := w.types[t]; known != nil {
		return known
	}
	o := &objectType{kind: kindOf(t.Name()), all: -1}
	w.types[t] = o
	if field, ok := t.FieldByName("Extensions"); ok {
		o.extensions = field.Index
	}
	if ref, ok := t.FieldByName("Ref"); ok && strings.HasSuffix(t.Name(), "Ref") {
		o.kind, o.ref = "$ref", ref.Index
	}
	if all, ok := reflect.PointerTo(t).MethodByName("Map"); ok {
		o.all = all.Index
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" {
			name = ""
		}
		if field.IsExported() && field.Name != "Extensions" && field.Name != "Origin" && holdsObjects(field.Type) {
			o.fields = append(o.fields, objectField{i, name})
		}
	}
	return o
}

// holdsObjects tells fields that may lead to an object from texts, numbers and data.
func holdsObjects(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

func (w *extendedWalk) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || w.seen[v.Pointer()] {
			return
		}
		w.seen[v.Pointer()] = true
		if v.Elem().Kind() != reflect.Struct {
			w.value(v.Elem())
			return
		}
		w.object(v.Elem())
		if all := w.typeOf(v.Type().Elem()).all; all >= 0 { // paths, answers and callbacks
			w.value(v.Method(all).Call(nil)[0])
		}
	case reflect.Struct:
		w.object(v)
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, key := range keys {
			w.in(key.String(), v.MapIndex(key))
		}
	case reflect.Slice:
		for i := range v.Len() {
			w.in(strconv.Itoa(i), v.Index(i))
		}
	}
}

func (w *extendedWalk) in(name string, v reflect.Value) {
	w.path = append(w.path, name)
	w.value(v)
	w.path = w.path[:len(w.path)-1]
}

func (w *extendedWalk) object(v reflect.Value) {
	t, ref := w.typeOf(v.Type()), ""
	if t.ref != nil {
		ref = v.FieldByIndex(t.ref).String()
	}
	if t.extensions != nil && (t.ref == nil || ref != "") {
		extensions, _ := v.FieldByIndex(t.extensions).Interface().(map[string]any)
		if names := likeable(extensions, w.like); len(names) > 0 {
			w.f(Extended{pointerTo(w.path), t.kind, names})
		}
	}
	if strings.HasPrefix(ref, "#/components/") {
		return // that is looked at where it stands
	}
	w.fields(v, t)
}

func (w *extendedWalk) fields(v reflect.Value, t *objectType) {
	for _, field := range t.fields {
		switch value := v.Field(field.index); {
		case v.Type().Field(field.index).Anonymous: // a header is a parameter within
			w.fields(value, w.typeOf(value.Type()))
		case field.name == "": // the value of a reference, or what may also be a boolean
			w.value(value)
		default:
			w.in(field.name, value)
		}
	}
}

func pointerTo(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteString("/" + escapePointer(name))
	}
	return b.String()
}

// kindOf writes the name of a type for people: "path item".
func kindOf(name string) string {
	if name == "T" {
		return "document"
	}
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
