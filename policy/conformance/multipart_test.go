package conformance

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

var partsHeader = http.Header{"Content-Type": {`multipart/form-data; boundary=XX`}}

// partsOf writes a multipart body: each part is the rest of its header after
// `Content-Disposition: form-data; name=`, an empty line and its content.
func partsOf(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("--XX\r\nContent-Disposition: form-data; name=" + strings.ReplaceAll(p, "\n", "\r\n") + "\r\n")
	}
	return b.String() + "--XX--\r\n"
}

func partsOperation(t testing.TB, version, entry string) *Operation {
	t.Helper()
	return operation(t, document(t, `{"openapi":"`+version+`","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
		"multipart/form-data":`+entry+`}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
}

const upload = `{"schema":{"type":"object","required":["id"],"additionalProperties":false,"properties":{
	"id":{"type":"integer"},"note":{"type":"string","maxLength":4},"tags":{"type":"array","maxItems":2,"items":{"type":"string","enum":["a","b"]}},
	"meta":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}},
	"lines":{"type":"array","items":{"type":"object","required":["n"]}},
	"file":{"type":"string","format":"binary","maxLength":8},
	"images":{"type":"array","items":{"type":"string","format":"binary"}}}},
	"encoding":{"images":{"contentType":"image/png, image/j*, image/*","headers":{"X-Rate":{"required":true,"schema":{"type":"integer","maximum":9}}}},"file":{"contentType":"application/octet-stream"}}}`

func TestPartsAreJudgedAndTheirTwinsRefused(t *testing.T) {
	id := "\"id\"\n\n5"
	png := "\nContent-Type: image/png\nX-Rate: 3\n\n\x89PNG\xff"
	for _, version := range []string{"3.0.3", "3.1.0", "3.2.0"} {
		o := partsOperation(t, version, upload)
		if p := o.Problems(); len(p) > 0 {
			t.Fatalf("problems: %q", p)
		}
		for _, c := range []struct {
			name, good, bad, keyword, pointer string
		}{
			{"a number", partsOf(id), partsOf("\"id\"\n\nx"), "type", "/id"},
			{"a required field", partsOf(id), partsOf("\"note\"\n\na"), "required", ""},
			{"a name without quotes", partsOf("id\n\n5"), partsOf("id\n\n5x"), "type", "/id"},
			{"undeclared fields", partsOf(id), partsOf(id, "\"role\"\n\nadmin"), "additionalProperties", ""},
			{"text", partsOf(id, "\"note\"\n\näöü€"), partsOf(id, "\"note\"\n\näöü€x"), "maxLength", "/note"},
			{"text that is UTF-8", partsOf(id, "\"note\"\nContent-Type: text/plain; charset=UTF-8\n\nä"), partsOf(id, "\"note\"\n\n\xff"), "charset", "/note"},
			{"the charset", partsOf(id, "\"note\"\nContent-Type: text/plain;charset=\"utf-8\"\n\na"), partsOf(id, "\"note\"\nContent-Type: text/plain; charset=utf-16\n\na"), "charset", ""},
			{"an empty part", partsOf(id, "\"note\"\n\n"), partsOf("\"id\"\n\n"), "type", "/id"},
			{"a list", partsOf(id, "\"tags\"\n\na", "\"tags\"\n\nb"), partsOf(id, "\"tags\"\n\na", "\"tags\"\n\nc"), "enum", "/tags/1"},
			{"a list's length", partsOf("\"tags\"\n\na", id, "\"tags\"\n\nb"), partsOf("\"tags\"\n\na", id, "\"tags\"\n\nb", "\"tags\"\n\na"), "maxItems", "/tags"},
			{"JSON", partsOf(id, "\"meta\"\nContent-Type: application/json\n\n{\"n\":1}"), partsOf(id, "\"meta\"\nContent-Type: application/json\n\n{\"n\":true}"), "type", "/meta/n"},
			{"JSON without a type", partsOf(id, "\"meta\"\n\n{\"n\":1}"), partsOf(id, "\"meta\"\n\n{}"), "required", "/meta"},
			{"strict JSON", partsOf(id, "\"meta\"\n\n {\"n\":1} "), partsOf(id, "\"meta\"\n\n{\"n\":1}{}"), "json", "/meta"},
			{"JSON of a profile", partsOf(id, "\"meta\"\nContent-Type: application/x+json\n\n{\"n\":1}"), partsOf(id, "\"meta\"\nContent-Type: text/xml\n\n{\"n\":1}"), "content-type", "/meta"},
			{"a list of JSON", partsOf(id, "\"lines\"\n\n{\"n\":1}", "\"lines\"\n\n{\"n\":2}"), partsOf(id, "\"lines\"\n\n{\"n\":1}", "\"lines\"\n\n{}"), "required", "/lines/1"},
			{"a file of any bytes", partsOf(id, "\"file\"; filename=\"C:\\dir\\a b.bin\"\nContent-Type: application/octet-stream\n\n\x00\xff\r\n--X"), partsOf(id, "\"file\"; filename=\"a\"\nContent-Type: application/octet-stream\n\n123456789"), "maxLength", "/file"},
			{"a file's type", partsOf(id, "\"file\"; filename=a\nContent-Type: application/octet-stream\n\nx"), partsOf(id, "\"file\"; filename=a\nContent-Type: text/html\n\nx"), "content-type", "/file"},
			{"a file without a type", partsOf(id, "\"file\"\n\nx"), partsOf(id, "\"file\"; filename=a\n\nx"), "content-type", "/file"},
			{"images", partsOf(id, "\"images\"; filename=\"a.png\""+png, "\"images\"; filename=\"b.png\""+png), partsOf(id, "\"images\"; filename=\"a.gz\"\nContent-Type: application/gzip\nX-Rate: 3\n\nx"), "content-type", "/images"},
			{"a part's header", partsOf(id, "\"images\"; filename=\"a.png\""+png), partsOf(id, "\"images\"; filename=a\nContent-Type: image/png\nX-Rate: 10\n\nx"), "maximum", ""},
			{"a part's required header", partsOf(id, "\"images\"; filename=\"a.png\""+png), partsOf(id, "\"images\"; filename=a\nContent-Type: image/png\n\nx"), "required", ""},
			{"a second value", partsOf(id, "\"note\"\n\na"), partsOf(id, "\"note\"\n\na", "\"note\"\n\nb"), "repeated", "/note"},
			{"transfer encodings", partsOf("\"id\"\nContent-Transfer-Encoding: 8bit\n\n5"), partsOf("\"id\"\nContent-Transfer-Encoding: base64\n\nNQ=="), "multipart", ""},
			{"one disposition", partsOf(id), partsOf("\"id\"\nContent-Disposition: form-data; name=\"note\"\n\n5"), "multipart", ""},
			{"one name", partsOf(id), partsOf("\"id\"; name=\"note\"\n\n5"), "multipart", ""},
			{"one file name", partsOf("\"id\"; filename=\"a\"\n\n5"), partsOf("\"id\"; filename=\"a\"; filename=\"b\"\n\n5"), "multipart", ""},
			{"no extended file name", partsOf("\"id\"; filename=\"a\"\n\n5"), partsOf("\"id\"; filename*=utf-8''a\n\n5"), "multipart", ""},
			{"a quote is the end", partsOf("\"id\"; filename=\"a\"\n\n5"), partsOf("\"id\"; filename=\"a\\\"; name=\\\"note\"\n\n5"), "multipart", ""},
			{"a folded header", partsOf(id), partsOf("\"id\"\n ; filename=\"a\"\n\n5"), "multipart", ""},
			{"bare newlines", partsOf(id), strings.ReplaceAll(partsOf(id), "\r\n", "\n"), "multipart", ""},
			{"text before the parts", partsOf(id), "before\r\n" + partsOf(id), "multipart", ""},
			{"text after the parts", partsOf(id), partsOf(id) + "after", "multipart", ""},
			{"no final line break", strings.TrimSuffix(partsOf(id), "\r\n"), strings.TrimSuffix(partsOf(id), "-\r\n"), "multipart", ""},
			{"blanks after a boundary", partsOf(id), strings.Replace(partsOf(id), "--XX\r\n", "--XX \r\n", 1), "multipart", ""},
			{"a line that starts as a boundary", partsOf(id), partsOf("\"id\"\n\n5\n--XXY"), "multipart", ""},
			{"no part", partsOf(id), partsOf(), "multipart", ""},
			{"nothing", partsOf(id), "", "multipart", ""},
			{"cut off", partsOf(id), partsOf(id)[:40], "multipart", ""},
		} {
			p := o.Body(partsHeader, true)
			if r := p.Check([]byte(c.good)); p.Action != Judge || r.Reason != OK || r.Unchecked != "" {
				t.Errorf("%s: got %+v, want it to pass\n%s", c.name, r, c.good)
			}
			r := p.Check([]byte(c.bad))
			if r.Reason != Invalid || r.Errors[0].Keyword != c.keyword || c.pointer != "" && r.Errors[0].Pointer != c.pointer {
				t.Errorf("%s: got %+v, want it refused for %s at %q\n%s", c.name, r, c.keyword, c.pointer, c.bad)
			}
			for _, size := range []int{1, 7, 4096} {
				if r := watched(&p, c.good, size); r.Reason != OK {
					t.Errorf("%s: in pieces of %d: got %+v, want it to pass", c.name, size, r)
				}
				if r := watched(&p, c.bad, size); r.Reason != Invalid || r.Errors[0].Keyword != c.keyword {
					t.Errorf("%s: in pieces of %d: got %+v, want it refused for %s", c.name, size, r, c.keyword)
				}
			}
		}
	}
}

// watched judges a body that comes in pieces of a size.
func watched(p *BodyPlan, body string, size int) Result {
	w := p.Watch()
	for len(body) > 0 {
		n := min(size, len(body))
		if !w.Write([]byte(body[:n])) {
			break
		}
		body = body[n:]
	}
	return w.End()
}

func TestFilesOfAnySizeAreJudgedWhileTheyPass(t *testing.T) {
	o := partsOperation(t, "3.1.0", `{"schema":{"type":"object","required":["file","n"],"properties":{"n":{"type":"integer"},"file":{"type":"string","format":"binary","minLength":3}}}}`)
	p := o.Body(partsHeader, true)
	if !p.Watches() {
		t.Fatal("it cannot be watched")
	}
	piece := bytes.Repeat([]byte("\x00\r\n--X"), 4<<10)
	for end, want := range map[string]string{
		partsOf("n\n\n5"): "", partsOf("n\n\nx"): "type", "--XX--\r\n": "required", "": "multipart",
		partsOf("n\n\n5", "file\n\nab"):               "repeated",
		partsOf("t\n\n" + strings.Repeat("a", 1<<20)): "body-too-large",
	} {
		w := p.Watch()
		w.Write([]byte("--XX\r\nContent-Disposition: form-data; name=file\r\n\r\n"))
		for range 100 {
			if !w.Write(piece) {
				t.Fatalf("%.20q: refused while it passes: %+v", end, w.End())
			}
		}
		w.Write([]byte("\r\n" + end))
		r := w.End()
		if got := keywords(r); got != want && !(r.Reason == BodyTooLarge && want == "body-too-large") {
			t.Errorf("%.20q: got %+v, want %q", end, r, want)
		}
		if len(w.kept) > 4<<10 {
			t.Errorf("%d bytes are kept", len(w.kept))
		}
	}
	for _, entry := range []string{
		`{"schema":{"type":"object","properties":{"n":{"type":"integer"}}}}`,
		`{"schema":{"type":"object","properties":{"file":{"type":"string","format":"binary","pattern":"a"}}}}`,
		`{"schema":{"type":"object","properties":{"files":{"type":"array","uniqueItems":true,"items":{"type":"string","format":"binary"}}}}}`,
		`{"schema":{"type":"object","properties":{"file":{"type":"string","format":"binary"}},"not":{"required":["file"]}}}`,
	} {
		if p := partsOperation(t, "3.1.0", entry).Body(partsHeader, true); p.Watches() {
			t.Errorf("%s: files that are judged by their bytes must be read", entry)
		}
	}
}

func TestABodyOfBytesIsCounted(t *testing.T) {
	o := operation(t, document(t, `{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/":{"post":{"requestBody":{"content":{
		"application/octet-stream":{"schema":{"type":"string","format":"binary","maxLength":10}}}},"responses":{"200":{"description":"ok"}}}}}}`), "POST", "/", Config{})
	p := o.Body(http.Header{"Content-Type": {"application/octet-stream"}}, true)
	for body, want := range map[string]Reason{"0123456789": OK, "0123456789a": BodyTooLarge} {
		if r := watched(&p, body, 4); !p.Watches() || r.Reason != want {
			t.Errorf("%s: got %+v", body, r)
		}
	}
}

func TestTheBoundaryMustBeOneThatEveryReaderSees(t *testing.T) {
	o := partsOperation(t, "3.1.0", upload)
	for value, want := range map[string]Action{
		"multipart/form-data; boundary=XX": Judge, `multipart/form-data; boundary="X X"`: Judge, "Multipart/Form-Data;charset=utf-8;Boundary=XX": Judge,
		"multipart/form-data": Refuse, "multipart/form-data; boundary=": Refuse, "multipart/form-data; boundary=XX; boundary=YY": Refuse,
		`multipart/form-data; boundary="X "`: Refuse, `multipart/form-data; boundary="X\tX"`: Refuse, "multipart/form-data; boundary=" + strings.Repeat("X", 71): Refuse,
		"multipart/mixed; boundary=XX": Refuse,
	} {
		if p := o.Body(http.Header{"Content-Type": {value}}, true); p.Action != want || want == Refuse && p.Result.Reason != MediaTypeUnsupported {
			t.Errorf("%s: got %+v", value, p)
		}
	}
}

func TestPartsAreBounded(t *testing.T) {
	o := partsOperation(t, "3.1.0", `{"schema":{"type":"object"}}`)
	p := o.Body(partsHeader, true)
	var list []string
	for i := range maxParts + 1 {
		list = append(list, "f"+mustJSON(t, i)+"\n\nx")
	}
	if r := p.Check([]byte(partsOf(list[:maxParts]...))); r.Reason != OK {
		t.Errorf("got %+v", r)
	}
	if r := p.Check([]byte(partsOf(list...))); keywords(r) != "form-size" {
		t.Errorf("got %+v", r)
	}
	if r := p.Check([]byte(partsOf("a\nX-A: " + strings.Repeat("a", maxPartHeader) + "\n\nx"))); keywords(r) != "form-size" {
		t.Errorf("got %+v", r)
	}
}

func TestPartsAreNotCopied(t *testing.T) {
	o := partsOperation(t, "3.1.0", `{"schema":{"type":"object","required":["file"],"properties":{"file":{"type":"string","format":"binary"}}}}`)
	body := []byte(partsOf("\"file\"; filename=\"a\"\n\n" + strings.Repeat("\x00\xff", 400<<10)))
	p := o.Body(partsHeader, true)
	got := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if r := p.Check(body); r.Reason != OK {
				b.Fatal(r)
			}
		}
	}).AllocedBytesPerOp()
	if got > 16<<10 && !raceDetector {
		t.Errorf("%d bytes allocated for a body of %d", got, len(body))
	}
}

// What is judged and what Go's reader makes of it must be the same fields.
func FuzzMultipart(f *testing.F) {
	o := partsOperation(f, "3.1.0", `{"schema":{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},"b":{"type":"object"},"c":{"type":"string","format":"binary"}}}}`)
	for _, s := range []string{
		partsOf("\"a\"\n\n1", "\"a\"\n\n2"), partsOf("b\n\n{}"), partsOf("\"c\"; filename=\"x\"\nContent-Type: image/png\n\n\xff"), partsOf("\"\"\n\n"),
		"--XX\r\n\r\n--XX--", partsOf("\"a\"\n\n1\n--XX--\n--XX"), partsOf(`"a\"b"` + "\n\n1"), "--XX--\r\n", partsOf("a;;\n\n1"), "--XX\r\nContent-Disposition: form-data; name=b\r\n\r\n--XX--\r",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p := o.Body(partsHeader, true)
		r := p.Check([]byte(body))
		if r.Reason == Internal || (r.Reason == Invalid) != (len(r.Errors) > 0) {
			t.Fatalf("%q: %+v", body, r)
		}
		parts, fault := splitParts([]byte(body), "XX")
		if w := watched(&p, body, 3); (w.Reason == OK) != (r.Reason == OK) {
			t.Fatalf("%q: %+v as a whole, %+v in pieces", body, r, w)
		}
		if fault != noFault {
			return
		}
		reader := multipart.NewReader(strings.NewReader(body), "XX")
		for i := range parts {
			other, err := reader.NextRawPart()
			if err != nil {
				t.Fatalf("%q: part %d: %v", body, i, err)
			}
			content, err := io.ReadAll(other)
			if err != nil || !bytes.Equal(content, []byte(body[parts[i].start:parts[i].end])) {
				t.Fatalf("%q: part %d is %q to Go (%v)", body, i, content, err)
			}
			if _, params, err := mime.ParseMediaType(other.Header.Get("Content-Disposition")); err == nil && params["name"] != parts[i].name {
				t.Fatalf("%q: the name %q is %q to Go", body, parts[i].name, params["name"])
			}
		}
		if _, err := reader.NextRawPart(); err != io.EOF {
			t.Fatalf("%q: more parts to Go: %v", body, err)
		}
	})
}
