package conformance

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"testing"
)

func TestPickFollowsAPointerToAScalar(t *testing.T) {
	const body = `{"a":{"b/c":[1,{"~":"deep"}],"t":true},"n":-0.50,"big":123456789012345678901234567890,"e":"","o":{}}`
	for pointer, want := range map[string]string{
		"/a/b~1c/1/~0": "deep", "/a/b~1c/0": "1", "/a/t": "true", "/n": "-1/2", "/big": "123456789012345678901234567890", "/e": "",
	} {
		if got, ok := Pick([]byte(body), nil, 1<<20, pointer); !ok || got != want {
			t.Errorf("%s: %q %v, want %q", pointer, got, ok, want)
		}
	}
	for _, pointer := range []string{"/x", "/a", "/o", "/a/b~1c/2", "/a/b~1c/01", "/a/b~1c/-", "/n/x", "/a/b~1c"} {
		if got, ok := Pick([]byte(body), nil, 1<<20, pointer); ok {
			t.Errorf("%s: %q", pointer, got)
		}
	}
	for _, body := range []string{"", "{", `{"a":1,"a":2}`, `{"a":1} x`, "\xef\xbb\xbf{\"a\":1}", `{"a":1e9999}`, `{"a":1,"A":2}`, `{"\u0041":2,"a":1}`, `{"A":1}`} {
		if got, ok := Pick([]byte(body), nil, 1<<20, "/a"); ok {
			t.Errorf("%q: %q", body, got)
		}
	}
}

func TestPickTakesNoMemberBesideOneInAnotherLetterCase(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"mask":{"key":"x"},"b":1}`:                 true,
		`{"mask":{"key":"x","keys":"y"},"MASKS":{}}`: true,
		`{"mask":{"key":"x","KEY":"y"}}`:             false,
		`{"mask":{"key":"x"},"Mask":{"key":"y"}}`:    false,
		`{"mask":{"key":"x","\u212aey":"y"}}`:        false, // the Kelvin sign
		`{"ma\u017fk":{},"mask":{"key":"x"}}`:        false, // a long s
	} {
		if got, is := Pick([]byte(body), nil, 1<<20, "/mask/key"); is != ok || ok && got != "x" {
			t.Errorf("%s: %q %v", body, got, is)
		}
	}
}

func TestPickReadsACodedBody(t *testing.T) {
	var coded bytes.Buffer
	w := gzip.NewWriter(&coded)
	_, _ = w.Write([]byte(`{"a":"x"}`))
	_ = w.Close()
	if got, ok := Pick(coded.Bytes(), http.Header{"Content-Encoding": {"gzip"}}, 1<<20, "/a"); !ok || got != "x" {
		t.Errorf("%q %v", got, ok)
	}
	if _, ok := Pick(coded.Bytes(), http.Header{"Content-Encoding": {"br"}}, 1<<20, "/a"); ok {
		t.Error("an unknown coding is read")
	}
}

func FuzzPick(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1,"B":2}}`), "/a/b")
	f.Fuzz(func(_ *testing.T, body []byte, pointer string) { // it does not panic
		Pick(body, http.Header{}, 1<<20, pointer)
	})
}
