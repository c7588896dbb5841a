package policy

import (
	"net/http"
	"strings"
)

const (
	valueText  = 2 << 10 // bytes of text that are asked for at once,
	valueLists = 32      // and lists
)

// FieldValues makes the values of header fields without an allocation for each:
// it asks for the room of many and hands it out piece by piece. No piece is handed
// out again, since a header lives as long as whoever answers likes, and handlers
// around a guard may change its values in place. The zero value is ready; it is not
// safe for concurrent use.
type FieldValues struct {
	room  strings.Builder
	lists []string
}

// Text is a copy of a value.
func (f *FieldValues) Text(value []byte) string {
	if f.room.Cap()-f.room.Len() < len(value) {
		f.room = strings.Builder{}
		f.room.Grow(max(valueText, len(value)))
	}
	start := f.room.Len()
	f.room.Write(value)
	return f.room.String()[start:]
}

// List is a list of one value, without room for a second: who appends gets another.
func (f *FieldValues) List(value string) []string {
	if len(f.lists) == 0 {
		f.lists = make([]string, valueLists)
	}
	one := f.lists[:1:1]
	f.lists = f.lists[1:]
	one[0] = value
	return one
}

// Add adds a value to a field, whose name is in net/http's canonical form.
func (f *FieldValues) Add(h http.Header, name, value string) {
	if before := h[name]; len(before) > 0 {
		h[name] = append(before, value)
		return
	}
	h[name] = f.List(value)
}
