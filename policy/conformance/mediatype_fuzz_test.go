package conformance

import (
	"mime"
	"net/http"
	"strings"
	"testing"
)

// A Content-Type that is taken is what the standard library reads too: the upstream
// must not see another type than the one that was judged.
func FuzzContentType(f *testing.F) {
	for _, s := range []string{
		"application/json", "Application/JSON; charset=utf-8", `text/plain;charset="utf-8"`, "a/b;charset=x;charset=y",
		"multipart/form-data; boundary=\"a b\"", "a/b ; q", "a/b;;", "application/json,text/plain", `a/b;x="\""`, `a/b;charset="\0"`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, charset, ok := contentType(http.Header{"Content-Type": {s}})
		if !ok {
			return
		}
		want, params, err := mime.ParseMediaType(s)
		if want == "" {
			return // the standard library leaves off at what RFC 9110 allows
		}
		if got != want {
			t.Errorf("%q is %q, and %q to the standard library (%v)", s, got, want, err)
		}
		// A quoted pair is the character behind the backslash (RFC 9110, section 5.6.4); the
		// standard library keeps the backslash before most, for names of files.
		plain := strings.NewReplacer(`\`, "")
		if err == nil && !strings.EqualFold(plain.Replace(charset), plain.Replace(params["charset"])) {
			t.Errorf("%q has the charset %q, and %q to the standard library", s, charset, params["charset"])
		}
	})
}
