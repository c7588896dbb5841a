package spec

import (
	"fmt"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestServersAreExpandedToHostsAndPaths(t *testing.T) {
	enum := func(values ...string) *openapi3.ServerVariable { return &openapi3.ServerVariable{Enum: values} }
	free := func(value string) *openapi3.ServerVariable { return &openapi3.ServerVariable{Default: value} }
	vars := func(pairs ...any) openapi3.ServerVariables {
		m := openapi3.ServerVariables{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1].(*openapi3.ServerVariable)
		}
		return m
	}
	nine := enum("1", "2", "3", "4", "5", "6", "7", "8", "9")
	for _, tt := range []struct {
		url       string
		variables openapi3.ServerVariables
		want      string // servers, "!" for a problem
	}{
		{"https://API.Example.com./v1/", nil, "[{api.example.com /v1}]"},
		{"http://localhost:5000", nil, "[{localhost }]"},
		{"//cdn.example.com:8443/x", nil, "[{cdn.example.com /x}]"},
		{"https://[2001:DB8::1]:443/v1", nil, "[{2001:db8::1 /v1}]"},
		{"wss://h/v1?x=1#f", nil, "[{h /v1}]"},
		{"/", nil, "[{ }]"},
		{"", nil, "[{ }]"},
		{"/v1", nil, "[{ /v1}]"},
		{"v1/x", nil, "[{ /v1/x}]"},
		{"./v1", nil, "[{ /v1}]"},
		{".", nil, "[{ }]"},
		{"/caf%c3%a9/%7Eme", nil, "[{ /caf%C3%A9/~me}]"},
		{"https://{r}.h/{v}", vars("r", enum("eu", "us"), "v", enum("v1", "v2")), "[{eu.h /v1} {eu.h /v2} {us.h /v1} {us.h /v2}]"},
		{"https://{r}.h/", vars("r", enum("eu", "eu")), "[{eu.h }]"},
		{"https://{tenant}.h/v1", vars("tenant", free("demo")), "[{*.h /v1}]"},
		{"https://{tenant}.h/v1", nil, "[{*.h /v1}]"},
		{"https://h/{tenant}/v1", vars("tenant", free("demo")), "[{h /{tenant}/v1}]"},
		{"https://h/t-{tenant}/v1", vars("tenant", free("demo")), "[{h /t-demo/v1}]"},
		{"https://t-{tenant}.h/v1", vars("tenant", free("demo")), "[{t-demo.h /v1}]"},
		{"https://{host}/v1", vars("host", free("up.example.com")), "[{up.example.com /v1}]"},
		{"https://{host}/v1", vars("host", free("localhost")), "[{localhost /v1}]"},
		{"https://h:{port}/{base}", vars("port", free("443"), "base", free("api/v1")), "[{h /api/v1}]"},
		{"{scheme}://h/v1", vars("scheme", free("https")), "[{h /v1}]"},
		{"{server}/v1", vars("server", free("https://h")), "[{h /v1}]"},
		{"{base}/v1", vars("base", free("x")), "[{ /x/v1}]"},
		{"https://{a}{b}.h", vars("a", nine, "b", nine), "!"},
		{"https://{host}/v1", nil, "!"},
		{"https://h/t-{tenant}", nil, "!"},
		{"{server}/v1", nil, "!"},
		{"https://user@h/", nil, "!"},
		{"https:///v1", nil, "!"},
		{"https://h/{v", nil, "!"},
		{"https://h//v1", nil, "!"},
		{"https://h/a/../b", nil, "!"},
		{"../v1", nil, "!"},
		{"https://h:port/", nil, "!"},
		{"https://h\x01x\x02/", nil, "!"},
		// A delimiter or a mark in a variable's name or default, at the start of the URL
		// and behind it.
		{"{a?b}/v1", nil, "!"},
		{"{a#b}/v1", vars("a#b", free("h")), "!"},
		{"https://h/t-{a?b}/v1", vars("a?b", free("x")), "!"},
		{"https://h/v1?x={a}", vars("a", free("x")), "[{h /v1}]"},
		{"{a}/v1", vars("a", free("\x01a\x02")), "!"},
		{"{a}/v1", vars("a", free("\x01")), "!"},
		{"https://h/t-{a}", vars("a", free("\x01a\x02")), "!"},
	} {
		servers, problems := expandServers("", openapi3.Servers{{URL: tt.url, Variables: tt.variables}})
		got := fmt.Sprint(servers)
		if len(problems) > 0 {
			got = "!"
		}
		if got != tt.want {
			t.Errorf("%q: %s, want %s (%v)", tt.url, got, tt.want, problems)
		}
	}
}

func TestHostsAreReadStrictly(t *testing.T) {
	for declared, want := range map[string]string{
		"API.example.COM":          "api.example.com",
		"https://api.example.com/": "api.example.com",
		"h:8080":                   "h",
		"h.":                       "h",
		"*.example.com":            "*.example.com",
		"::1":                      "::1",
		"[::1]":                    "::1",
		"[2001:DB8:0::1]:80":       "2001:db8::1",
		"127.0.0.1:80":             "127.0.0.1",
		"under_score.h":            "under_score.h",
		"xn--hser-moa.example":     "xn--hser-moa.example",
		"häuser.example":           "xn--huser-gra.example",
		"https://*.HÄUSER.example": "*.xn--huser-gra.example",
		"ha\u0308user.example.:80": "xn--huser-gra.example",
		"straße.example":           "xn--strae-oqa.example",
		"例え.テスト":                   "xn--r8jz45g.xn--zckzah",
	} {
		if got, err := CanonicalHost(declared); err != nil || got != want {
			t.Errorf("%q: %q, %v", declared, got, err)
		}
	}
	for _, bad := range []string{"", ".", ":80", "h:", "h:0", "h:65536", "h:x", "a..b", "a b", "a/b", "a*.h", "h?", "[::1", "[::1]x", "[h]", "fe80::1%eth0", "hä user", "ä\u200d.h", "\xff.h", "ä*.h", "h\x00", "a:b:c"} {
		if got, err := CanonicalHost(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}
