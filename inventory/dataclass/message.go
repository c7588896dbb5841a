package dataclass

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxFound is how much is found in one message at most.
	maxFound = 64
	// maxValues is how many values of a message are looked at, maxDepth how deep.
	maxValues, maxDepth = 10_000, 64
	// maxPointer is how long a pointer gets, in bytes.
	maxPointer = 256
)

// Body finds what a body of a media type (lower case, without parameters) carries.
// It may be cut off. What is neither JSON nor a form nor text is not looked at.
func Body(mediaType string, body []byte) []Found {
	body = plain(body)
	switch kindOf(mediaType, body) {
	case kindJSON:
		return JSON(body)
	case kindForm:
		return Query(string(body))
	case kindText:
		return Text(string(body))
	default:
		return nil
	}
}

// finder collects what is found.
type finder struct {
	found []Found
	path  []string
	left  int
}

func (f *finder) add(s Set) {
	if s == 0 {
		return
	}
	p := pointer(f.path)
	for c := range NumClasses {
		if !s.Has(c) || len(f.found) == maxFound {
			continue
		}
		known := false
		for _, other := range f.found {
			known = known || other.Class == c && other.Pointer == p
		}
		if !known {
			f.found = append(f.found, Found{Class: c, Pointer: p})
		}
	}
}

var escapes = strings.NewReplacer("~", "~0", "/", "~1")

// pointer writes a JSON pointer (RFC 6901).
func pointer(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		_, _ = escapes.WriteString(&b, name)
		if b.Len() > maxPointer {
			return b.String()[:maxPointer]
		}
	}
	return b.String()
}

// JSON finds what JSON text carries, as far as it can be read: one value, or one after
// another as in lines and in sequences (RFC 7464).
func JSON(body []byte) []Found {
	d := json.NewDecoder(bytes.NewReader(bytes.ReplaceAll(body, []byte{0x1e}, []byte{' '})))
	d.UseNumber()
	f := finder{left: maxValues}
	for ok := true; ok; {
		_, ok = f.value(d, "", "")
	}
	return f.found
}

// object is what an object has besides its members one by one.
type object struct {
	latitude, longitude bool
	point, coordinates  bool // of GeoJSON (RFC 7946)
}

// value looks at the next value. name is its member's, or that of the array that it
// is in. numbers says how many numbers it has, also those that are written as text;
// ok is false when there is no more to read.
func (f *finder) value(d *json.Decoder, name, parent string) (numbers int, ok bool) {
	if f.left--; f.left < 0 || len(f.path) > maxDepth {
		return 0, false
	}
	token, err := d.Token()
	if err != nil {
		return 0, false
	}
	switch t := token.(type) {
	case string:
		f.add(value(name, parent, t, false))
		if isPlace(name, t) {
			f.add(Of(Location))
		}
		if _, err := strconv.ParseFloat(t, 64); err == nil {
			return 1, true
		}
	case json.Number:
		f.add(value(name, parent, t.String(), true))
		return 1, true
	case json.Delim:
		if t == '{' {
			return 0, f.object(d, name)
		}
		f.path = append(f.path, "*")
		defer func() { f.path = f.path[:len(f.path)-1] }()
		for d.More() {
			n, ok := f.value(d, name, parent)
			if !ok {
				return numbers, false
			}
			numbers += n
		}
		_, err := d.Token()
		return numbers, err == nil
	}
	return 0, true
}

func (f *finder) object(d *json.Decoder, name string) bool {
	var o object
	for d.More() {
		token, err := d.Token()
		member, isText := token.(string)
		if err != nil || !isText {
			return false
		}
		f.path = append(f.path, cleanName(member))
		numbers, ok := f.value(d, member, name)
		f.path = f.path[:len(f.path)-1]
		if !ok {
			return false
		}
		o.see(member, numbers)
	}
	if o.latitude && o.longitude || o.point && o.coordinates {
		f.add(Of(Location))
	}
	_, err := d.Token()
	return err == nil
}

// see notes a member with so many numbers in it.
func (o *object) see(member string, numbers int) {
	switch strings.ToLower(member) {
	case "lat", "latitude":
		o.latitude = o.latitude || numbers == 1
	case "lon", "lng", "long", "longitude":
		o.longitude = o.longitude || numbers == 1
	case "coordinates":
		o.coordinates = numbers >= 2
	case "type":
		o.point = true
	}
}

// isPlace takes texts of coordinates: "52.52,13.405" where the name says so, and
// geo: URIs (RFC 5870).
func isPlace(name, text string) bool {
	text, isURI := strings.CutPrefix(text, "geo:")
	if !isURI {
		switch list := words(name); {
		case len(list) == 0:
			return false
		default:
			switch strings.ToLower(name) {
			case "location", "geo", "geolocation", "coordinates", "coords", "position", "latlng", "latlon", "lat_lng", "gps", "point":
			default:
				return false
			}
		}
	}
	a, b, ok := strings.Cut(text, ",")
	if !ok {
		return false
	}
	b, _, _ = strings.Cut(b, ";")
	x, err := strconv.ParseFloat(strings.TrimSpace(a), 64)
	y, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
	return err == nil && err2 == nil && strings.Contains(a, ".") && x >= -180 && x <= 180 && y >= -180 && y <= 180
}

// Query finds what a raw query or a form carries; the pointer of a parameter is its
// name.
func Query(raw string) []Found {
	f := finder{left: maxValues}
	for pair := range strings.SplitSeq(raw, "&") {
		if f.left--; f.left < 0 {
			break
		}
		name, text, _ := strings.Cut(pair, "=")
		name, ok := unescaped(name)
		text, ok2 := unescaped(text)
		if !ok || !ok2 {
			continue
		}
		f.path = append(f.path[:0], cleanName(name))
		f.add(value(name, "", text, false))
		if isPlace(name, text) {
			f.add(Of(Location))
		}
	}
	return f.found
}

func unescaped(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	out, err := url.QueryUnescape(s)
	return out, err == nil
}

// Text finds what plain text carries, word by word.
func Text(text string) []Found {
	f := finder{left: maxValues}
	if hasEmail(text) {
		f.add(Of(Email))
	}
	if i := strings.Index(text, "-----BEGIN "); i >= 0 && secretForm(text[i:]) {
		f.add(Of(Secret))
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r <= ' ' || strings.ContainsRune(",;\"'<>|", r) }) {
		if f.left--; f.left < 0 {
			break
		}
		switch word = word[:min(len(word), maxValue)]; {
		case isJWT(word):
			f.add(Of(JWT))
		case secretForm(word):
			f.add(Of(Secret))
		case isIBAN(word):
			f.add(Of(IBAN))
		case isNationalID(word):
			f.add(Of(NationalID))
		case isCard(word):
			f.add(Of(PaymentCard))
		case word[0] == '+' && isPhone(word):
			f.add(Of(Phone))
		}
	}
	return f.found
}

// Path finds what the segments of a path carry; their values have no names.
func Path(path string) []Found {
	f := finder{left: maxDepth}
	for segment := range strings.SplitSeq(path, "/") {
		if f.left--; f.left < 0 {
			break
		}
		if segment, err := url.PathUnescape(segment); err == nil {
			f.add(value("id", "", segment, false))
		}
	}
	return f.found
}
