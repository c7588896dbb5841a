package inventory

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A sampled request and its answer may be anything, in any coding: no more is kept of
// a body than SampleBody, what is decoded is what was coded, and nothing that is
// written or told afterwards has a value of it.
func FuzzSample(f *testing.F) {
	for i, body := range []string{`{"reason":"x","lines":[{"n":1,"at":"2026-01-31T09:00:00Z"},null],"table":{"a@b.example":1}}`, `"x"`, `[[[[[[[[[[[[[[1]]]]]]]]]]]]]]`, `{"a":`, "a=b&c=%41&a", "\xff\x00", "", "\x1f\x8b\x08\x00", "\x28\xb5\x2f\xfd\x04\x58"} {
		f.Add(body, "page=2&q=x&417=1&%zz=&a[]=1&a[]=2", "session=x; b; =c", uint8(i))
	}
	f.Fuzz(func(t *testing.T, body, query, cookies string, how uint8) {
		const needle = "qneedleq"
		if strings.Contains(strings.ToLower(body+query+cookies), "needle") || len(body) > 1<<15 {
			return
		}
		coding := []string{"", "gzip", "deflate", "zstd", "br", "gzip,gzip"}[how%6]
		mediaType := []string{"application/json", "application/x-www-form-urlencoded", "text/plain", "application/problem+json", ""}[how/6%5]

		m := Message{Coding: coding, Whole: true}
		m.Add(codedBody(t, coding, body))
		m.decode()
		switch coding {
		case "", "gzip", "deflate":
			if want := body[:min(len(body), SampleBody)]; string(m.Body) != want {
				t.Fatalf("%q in %s is decoded as %q", body, coding, m.Body)
			}
		}
		m = Message{Coding: coding, Whole: true}
		m.Add([]byte(body)) // not in the coding
		m.decode()
		if len(m.Body) > SampleBody {
			t.Fatalf("%d bytes are kept", len(m.Body))
		}

		s := newScene(t, Options{MaxRoutes: 50, MaxHosts: 8, MaxConsumers: 64}, orders())
		s.Sample(Sampling{Share: 1, PerMinute: 10_000})
		for _, text := range []string{body, withValues(body, needle)} {
			header := http.Header{"Content-Type": {mediaType}, "Content-Encoding": {coding}, "Cookie": {needle + "=" + needle, cookies}, "Authorization": {"Bearer " + needle}, "X-Tenant": {needle}}
			header["Cookie"][0] = "session=" + needle
			asked := query
			if text != body {
				values, _ := url.ParseQuery(query)
				for name, all := range values {
					for i := range all {
						all[i] = needle
					}
					values[name] = all
				}
				asked = values.Encode()
			}
			o := s.at(answered(200))
			o.Caller = &Caller{Header: header, Answer: http.Header{}}
			p := s.rec.Draw(s.undocumented(), "api.example.com", "POST", "/v2/refunds/lines", o.Time)
			if p == nil {
				t.Fatal("no sample")
			}
			s.rec.Observe(s.undocumented(), "api.example.com", "POST", "/v2/refunds/lines", o)
			p.TakeRequest(header, asked)
			p.Request.Add(codedBody(t, coding, text))
			p.TakeAnswer(http.Header{"Content-Type": {mediaType}, "Content-Encoding": {coding}})
			p.Answer.Add(codedBody(t, coding, text))
			p.Submit(&o)
			s.clock.advance(1e9)
			s.settle()
		}
		var kept bytes.Buffer
		for _, part := range s.ownParts() {
			part.Save(true, func(key, value []byte) { kept.Write(key); kept.Write(value) })
		}
		for _, told := range []any{s.Draft(DraftQuery{}), s.events} {
			text, err := json.Marshal(told)
			if err != nil {
				t.Fatal(err)
			}
			kept.Write(text)
		}
		if i := bytes.Index(bytes.ToLower(kept.Bytes()), []byte(needle)); i >= 0 {
			t.Fatalf("a value of %q is kept: %q", body, kept.Bytes()[max(0, i-60):min(kept.Len(), i+60)])
		}
	})
}

// withValues is a JSON or form body with a value in place of each of its own.
func withValues(body, value string) string {
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		values, _ := url.ParseQuery(body)
		for name := range values {
			values.Set(name, value)
		}
		return values.Encode()
	}
	var replace func(any) any
	replace = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = replace(v[i])
			}
		case map[string]any:
			for name := range v {
				v[name] = replace(v[name])
			}
		case string, float64:
			return value
		}
		return v
	}
	text, err := json.Marshal(replace(v))
	if err != nil {
		return body
	}
	return string(text)
}

func codedBody(t *testing.T, coding, body string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	default:
		return []byte(body)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
