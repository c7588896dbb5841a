package caddytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
)

const uploadsDocument = `
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /files:
    post:
      requestBody:
        required: true
        content:
          multipart/form-data:
            schema:
              type: object
              required: [id]
              properties:
                id: {type: integer}
                file: {type: string, format: binary, maxLength: 3000000}
            encoding: {file: {contentType: "image/png"}}
          application/octet-stream: {schema: {type: string, format: binary, maxLength: 100000}}
      responses: {"200": {description: ok}}
  /notes:
    post:
      requestBody: {content: {multipart/form-data: {schema: {type: object, properties: {note: {type: string}}}}}}
      responses: {"200": {description: ok}}
`

// uploadSites are the ways to the upstream: at once, through error routes by which nobody
// has read the body, and those behind a handler that hands on a copy of the request.
var uploadSites = map[string]string{
	"at once":                   "import guarded",
	"by an error route":         throughErrors,
	"traced, by an error route": "tracing\n" + throughErrors,
}

const throughErrors = "log\napi_guard\nerror 405\nhandle_errors {\nroute {\napi_guard\nreverse_proxy 127.0.0.1:<upstream>\n}\n}"

func startUploads(t *testing.T, mode, site string) (*harness.Caddy, *harness.Upstream) {
	t.Helper()
	up := harness.NewUpstream(t)
	return harness.Start(t, harness.Config{
		Env:   []string{"OTEL_TRACES_EXPORTER=none"},
		Guard: "policy {\nrequest " + mode + " {\nmax_body 64KiB\n}\n}\napi a {\nversion v1 {\nhosts api.example.com\nspec a.yaml\n}\n}",
		Sites: "http:// {\n" + site + "\n}", Upstream: up,
		Files: map[string]string{"a.yaml": uploadsDocument},
	}), up
}

func partOf(head, content string) string {
	return "--XX\r\nContent-Disposition: form-data; name=" + head + "\r\n\r\n" + content + "\r\n"
}

const fileHead = "\"file\"; filename=\"a.png\"\r\nContent-Type: image/png"

// inChunks writes a request whose body comes in chunks.
func inChunks(path, mediaType, body string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", path, mediaType)
	for len(body) > 0 {
		n := min(len(body), 10_000)
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	b.WriteString("0\r\n\r\n")
	return []byte(b.String())
}

func TestUploads(t *testing.T) {
	t.Parallel()
	for name, site := range uploadSites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploads(t, site)
		})
	}
}

