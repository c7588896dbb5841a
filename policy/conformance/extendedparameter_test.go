package conformance

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// readByGo reads a form as an upstream in Go does: its fields in order.
func readByGo(t *testing.T, contentType, body string) (fields []string) {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("%s: %v", contentType, err)
	}
	r := multipart.NewReader(strings.NewReader(body), parameters["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return fields
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(p) // from memory
		fields = append(fields, p.FormName()+"="+string(text))
	}
}

// Extended parameters (RFC 2231, RFC 8187) replace plain ones of the same name to
// those who read them, and are parameters of another name to those who do not.
func TestABoundaryThatSomeReadersReplaceIsRefused(t *testing.T) {
	o := partsOperation(t, "3.1.0", `{"schema":{"type":"object","additionalProperties":false,"properties":{"note":{"type":"string"}}}}`)
	body := partsOf("\"note\"\n\nx\n--YY\nContent-Disposition: form-data; name=role\n\nadmin\n--YY--")
	for _, extended := range []string{`boundary*=utf-8''YY`, `boundary*0=YY`, `Boundary*0*=utf-8''Y; boundary*1=Y`} {
		contentType := `multipart/form-data; boundary=XX; ` + extended
		if got := readByGo(t, contentType, body); len(got) != 1 || got[0] != "role=admin" {
			t.Errorf("%s: an upstream reads %q: the test shows nothing", contentType, got)
		}
		if p := o.Body(http.Header{"Content-Type": {contentType}}, true); p.Action != Refuse || p.Result.Reason != MediaTypeUnsupported {
			t.Errorf("%s is not refused: %+v", contentType, p.Result)
		}
	}
	p := o.Body(http.Header{"Content-Type": {`multipart/form-data; boundary=XX; x-origin=app`}}, true)
	if result := p.Check([]byte(partsOf("\"note\"\n\nx"))); p.Action != Judge || result.Reason != OK {
		t.Errorf("the twin with a plain parameter: %+v %+v", p.Result, result)
	}
}

func TestAFieldNameThatSomeReadersReplaceIsRefused(t *testing.T) {
	o := partsOperation(t, "3.1.0", `{"schema":{"type":"object","properties":{"note":{"type":"string"},"role":{"enum":["user"]}}}}`)
	header := http.Header{"Content-Type": {"multipart/form-data; boundary=XX"}}
	for _, extended := range []string{"name*0=role", "name*0=ro; name*1=le", "name*0*=utf-8''role"} {
		body := partsOf("\"note\"; " + extended + "\n\nadmin")
		if got := readByGo(t, header.Get("Content-Type"), body); len(got) != 1 || got[0] != "role=admin" {
			t.Errorf("%s: an upstream reads %q: the test shows nothing", extended, got)
		}
		p := o.Body(header, true)
		if result := p.Check([]byte(body)); result.Reason != Invalid {
			t.Errorf("%s is not refused: %+v", extended, result)
		}
	}
	p := o.Body(header, true)
	if result := p.Check([]byte(partsOf("\"note\"; x-part=1\n\nadmin"))); result.Reason != OK {
		t.Errorf("the twin with a plain parameter: %+v", result)
	}
}

// A charset that some take from an extended parameter is another text to them.
func TestACharsetThatSomeReadersReplaceIsRefused(t *testing.T) {
	o := bodyOperation(t, "3.1.0", `{"type":"object"}`, "")
	for contentType, refused := range map[string]bool{
		"application/json; charset*=utf-8''utf-16":                true,
		"application/json; charset=utf-8; charset*0=utf-7":        true,
		"application/json; charset=utf-8":                         false,
		`application/json; charset="utf-8"; profile="https://a*"`: false,
	} {
		if p := o.Body(http.Header{"Content-Type": {contentType}}, true); (p.Action == Refuse) != refused {
			t.Errorf("%s: refused %v, want %v", contentType, p.Action == Refuse, refused)
		}
	}
}
