package conformance

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const answersDocument = `
openapi: 3.0.3
info: {title: t, version: "1"}
components:
  responses:
    Gone: {description: gone, content: {application/problem+json: {schema: {type: object, required: [title]}}}}
  schemas:
    Account:
      type: object
      required: [id, name, password]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string}
        password: {type: string, writeOnly: true}
paths:
  /accounts:
    post:
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Account"}}}}
      responses:
        "200":
          description: ok
          headers:
            X-Total: {required: true, schema: {type: integer, minimum: 0}}
            X-Tags: {schema: {type: array, items: {type: string, maxLength: 3}}}
            X-Meta: {content: {application/json: {schema: {type: object}}}}
            Content-Type: {schema: {type: string, enum: [never]}}
          content:
            application/json: {schema: {$ref: "#/components/schemas/Account"}}
            text/csv: {}
            text/plain: {schema: {type: integer, maximum: 5}}
            text/html: {schema: {type: string}}
            text/markdown: {schema: {type: string, maxLength: 4}}
            text/x-items: {itemSchema: {type: string}}
            application/xml: {schema: {type: object}}
            application/octet-stream: {schema: {type: string, format: binary}}
            image/png: {schema: {type: string, format: binary, maxLength: 5}}
            application/x-www-form-urlencoded: {schema: {type: object, required: [a], properties: {a: {type: integer}}, additionalProperties: false}}
            multipart/form-data: {schema: {type: object, required: [a], properties: {a: {type: integer}}}}
            multipart/mixed: {schema: {type: object}}
            text/event-stream: {}
        "201": {description: made, content: {application/*: {schema: {type: object}}}}
        "202": {description: taken}
        "204": {description: nothing}
        "205": {description: start again}
        "206":
          description: a page
          headers: {X-Next: {schema: {type: integer}}}
          content: {application/json: {schema: {type: array, items: {type: integer}}}}
        4XX: {description: wrong, content: {application/problem+json: {schema: {type: object, required: [title]}}}}
        "416": {description: no page, content: {text/plain: {schema: {type: integer}}}}
        "410": {$ref: "#/components/responses/Gone"}
  /other:
    get:
      responses:
        default: {description: all, content: {application/json: {schema: {type: integer}}}}
`