func uploads(t *testing.T, site string) {
	const form, bytesType = "multipart/form-data; boundary=XX", "application/octet-stream"
	file := strings.Repeat("\x89PNG\r\n\x00\xff", 250_000) // 2 MB
	end := "--XX--\r\n"
	caddy, up := startUploads(t, "enforce", site)
	for _, row := range []struct {
		name, path, mediaType, body string
		status                      int
		reason                      string
	}{
		{"a small form", "/files", form, partOf(`"id"`, "5") + end, 200, ""},
		{"a small form that is wrong", "/files", form, partOf(`"id"`, "x") + end, 400, "request-invalid"},
		{"a large file", "/files", form, partOf(`"id"`, "5") + partOf(fileHead, file) + end, 200, ""},
		{"a large file before a field", "/files", form, partOf(fileHead, file) + partOf(`"id"`, "5") + end, 200, ""},
		{"a large file and a field that is wrong", "/files", form, partOf(fileHead, file) + partOf(`"id"`, "x") + end, 400, "request-invalid"},
		{"a large file and a field that is missing", "/files", form, partOf(fileHead, file) + end, 400, "request-invalid"},
		{"a large file of another type", "/files", form, strings.Replace(partOf(fileHead, file), "image/png", "text/html", 1) + partOf(`"id"`, "5") + end, 400, "request-invalid"},
		{"a file that is too large", "/files", form, partOf(`"id"`, "5") + partOf(fileHead, file+file) + end, 400, "request-invalid"},
		{"a large field", "/files", form, partOf(`"id"`, "5") + partOf(`"more"`, file) + end, 413, "body-too-large"},
		{"a large form without an end", "/files", form, partOf(`"id"`, "5") + partOf(fileHead, file), 400, "request-invalid"},
		{"a large form without files", "/notes", form, partOf(`"note"`, strings.Repeat("a", 70_000)) + end, 413, "body-too-large"},
		{"bytes", "/files", bytesType, file[:100_000], 200, ""},
		{"bytes beyond their bound", "/files", bytesType, file[:100_001], 413, "body-too-large"},
	} {
		for _, how := range []string{"of known length", "in chunks"} {
			t.Run(row.name+" "+how, func(t *testing.T) {
				before := len(up.Requests("", ""))
				var got harness.Answer
				if how == "in chunks" {
					got = caddy.Raw(t, inChunks(row.path, row.mediaType, row.body), "POST")
				} else {
					got = caddy.Do1(t, harness.Call{Method: "POST", Host: "api.example.com", Target: row.path, Body: []byte(row.body)}.With("Content-Type", row.mediaType))
				}
				seen := up.Requests("", "")[before:]
				if row.reason == "" {
					if got.Status != 200 || len(seen) != 1 || string(seen[0].Body) != row.body {
						t.Fatalf("got %v; the upstream has %d requests", got, len(seen))
					}
					return
				}
				refused(t, got, row.status, row.reason)
				if len(seen) > 0 {
					t.Error("the upstream has the whole of a request that was refused")
				}
			})
		}
	}
}

func TestUploadsInMonitorPassAsTheyCome(t *testing.T) {
	t.Parallel()
	for name, site := range uploadSites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uploadsInMonitor(t, site)
		})
	}
}

func uploadsInMonitor(t *testing.T, site string) {
	caddy, up := startUploads(t, "monitor", site)
	body := partOf(fileHead, strings.Repeat("\xff", 200_000)) + partOf(`"id"`, "x") + "--XX--\r\n"
	got := caddy.Raw(t, inChunks("/files", "multipart/form-data; boundary=XX", body), "POST")
	if seen := up.Requests("", ""); got.Status != 200 || len(seen) != 1 || string(seen[0].Body) != body {
		t.Fatalf("got %v; the upstream has %d requests", got, len(seen))
	}
	var entry map[string]any
	harness.Await(t, "the access log", func() (string, bool) {
		for _, e := range caddy.AccessLog(t) {
			entry, _ = e["api_guard"].(map[string]any)
		}
		return fmt.Sprint(entry), entry["verdict"] == "would_refuse" && entry["reason"] == "request-invalid"
	})
}

func TestAFormatOfThePolicy(t *testing.T) {
	t.Parallel()
	up := harness.NewUpstream(t)
	caddy := harness.Start(t, harness.Config{
		Guard: "policy {\nformat order-number ^ORD-[0-9]{2}$\nformat email off\n}\napi a {\nversion v1 {\nhosts api.example.com\nspec a.yaml\n}\n}",
		Sites: "http:// {\nimport guarded\n}", Upstream: up,
		Files: map[string]string{"a.yaml": `
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /orders:
    get:
      parameters:
        - {name: n, in: query, schema: {type: string, format: order-number}}
        - {name: mail, in: query, schema: {type: string, format: email}}
      responses: {"200": {description: ok}}
`},
	})
	if got := caddy.Do1(t, get("api.example.com", "/orders?n=ORD-12&mail=nobody")); got.Status != 200 {
		t.Errorf("got %v", got)
	}
	p := refused(t, caddy.Do1(t, get("api.example.com", "/orders?n=ORD-123")), 400, "request-invalid")
	if len(p.Errors) != 1 || p.Errors[0].Keyword != "format" || p.Errors[0].Name == nil || *p.Errors[0].Name != "n" {
		t.Errorf("got %+v", p)
	}
}
