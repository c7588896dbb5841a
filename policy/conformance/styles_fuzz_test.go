package conformance

import (
	"strings"
	"testing"
)

// Parameters in paths, header fields and cookies, in every style that they may have:
// whatever stands there is judged without a panic, alike each time.
func FuzzStyledParameters(f *testing.F) {
	type place struct {
		in string
		o  *Operation
	}
	var places []place
	for _, at := range []struct{ in, styles string }{{"path", "simple label matrix"}, {"header", "simple"}, {"cookie", "form"}} {
		for style := range strings.FieldsSeq(at.styles) {
			for _, explode := range []string{"true", "false"} {
				for _, schema := range []string{anInteger, integers, point, `{"oneOf":[{"type":"integer"},{"type":"boolean"}]}`} {
					template := "/x"
					if at.in == "path" {
						template = "/x/{p}"
					}
					o := parameterOperation(f, "3.0.3", template, `[{"name":"p","in":"`+at.in+`","required":true,"style":"`+style+`","explode":`+explode+`,"schema":`+schema+`}]`)
					places = append(places, place{at.in, o})
				}
			}
		}
	}
	for i := range places {
		for _, value := range []string{"5", "3,4", "x,1,y,2", "x=1,y=2", ".3.4", ".x=1.y=2", ";p=5", ";p=3;p=4", ";x=1;y=2", "p=5", "p=3; p=4", "p=\"5\"", "%", "%00", ";;=", "..", ",", "\xff"} {
			f.Add(uint8(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		at := places[int(which)%len(places)]
		ask := func() Result { return at.o.Parameters(styled(at.in, value)) }
		r := ask()
		if r.Reason == Internal {
			t.Fatalf("%s %q: a panic", at.in, value)
		}
		if (r.Reason == Invalid) != (len(r.Errors) > 0) || len(r.Errors) > MaxErrors {
			t.Fatalf("%s %q: %+v", at.in, value, r)
		}
		if again := ask(); again.Reason != r.Reason || len(again.Errors) != len(r.Errors) {
			t.Fatalf("%s %q: %+v, then %+v", at.in, value, r, again)
		}
	})
}
