package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/apiguard/caddy-api-guard/internal/allocs"
)

// The budgets are in DESIGN section 9. Each benchmark has openapi3filter beside
// it, without its router, which is many times slower than either.

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func BenchmarkGETParameters(b *testing.B) {
	o, r := plainGet(b)
	b.Run("guard", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if got := o.Parameters(r); got.Reason != OK {
				b.Fatal(got)
			}
		}
	})
	b.Run("openapi3filter", func(b *testing.B) {
		input := filterInput(o, httptest.NewRequest("GET", r.Path+"?"+r.RawQuery, nil))
		input.Request.Header = r.Header
		input.PathParams = map[string]string{"id": r.Path[3:]}
		b.ReportAllocs()
		for b.Loop() {
			if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func filterInput(o *Operation, r *http.Request) *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{
		Request: r,
		Route: &routers.Route{
			Spec: o.op.Document.Root, Path: o.op.Template, PathItem: o.op.Path, Method: o.op.Method, Operation: o.op.Op,
		},
		Options: &openapi3filter.Options{SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
}

func BenchmarkJSONBody(b *testing.B) {
	d, err := load(file(b, "orders.json"))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, path, body string }{
		{"1KB", "/orders", "order-1k.json"},
		{"100KB", "/orders", "order-100k.json"},
		{"oneOf1KB", "/payments", "payment-1k.json"},
	} {
		o := operation(b, d, "POST", c.path, Config{})
		body := file(b, c.body)
		b.Run(c.name+"/guard", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				p := o.Body(jsonHeader, true)
				if r := p.Check(body); r.Reason != OK {
					b.Fatalf("%+v", r)
				}
			}
		})
		// json.Valid only reads, and less strictly: the yardstick of the machine.
		b.Run(c.name+"/json.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if !json.Valid(body) {
					b.Fatal("not valid")
				}
			}
		})
		b.Run(c.name+"/openapi3filter", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := &http.Request{Method: "POST", Header: http.Header{"Content-Type": {"application/json"}}, Body: http.NoBody, ContentLength: int64(len(body))}
				r.Body = readCloser{bytes.NewReader(body)}
				if err := openapi3filter.ValidateRequestBody(context.Background(), filterInput(o, r), o.op.Op.RequestBody.Value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func TestBodiesOfTheBenchmarksConformWithoutAllocations(t *testing.T) {
	d, err := load(file(t, "orders.json"))
	if err != nil {
		t.Fatal(err)
	}
	for body, path := range map[string]string{"order-1k.json": "/orders", "order-100k.json": "/orders", "payment-1k.json": "/payments"} {
		o := operation(t, d, "POST", path, Config{})
		text := file(t, body)
		if r := judgeBody(t, o, string(text)); r.Reason != OK {
			t.Errorf("%s: %+v", body, r)
		}
		if n := allocs.PerRun(20, func() {
			p := o.Body(jsonHeader, true)
			p.Check(text)
		}); n > 2 && !raceDetector {
			t.Errorf("%s: %v allocations, want 2 at most", body, n)
		}
	}
}