func coded(t testing.TB, coding, text string) string {
	t.Helper()
	var b bytes.Buffer
	var w interface {
		Write([]byte) (int, error)
		Close() error
	}
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnswersAreJudgedAndTheirTwinsPass(t *testing.T) {
	d := document(t, answersDocument)
	post := operation(t, d, "POST", "/accounts", Config{MaxResponse: 64 << 10})
	get := operation(t, d, "GET", "/other", Config{})
	const good = `{"id":1,"name":"a"}`
	for _, row := range []struct {
		name      string
		op        *Operation
		method    string
		status    int
		header    []string // name, value, ...
		body      string
		keyword   string // of the first error; empty: none
		unchecked string
	}{
		{name: "as documented", status: 200, header: []string{"X-Total", "3"}, body: good},
		{name: "with what only requests must have", status: 200, header: []string{"X-Total", "3"}, body: `{"id":1,"name":"a","password":"x"}`},
		{name: "without what only answers must have", status: 200, header: []string{"X-Total", "3"}, body: `{"name":"a","password":"x"}`, keyword: "required"},
		{name: "a member of another type", status: 200, header: []string{"X-Total", "3"}, body: `{"id":"1","name":"a"}`, keyword: "type"},
		{name: "no JSON", status: 200, header: []string{"X-Total", "3"}, body: `{"id":1,"name":"a"`, keyword: "json"},
		{name: "nothing at all", status: 200, header: []string{"X-Total", "3"}, body: ``, keyword: "json"},
		{name: "a required header missing", status: 200, body: good, keyword: "required"},
		{name: "a header out of range", status: 200, header: []string{"X-Total", "-1"}, body: good, keyword: "minimum"},
		{name: "a list in a header", status: 200, header: []string{"X-Total", "3", "X-Tags", "a, bcd"}, body: good},
		{name: "a list in two lines", status: 200, header: []string{"X-Total", "3", "X-Tags", "a", "X-Tags", "bcd"}, body: good},
		{name: "an item that is too long", status: 200, header: []string{"X-Total", "3", "X-Tags", "a,bcde"}, body: good, keyword: "maxLength"},
		{name: "JSON in a header", status: 200, header: []string{"X-Total", "3", "X-Meta", `{"a":1}`}, body: good},
		{name: "an array where an object is asked", status: 200, header: []string{"X-Total", "3", "X-Meta", `[1]`}, body: good, keyword: "type"},
		{name: "another media type of the status", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/csv"}, body: "a,b"},
		{name: "text that is a number", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/plain; charset=utf-8"}, body: "5"},
		{name: "a number out of range as text", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/plain"}, body: "6", keyword: "maximum"},
		{name: "no number as text", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/plain"}, body: "five", keyword: "type"},
		{name: "text of any kind", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/html; charset=iso-8859-1"}, body: "<p>\xe9"},
		{name: "text in characters", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/markdown"}, body: "éééé"},
		{name: "text that is too long", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/markdown"}, body: "ééééé", keyword: "maxLength"},
		{name: "coded text that is too long", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/markdown", "Content-Encoding", "gzip"}, body: coded(t, "gzip", "abcde"), keyword: "maxLength"},
		{name: "text in a charset of old", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/markdown"}, body: "\xe9\xe9\xe9\xe9\xe9", unchecked: uncheckedCharset},
		{name: "text in another charset", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/markdown; charset=latin1"}, body: "abcde", unchecked: uncheckedCharset},
		{name: "items", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/x-items"}, body: "a", unchecked: uncheckedItems},
		{name: "XML", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/xml"}, body: "<a/>", unchecked: uncheckedXML},
		{name: "bytes of any kind", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/octet-stream"}, body: "\x00\xff"},
		{name: "bytes that are counted", status: 200, header: []string{"X-Total", "3", "Content-Type", "image/png"}, body: "\x00\xff", unchecked: uncheckedBinary},
		{name: "a form", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/x-www-form-urlencoded"}, body: "a=1"},
		{name: "a form without a field", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/x-www-form-urlencoded"}, body: "", keyword: "required"},
		{name: "a form with a field of another type", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/x-www-form-urlencoded"}, body: "a=b", keyword: "type"},
		{name: "a form with a field of none", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/x-www-form-urlencoded"}, body: "a=1&b=2", keyword: "additionalProperties"},
		{name: "a form in parts", status: 200, header: []string{"X-Total", "3", "Content-Type", "multipart/form-data; boundary=XX"}, body: "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--\r\n"},
		{name: "a form in parts with a field of another type", status: 200, header: []string{"X-Total", "3", "Content-Type", "multipart/form-data; boundary=XX"}, body: "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--XX--\r\n", keyword: "type"},
		{name: "a form in parts without a boundary", status: 200, header: []string{"X-Total", "3", "Content-Type", "multipart/form-data"}, body: "", keyword: "content-type"},
		{name: "other parts", status: 200, header: []string{"X-Total", "3", "Content-Type", "multipart/mixed; boundary=XX"}, body: "", unchecked: uncheckedMultipart},
		{name: "events", status: 200, header: []string{"X-Total", "3", "Content-Type", "text/event-stream"}, body: "data: a", unchecked: uncheckedStream},
		{name: "a media type of none", status: 200, header: []string{"X-Total", "3", "Content-Type", "application/pdf"}, body: "%PDF", keyword: "content-type"},
		{name: "no media type", status: 200, header: []string{"X-Total", "3", "Content-Type", ""}, body: good, keyword: "content-type"},
		{name: "a range of media types", status: 201, header: []string{"Content-Type", "application/vnd.a+json"}, body: `{}`},
		{name: "and what it must be", status: 201, header: []string{"Content-Type", "application/vnd.a+json"}, body: `[]`, keyword: "type"},
		{name: "no content documented", status: 202, body: "x", unchecked: uncheckedNoContent},
		{name: "no content", status: 204, header: []string{"Content-Type", ""}},
		{name: "a good status of none", status: 203, body: good, keyword: "undocumented-status"},
		{name: "a documented range of statuses", status: 404, header: []string{"Content-Type", "application/problem+json"}, body: `{"title":"a"}`},
		{name: "and what it must have", status: 404, header: []string{"Content-Type", "application/problem+json"}, body: `{}`, keyword: "required"},
		{name: "a status by reference", status: 410, header: []string{"Content-Type", "application/problem+json"}, body: `{}`, keyword: "required"},
		{name: "a failure of none", status: 503, body: "down", unchecked: uncheckedStatus},
		{name: "a redirect of none", status: 302, unchecked: uncheckedStatus},
		{name: "the default", op: get, status: 203, body: `7`},
		{name: "and its twin", op: get, status: 503, body: `"7"`, keyword: "type"},
		{name: "not modified", op: get, status: 304},
		{name: "a part", op: get, status: 206, body: `7`, unchecked: uncheckedPartial},
		{name: "no part", op: get, status: 416, body: `none`, unchecked: uncheckedPartial},
		{name: "a page", status: 206, header: []string{"Content-Range", "items 0-1/9"}, body: `[1,2]`},
		{name: "a page of something else", status: 206, header: []string{"Content-Range", "items 0-1/9"}, body: `["1"]`, keyword: "type"},
		{name: "a page that does not say so", status: 206, body: `["1"]`, keyword: "type"},
		{name: "a part of the bytes of a page", status: 206, header: []string{"Content-Range", "Bytes 0-3/9"}, body: `["1"`, unchecked: uncheckedPartial},
		{name: "parts of a page", status: 206, header: []string{"Content-Type", "multipart/byteranges; boundary=X"}, body: `--X--`, unchecked: uncheckedPartial},
		{name: "a part with a header of another type", status: 206, header: []string{"Content-Range", "bytes 0-3/9", "X-Next", "a"}, body: `["1"`, keyword: "type"},
		{name: "no page", status: 416, header: []string{"Content-Type", "text/plain"}, body: "7"},
		{name: "no page, said in another way", status: 416, header: []string{"Content-Type", "text/plain"}, body: "none", keyword: "type"},
		{name: "a reset", status: 205, header: []string{"Content-Type", ""}},
		{name: "a reset with content", status: 205, header: []string{"Content-Type", ""}, body: "x", keyword: "content"},
		{name: "an upgrade", op: get, status: 101, unchecked: uncheckedUpgrade},
		{name: "HEAD", op: get, method: "HEAD", status: 200, unchecked: uncheckedHead},
		{name: "trailers", op: get, status: 200, header: []string{"Trailer", "X-Sum"}, body: `7`},
		{name: "trailers behind something else", op: get, status: 200, header: []string{"Trailer", "X-Sum"}, body: `"7"`, keyword: "type"},
		{name: "gzip", op: get, status: 200, header: []string{"Content-Encoding", "gzip"}, body: coded(t, "gzip", `7`)},
		{name: "gzip of something else", op: get, status: 200, header: []string{"Content-Encoding", "gzip"}, body: coded(t, "gzip", `"7"`), keyword: "type"},
		{name: "deflate", op: get, status: 200, header: []string{"Content-Encoding", "deflate"}, body: coded(t, "deflate", `7`)},
		{name: "deflate of something else", op: get, status: 200, header: []string{"Content-Encoding", "deflate"}, body: coded(t, "deflate", `"7"`), keyword: "type"},
		{name: "zstd", op: get, status: 200, header: []string{"Content-Encoding", "zstd"}, body: coded(t, "zstd", `7`)},
		{name: "zstd of something else", op: get, status: 200, header: []string{"Content-Encoding", "zstd"}, body: coded(t, "zstd", `"7"`), keyword: "type"},
		{name: "zstd that is none", op: get, status: 200, header: []string{"Content-Encoding", "zstd"}, body: `7`, keyword: "content-encoding"},
		{name: "another coding", op: get, status: 200, header: []string{"Content-Encoding", "br"}, body: `7`, unchecked: uncheckedCoding},
		{name: "another charset", op: get, status: 200, header: []string{"Content-Type", "application/json; charset=utf-16"}, body: `7`, unchecked: uncheckedCharset},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := http.Header{"Content-Type": {"application/json"}}
			for i := 0; i < len(row.header); i += 2 {
				switch name, value := row.header[i], row.header[i+1]; {
				case name == "Content-Type" && value == "":
					h.Del(name)
				case name == "Content-Type":
					h.Set(name, value)
				default:
					h.Add(name, value)
				}
			}
			op, method := row.op, row.method
			if op == nil {
				op = post
			}
			if method == "" {
				method = "GET"
			}
			plan := op.Response(method, row.status, h)
			result := plan.Check([]byte(row.body))
			if result.Unchecked != row.unchecked {
				t.Errorf("unchecked %q, want %q", result.Unchecked, row.unchecked)
			}
			switch {
			case row.keyword == "" && result.Reason != OK:
				t.Errorf("got %+v", result)
			case row.keyword != "" && (result.Reason != Invalid || result.Errors[0].Keyword != row.keyword):
				t.Errorf("got %+v, want %s", result, row.keyword)
			}
		})
	}
}

func TestACodedAnswerIsBoundedOnceDecoded(t *testing.T) {
	op := operation(t, document(t, answersDocument), "GET", "/other", Config{MaxResponse: 1 << 20})
	for _, coding := range []string{"gzip", "deflate", "zstd"} {
		bomb := coded(t, coding, strings.Repeat(" ", 64<<20)+"7")
		plan := op.Response("GET", 200, http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {coding}})
		if got := plan.Check([]byte(bomb)); got.Reason != BodyTooLarge {
			t.Errorf("%s of %d bytes: %+v", coding, len(bomb), got)
		}
	}
}

func TestRequestAndAnswerFormsOfOneSchemaDiffer(t *testing.T) {
	op := operation(t, document(t, answersDocument), "POST", "/accounts", Config{})
	for body, want := range map[string][2]Reason{ // in a request, in an answer
		`{"id":1,"name":"a"}`:                {Invalid, OK},
		`{"name":"a","password":"x"}`:        {OK, Invalid},
		`{"id":1,"name":"a","password":"x"}`: {OK, OK},
	} {
		request := op.Body(jsonHeader, true)
		answer := op.Response("POST", 200, http.Header{"Content-Type": {"application/json"}, "X-Total": {"1"}})
		if got := [2]Reason{request.Check([]byte(body)).Reason, answer.Check([]byte(body)).Reason}; got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}
