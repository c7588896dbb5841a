package dataclass

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

func TestValuesAndTheirTwins(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       Set
	}{
		{"x", "ada@example.com", Of(Email)},
		{"x", "mail ada@example.com, please", Of(Email)},
		{"x", "ada@example", 0},
		{"x", "git@github.com:acme/x", 0},
		{"x", "https://user@example.com/x", 0},
		{"x", "logo@2x.png", 0},
		{"x", "4111 1111 1111 1111", Of(PaymentCard)},
		{"x", "4111 1111 1111 1112", 0},
		{"order_id", "4111111111111111", 0},
		{"order_id", "4111-1111-1111-1111", Of(PaymentCard)},
		{"cardNumber", "4111111111111111", Of(PaymentCard)},
		{"cardNumber", "4111111111111112", 0},
		{"x", "0000000000000000", 0},
		{"x", "DE89 3704 0044 0532 0130 00", Of(IBAN)},
		{"x", "DE88 3704 0044 0532 0130 00", 0},
		{"x", "XX89370400440532013000", 0},
		{"x", "123-45-6789", Of(NationalID)},
		{"x", "666-45-6789", 0},
		{"ssn", "123456789", Of(NationalID)},
		{"x", "123456789", 0},
		{"x", "529.982.247-25", Of(NationalID)},
		{"x", "529.982.247-24", 0},
		{"x", "+49 30 1234567", Of(Phone)},
		{"x", "+1.5", 0},
		{"x", "030 1234567", 0},
		{"phone", "030 1234567", Of(Phone)},
		{"phone", "yes", 0},
		{"x", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", Of(JWT)},
		{"access_token", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", Of(JWT)},
		{"x", "www.example.com", 0},
		{"accessToken", "8f14e45fceea167a5a36", Of(Secret)},
		{"nextPageToken", "8f14e45fceea167a5a36", 0},
		{"x", "AKIAIOSFODNN7EXAMPLE", Of(Secret)},
		{"x", "postgres://app:hunter2@db.example.com/x", Of(Secret)},
		{"x", "postgres://db.example.com/x", 0},
		{"password", "hunter2", Of(Password)},
		{"password_reset_url", "https://x.example/reset", 0},
		{"dob", "1990-02-03", Of(DateOfBirth)},
		{"created", "1990-02-03", 0},
		{"dob", "soon", 0},
		{"street", "Elm Street 5", Of(PostalAddress)},
		{"zip", "10115", Of(PostalAddress)},
		{"address", "192.0.2.7", 0},
		{"address", "0x52908400098527886E0F7030069857D2E4169EE7", 0},
		{"zip", "a.zip", 0},
	} {
		if got := Value(row.name, "", row.text); got != row.want {
			t.Errorf("%s=%q: %v, want %v", row.name, row.text, got.Names(), row.want.Names())
		}
	}
}

func TestAPointerTellsNoValue(t *testing.T) {
	for _, row := range []struct{ body, want string }{
		{`{"user":{"mail":"a@example.com"}}`, "/user/mail"},
		{`{"a@example.com":{"mail":"a@example.com"}}`, "/*/mail"},
		{`{"4111111111111111":["a@example.com"]}`, "/*/*"},
		{`{"550e8400-e29b-41d4-a716-446655440000":"a@example.com"}`, "/*"},
		{`{"Ada Lovelace":"a@example.com"}`, "/*"},
		{`{"line1":"a@example.com"}`, "/line1"},
		{`{"a/b":"a@example.com"}`, "/*"},
	} {
		got := JSON([]byte(row.body))
		if len(got) != 1 || got[0] != (Found{Email, row.want}) {
			t.Errorf("%s: %v", row.body, got)
		}
	}
}

func TestABodyThatIsCutOffIsReadAsFarAsItGoes(t *testing.T) {
	if got := JSON([]byte(`{"mail":"a@example.com","phone":"+49 30 12`)); len(got) != 1 || got[0].Class != Email {
		t.Errorf("%v", got)
	}
	deep := strings.Repeat(`{"a":`, 10_000) + `"a@example.com"`
	if got := JSON([]byte(deep)); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestDocumentsDeclareClasses(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData([]byte(`
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /users/{email}:
    parameters: [{name: email, in: path, required: true, schema: {type: string, format: email}}]
    post:
      parameters:
        - {name: token, in: query, schema: {type: string}}
        - {name: page, in: query, schema: {type: integer}}
        - {name: ref, in: header, x-data-class: [national_id, email], schema: {type: string}}
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/User"}}}}
      responses:
        "200": {description: ok, content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/User"}}}}}
        "400": {description: no, content: {application/json: {schema: {type: object, properties: {email: {type: string}}}}}}
components:
  schemas:
    User:
      type: object
      properties:
        phone: {type: string}
        mobile: {type: boolean}
        address: {type: string, x-data-class: none}
        home: {type: object, properties: {lat: {type: number}, lng: {type: number}}}
        friend: {$ref: "#/components/schemas/User"}
        code: {type: string, x-data-class: secret}
`))
	if err != nil {
		t.Fatal(err)
	}
	item := doc.Paths.Value("/users/{email}")
	user := func(in string, answer bool) []Declared {
		var list []Declared
		for _, f := range []Declared{{None: true, Found: Found{Pointer: "/address"}}, {Found: Found{Secret, "/code"}}, {Found: Found{Location, "/home"}}, {Found: Found{Phone, "/phone"}}} {
			f.In, f.Answer, f.Pointer = "body", answer, in+f.Pointer
			list = append(list, f)
		}
		return list
	}
	want := append([]Declared{
		{Found: Found{Secret, "/token"}, In: "query"},
		{Found: Found{NationalID, "/ref"}, In: "header"}, {Found: Found{Email, "/ref"}, In: "header"},
		{Found: Found{Email, "/email"}, In: "path"},
	}, append(user("", false), user("/*", true)...)...)
	if diff := cmp.Diff(want, Operation(item, item.Post)); diff != "" {
		t.Error(diff)
	}
}

func FuzzNothingPanics(f *testing.F) {
	f.Add("application/json", `{"lat":1,"lng":"2","type":"Point","coordinates":[1,2]}`)
	f.Add("application/x-www-form-urlencoded", "a=%zz&password=x&=1")
	f.Add("text/plain", "+ a@b.cc -----BEGIN ")
	f.Fuzz(func(t *testing.T, mediaType, body string) {
		for _, found := range append(append(Body(mediaType, []byte(body)), Path(body)...), underEveryName(body)...) {
			if len(found.Pointer) > maxPointer || strings.Contains(found.Pointer, "@") {
				t.Errorf("pointer %q", found.Pointer)
			}
		}
	})
}

// underEveryName looks at a text under every hint.
func underEveryName(text string) (found []Found) {
	for name := range hints {
		for range Value(name, "address", text).Names() {
			found = append(found, Found{})
		}
	}
	return found
}

// An upstream chooses how it writes what it tells: what clients read is looked at.
func TestABodyIsReadAsClientsReadIt(t *testing.T) {
	const (
		data = `{"name":"☃ 😀","email":"ada@example.com"}`
		none = `{"name":"☃ 😀","email":"none"}`
	)
	wide := func(order binary.AppendByteOrder, mark bool) func(string) []byte {
		return func(text string) (out []byte) {
			if mark {
				text = "\ufeff" + text
			}
			for _, c := range utf16.Encode([]rune(text)) {
				out = order.AppendUint16(out, c)
			}
			return out
		}
	}
	as := func(format string) func(string) []byte {
		return func(text string) []byte { return fmt.Appendf(nil, format, text) }
	}
	for _, row := range []struct {
		mediaType string
		written   func(string) []byte
		at        string
	}{
		{"application/json", as("%s"), "/email"},
		{"application/json", as("\ufeff%s"), "/email"},
		{"application/json", wide(binary.LittleEndian, true), "/email"},
		{"application/problem+json", wide(binary.BigEndian, true), "/email"},
		{"application/json", wide(binary.LittleEndian, false), "/email"},
		{"application/json", wide(binary.BigEndian, false), "/email"},
		{"application/x-ndjson", as("{\"a\":1}\n%s\n"), "/email"},
		{"application/jsonl", as("[]\n[1]\n%s"), "/email"},
		{"application/json-seq", as("\x1e{}\n\x1e%s\n"), "/email"},
		{"application/geo+json-seq", as("\x1e%s\n"), "/email"},
		{"", as(" %s"), "/email"},
		{"", as("mail %s"), ""},
		{"text/plain", as("%s"), ""},
		{"text/csv", wide(binary.LittleEndian, true), ""},
		{"application/xml", as("<a>%s</a>"), ""},
		{"application/atom+xml", as("\ufeff<a>%s</a>"), ""},
		{"application/yaml", as("a: %s"), ""},
		{"application/javascript", as("f(%s)"), ""},
	} {
		if got := Body(row.mediaType, row.written(data)); len(got) != 1 || got[0] != (Found{Class: Email, Pointer: row.at}) {
			t.Errorf("%s, %.40q: %v, want an address at %q", row.mediaType, row.written(data), got, row.at)
		}
		if got := Body(row.mediaType, row.written(none)); len(got) != 0 {
			t.Errorf("%s, %.40q: %v, want nothing", row.mediaType, row.written(none), got)
		}
	}
	for _, mediaType := range []string{"image/png", "application/octet-stream", "text/event-stream", ""} {
		if got := Body(mediaType, []byte("\x89PNG\x00\xff ada@example.com")); len(got) != 0 {
			t.Errorf("%q that is no text: %v", mediaType, got)
		}
	}
}
