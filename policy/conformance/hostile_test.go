package conformance

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What costs other validators seconds and gigabytes, or stops them, is refused
// within 8 MiB of memory, all that is allocated counted; a body of the shortest
// values there are takes 20 bytes for each of them, and gets 12 MiB. The time is printed, not
// asserted: with the machine to itself each takes less than 10 ms.
func TestHostileBodiesAreRefusedForLittle(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	numbers := bodyOperation(t, "3.1.0", `{"type":"number","maximum":1,"multipleOf":0.1}`, "")
	anything := bodyOperation(t, "3.1.0", `{}`, "")
	tree := bodyOperation(t, "3.0.3", `{"$ref":"#/components/schemas/N"}`, recursive)
	general := bodyOperation(t, "3.1.0", `{"$ref":"#/components/schemas/N"}`, `{"N":{"type":"object","unevaluatedProperties":false,
		"properties":{"c":{"oneOf":[{"$ref":"#/components/schemas/N"},{"$ref":"#/components/schemas/N"}]}}}}`)
	unique := bodyOperation(t, "3.1.0", `{"uniqueItems":true,"maxItems":3}`, "")
	upload := partsOperation(t, "3.1.0", `{"schema":{"type":"object","properties":{"note":{"type":"string"},"file":{"type":"string","format":"binary","maxLength":1000000}}}}`)
	form := formOperation(t, `{"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"string"}},"b":{"type":"array","items":{"type":"string"}}}}}`)
	const mega = 1 << 20
	nested := strings.Repeat(`{"c":`, 18) + "1" + strings.Repeat("}", 18)
	if len(nested) != 109 {
		t.Fatalf("the recursive body has %d bytes", len(nested))
	}
	bomb := func(coding string) (http.Header, string) {
		return http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {coding}}, coded(t, coding, strings.Repeat(" ", 100<<20))
	}
	gzipHeader, gzipBomb := bomb("gzip")
	zstdHeader, zstdBomb := bomb("zstd")
	deflateHeader, deflateBomb := bomb("deflate")
	brotliHeader := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"br"}}
	for _, c := range []struct {
		name string
		o    *Operation
		h    http.Header
		body string
	}{
		{"an exponent of seven digits", numbers, jsonHeader, "1e5000000"},
		{"a negative one", numbers, jsonHeader, "1e-5000000"},
		{"a number of a million digits", numbers, jsonHeader, strings.Repeat("9", mega)},
		{"arrays 10,000 deep", anything, jsonHeader, strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)},
		{"objects 10,000 deep", anything, jsonHeader, strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)},
		{"a recursive oneOf in 109 bytes", tree, jsonHeader, nested},
		{"the same for the general engine", general, jsonHeader, nested},
		{"many names, the last one again", anything, jsonHeader, "{" + manyNames(60_000) + `"n0":1}`},
		{"a string without an end", anything, jsonHeader, `"` + strings.Repeat("\\u00e9", mega/6)},
		{"many items", unique, jsonHeader, "[" + strings.Repeat("1,", mega/2-2) + "1]"},
		{"a gzip bomb", anything, gzipHeader, gzipBomb},
		{"a deflate bomb", anything, deflateHeader, deflateBomb},
		{"a zstd bomb", anything, zstdHeader, zstdBomb},
		{"a brotli bomb, which is not decoded", anything, brotliHeader, gzipBomb},
		{"a form of half a million pairs", form, formHeader, strings.Repeat("a&", mega/2)},
		{"a multipart form of 60,000 parts", upload, partsHeader, strings.Repeat("--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", mega/52)},
	} {
		p := c.o.Body(c.h, true)
		measure(t, c.name, len(c.body), func() Result { return p.Check([]byte(c.body)) })
	}
	piece := []byte(strings.Repeat("\x00", 32<<10))
	for _, name := range []string{"note", "file"} {
		p := upload.Body(partsHeader, true)
		measure(t, "a multipart form of 100 MB in the field "+name, 100<<20, func() Result {
			w := p.Watch()
			w.Write([]byte("--XX\r\nContent-Disposition: form-data; name=" + name + "\r\n\r\n"))
			for sent := 0; sent < 100<<20; sent += len(piece) {
				if !w.Write(piece) {
					break // nobody reads on
				}
			}
			return w.End()
		})
	}
}

func measure(t *testing.T, name string, size int, judge func() Result) {
	t.Helper()
	judge() // pools and first compilations are no part of it
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	r := judge()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%s, %d bytes: %v, %d KiB", name, size, took, allocated>>10)
	if r.Reason == OK || r.Reason == Internal {
		t.Errorf("%s: got %+v, want it refused", name, r)
	}
	most := uint64(8 << 20)
	if strings.HasPrefix(name, "many ") {
		most = 12 << 20
	}
	if allocated > most {
		t.Errorf("%s: %d bytes allocated", name, allocated)
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"n` + strconv.Itoa(i) + `":1,`)
	}
	return b.String()
}
