package apiguard

import (
	"net/http"
	"slices"
	"strings"
)

// keptHeader is what a header was at some time. It keeps its room for the next one: an
// http.Header of its own would cost a map and a list for each answer that may be held.
type keptHeader struct {
	fields []keptField
	values []string // of all fields, one after another
}

type keptField struct {
	name string
	n    int // of the values
}

// keep takes a copy, values included: handlers replace these where they stand.
func (k *keptHeader) keep(h http.Header) {
	k.clear()
	for name, values := range h {
		k.fields = append(k.fields, keptField{name, len(values)})
		k.values = append(k.values, values...)
	}
}

// clear forgets what was kept.
func (k *keptHeader) clear() {
	clear(k.fields)
	clear(k.values)
	k.fields, k.values = k.fields[:0], k.values[:0]
}

// restore makes h what was kept, but for trailers if those are to stay.
func (k *keptHeader) restore(h http.Header, trailers bool) {
	left := k.values
	for _, f := range k.fields {
		values := left[:f.n]
		left = left[f.n:]
		if now, ok := h[f.name]; !ok || !slices.Equal(now, values) {
			h[f.name] = slices.Clone(values)
		}
	}
	if len(h) == len(k.fields) {
		return
	}
	for name := range h {
		if trailers && strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		if !slices.ContainsFunc(k.fields, func(f keptField) bool { return f.name == name }) {
			delete(h, name)
		}
	}
}

// of are the values of a field.
func (k *keptHeader) of(name string) []string {
	left := k.values
	for _, f := range k.fields {
		if f.name == name {
			return left[:f.n]
		}
		left = left[f.n:]
	}
	return nil
}
