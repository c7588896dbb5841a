package inventory

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTemplate(t *testing.T) {
	tests := []struct{ name, base, path, want string }{
		{"names stay", "", "/orders/open", "/orders/open"},
		{"a trailing slash stays", "", "/orders/", "/orders/"},
		{"the root", "", "/", "/"},
		{"nothing is the root", "", "", "/"},

		{"digits", "", "/orders/17", "/orders/{integer}"},
		{"a single digit from the third segment on", "", "/a/b/7", "/a/b/{integer}"},
		{"a single digit in the first two may be a version", "", "/7/2/orders", "/7/2/orders"},
		{"two digits there are none", "", "/17/orders", "/{integer}/orders"},
		{"a sign", "", "/a/b/-5", "/a/b/{integer}"},
		{"digits with a letter", "", "/a/b/5x", "/a/b/5x"},
		{"a phone number", "", "/a/+4915112345678", "/a/{phone}"},
		{"a phone number encoded", "", "/a/%2B4915112345678", "/a/{phone}"},
		{"a plus before a name", "", "/a/+plus", "/a/+plus"},
		{"coordinates", "", "/geo/near/52.520008/13.404954", "/geo/near/{number}/{number}"},

		{"a version", "", "/v2/orders", "/v2/orders"},
		{"a version of three digits", "", "/v123/x", "/v123/x"},
		{"a version with a suffix", "", "/v1beta1/v2.1/v3-alpha/V4_rc1/x", "/v1beta1/v2.1/v3-alpha/V4_rc1/x"},
		{"a version anywhere", "", "/a/b/c/v12", "/a/b/c/v12"},
		{"a dotted version", "", "/api/2025.0/orders", "/api/2025.0/orders"},
		{"a dotted version of three", "", "/1.2.3/orders", "/1.2.3/orders"},
		{"a dated version comes first", "", "/2024-01-31/orders", "/2024-01-31/orders"},
		{"or second, if something follows", "", "/api/2024-01-31/orders", "/api/2024-01-31/orders"},
		{"a preview anywhere", "", "/a/b/2024-01-31-preview", "/a/b/2024-01-31-preview"},
		{"a date is last", "", "/reports/2024-01-31", "/reports/{date}"},
		{"a date further on", "", "/a/b/2024-01-31/c", "/a/b/{date}/c"},
		{"a date of another century", "", "/1999-12-31/born", "/{date}/born"},
		{"a date with a time", "", "/a/b/2024-01-31T10:00:00Z", "/a/b/{date}"},
		{"no such month", "", "/a/b/2024-13-31", "/a/b/2024-13-31"},

		{"a UUID", "", "/a/6ba7b810-9dad-11d1-80b4-00c04fd430c8", "/a/{uuid}"},
		{"a UUID in capitals", "", "/a/6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "/a/{uuid}"},
		{"hex", "", "/a/deadbeef01", "/a/{hex}"},
		{"hex without a digit is a word", "", "/a/defaced", "/a/defaced"},
		{"short hex", "", "/a/beef123", "/a/beef123"},
		{"24 hex digits", "", "/a/507f1f77bcf86cd799439011", "/a/{hex}"},
		{"an address", "", "/users/jane.doe@example.com/orders", "/users/{email}/orders"},
		{"an address encoded", "", "/users/jane%40example.com", "/users/{email}"},
		{"a scope is a name", "", "/npm/@types", "/npm/@types"},
		{"a ULID", "", "/a/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/a/{ulid}"},
		{"a JWT", "", "/a/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "/a/{jwt}"},
		{"a token", "", "/reset/aB3dE5fG7hI9jK1lM3", "/reset/{token}"},
		{"a token of small letters and digits", "", "/reset/k3j4h5l6n7p8q9r2", "/reset/{token}"},
		{"a long name", "", "/a/exceptionOccurrences", "/a/exceptionOccurrences"},
		{"a long name with hyphens", "", "/a/notification-settings-2024", "/a/notification-settings-2024"},
		{"text with a space", "", "/customers/Jane%20Doe", "/customers/{text}"},
		{"more than 64 bytes", "", "/a/" + strings.Repeat("x", 65), "/a/{text}"},
		{"64 bytes", "", "/a/" + strings.Repeat("x", 64), "/a/" + strings.Repeat("x", 64)},
		{"another alphabet", "", "/caf%C3%A9", "/caf%C3%A9"},

		{"names of the base path stay", "/17/2024-01-31", "/17/2024-01-31/42", "/17/2024-01-31/{integer}"},
		{"a variable of the base path", "/{tenant}/v2", "/acme/v2/orders", "/{tenant}/v2/orders"},
		{"the root as base path", "/", "/17", "/{integer}"},

		{"a query is cut off", "", "/a?token=secret", "/a"},
		{"a fragment too", "", "/a#secret", "/a"},
		{"matrix parameters", "", "/a;session=secret/b", "/a;{parameters}/b"},
		{"braces of a client's", "", "/a/{integer}", "/a/%7Binteger%7D"},
		{"bytes that are not UTF-8", "", "/a/\xff\xfe", "/a/%FF%FE"},
		{"controls", "", "/a/\x00\r\n\x1b[31m", "/a/%00%0D%0A%1B[31m"},
		{"text direction", "", "/a/\u202e", "/a/%E2%80%AE"},
		{"markup", "", `/a/"<b>`, "/a/%22%3Cb%3E"},
		{"a wildcard of a client's", "", "/a/**", "/a/%2A%2A"},
		{"not even a slash", "", "*", "/*"},

		{"24 segments", "", strings.Repeat("/a", 24), strings.Repeat("/a", 24)},
		{"25 segments", "", strings.Repeat("/a", 25), strings.Repeat("/a", 24) + "/**"},
		{"too long", "", "/a/" + strings.Repeat("x", 3000), "/a/**"},
		{"too long for any segment", "", "/" + strings.Repeat("x", 3000), "/**"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := lexical(tt.base, tt.path); got != tt.want {
				t.Errorf("template(%q, %q) = %q, want %q", tt.base, tt.path, got, tt.want)
			}
		})
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"/v2/orders/17", "", "//", "/a;b=c/%", "\xff", strings.Repeat("/x", 40), "/2024-01-31T", "/v", "/-", "/%2B", "/eyJ.a.b"} {
		f.Add("/v2", seed)
		f.Add("", seed)
	}
	f.Fuzz(func(t *testing.T, base, path string) {
		got := lexical("", path)
		if !utf8.ValidString(got) || strings.ContainsAny(got, " \"<>\\?#") {
			t.Errorf("template of %q is %q", path, got)
		}
		for i := range len(got) {
			if got[i] <= ' ' || got[i] >= 0x7f {
				t.Fatalf("template of %q has byte %#x", path, got[i])
			}
		}
		if got == "" || got[0] != '/' || strings.Count(got, "/") > maxSegments+1 || len(got) > 2*maxPath {
			t.Errorf("template of %q is %q", path, got)
		}
		if again := lexical("", path); again != got {
			t.Errorf("template of %q is %q, then %q", path, got, again)
		}
		lexical(base, path)
	})
}

func TestCleanHost(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"a name", "api.example.com", "api.example.com"},
		{"capitals, port and final dot", "API.Example.COM.:8443", "api.example.com"},
		{"an underscore, as some internal names have", "my_service", "my_service"},
		{"an address", "192.0.2.1:80", "192.0.2.1"},
		{"an IPv6 address", "[2001:DB8::1]:443", "2001:db8::1"},
		{"an IPv6 address without brackets", "2001:db8::1", "2001:db8::1"},
		{"its zone", "[fe80::1%eth0]", "fe80::1"},
		{"IPv4 in IPv6", "[::FFFF:c000:201]:80", "::ffff:192.0.2.1"},
		{"nothing", "", hostInvalid},
		{"a port only", ":80", hostInvalid},
		{"empty labels", "a..b", hostInvalid},
		{"a space", "a b", hostInvalid},
		{"a control", "a\r\nb", hostInvalid},
		{"markup", "<script>", hostInvalid},
		{"our own special names", hostOther, hostInvalid},
		{"a pattern", "*.example.com", hostInvalid},
		{"not ASCII", "exämple.com", hostInvalid},
		{"a label of 64", strings.Repeat("a", 64) + ".com", hostInvalid},
		{"a label of 63", strings.Repeat("a", 63) + ".com", strings.Repeat("a", 63) + ".com"},
		{"254 bytes", strings.Repeat("a.", 126) + "aa", hostInvalid},
		{"253 bytes", strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "a"},
		{"a megabyte", strings.Repeat("a", 1<<20), hostInvalid},
		{"an open bracket", "[::1", hostInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cleanHost(tt.in); got != tt.want {
				t.Errorf("cleanHost(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzCleanHost(f *testing.F) {
	f.Add("api.example.com:443")
	f.Add("[::1]")
	f.Fuzz(func(t *testing.T, in string) {
		got := cleanHost(in)
		if got == "" || len(got) > maxHost || !utf8.ValidString(got) {
			t.Errorf("cleanHost(%q) = %q", in, got)
		}
		if got != hostInvalid && cleanHost(got) != got {
			t.Errorf("cleanHost(%q) = %q, and of that %q", in, got, cleanHost(got))
		}
	})
}
