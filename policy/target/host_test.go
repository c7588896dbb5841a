package target

import (
	"strings"
	"testing"
)

func TestHosts(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := strings.Join([]string{label, label, label, label[:61]}, ".") // 253 bytes
	tests := []struct {
		name      string
		raw       string
		tls       bool
		host      string
		authority string // host when empty
		problem   Problem
	}{
		{name: "a name", raw: "api.example.com", host: "api.example.com"},
		{name: "one label", raw: "localhost", host: "localhost"},
		{name: "letter case (RFC 3986 6.2.2.1)", raw: "API.Example.COM", host: "api.example.com"},
		{name: "an underscore", raw: "my_api.example.com", host: "my_api.example.com"},
		{name: "hyphens anywhere", raw: "-a-.example.com", host: "-a-.example.com"},
		{name: "an A-label", raw: "XN--MNCHEN-3ya.example", host: "xn--mnchen-3ya.example"},
		{name: "a final dot", raw: "api.example.com.", host: "api.example.com"},
		{name: "a final dot before a port", raw: "api.example.com.:8080", host: "api.example.com", authority: "api.example.com:8080"},
		{name: "letter case before a port", raw: "API.example.com:8080", host: "api.example.com", authority: "api.example.com:8080"},
		{name: "an IPv4 address", raw: "192.0.2.1", host: "192.0.2.1"},
		{name: "addresses in other notations are names", raw: "0x7f.1", host: "0x7f.1"},
		{name: "a number is a name", raw: "2130706433", host: "2130706433"},
		{name: "the default port (RFC 3986 6.2.3)", raw: "api.example.com:80", host: "api.example.com"},
		{name: "the default port of TLS", raw: "api.example.com:443", tls: true, host: "api.example.com"},
		{name: "port 443 without TLS", raw: "api.example.com:443", host: "api.example.com", authority: "api.example.com:443"},
		{name: "port 80 with TLS", raw: "api.example.com:80", tls: true, host: "api.example.com", authority: "api.example.com:80"},
		{name: "the last port", raw: "api.example.com:65535", host: "api.example.com", authority: "api.example.com:65535"},
		{name: "the longest label", raw: label, host: label},
		{name: "the longest name", raw: longest, host: longest},
		{name: "the longest name with its final dot", raw: longest + ".", host: longest},

		{name: "an IPv6 address", raw: "[2001:db8::1]", host: "2001:db8::1", authority: "[2001:db8::1]"},
		{name: "an IPv6 address with a port", raw: "[::1]:8080", host: "::1", authority: "[::1]:8080"},
		{name: "an IPv6 address with the default port", raw: "[::1]:80", host: "::1", authority: "[::1]"},
		{name: "an IPv6 address in another spelling (RFC 5952 4)", raw: "[2001:0DB8:0:0::1]:8080", host: "2001:db8::1", authority: "[2001:db8::1]:8080"},
		{name: "a mapped IPv4 address", raw: "[::FFFF:c000:201]", host: "::ffff:192.0.2.1", authority: "[::ffff:192.0.2.1]"},

		{name: "no host (RFC 9110 7.2)", raw: "", problem: HostMissing},
		{name: "a port without a host", raw: ":80", problem: HostMissing},
		{name: "the root of DNS", raw: ".", problem: HostLabel},
		{name: "two final dots", raw: "api.example.com..", problem: HostLabel},
		{name: "a leading dot", raw: ".example.com", problem: HostLabel},
		{name: "an empty label (RFC 1035 2.3.4)", raw: "api..example.com", problem: HostLabel},
		{name: "a label of 64 bytes (RFC 1035 2.3.4)", raw: label + "a.example.com", problem: HostLabel},
		{name: "a last label of 64 bytes", raw: "example." + label + "a", problem: HostLabel},
		{name: "a last label of 64 bytes with its dot", raw: "example." + label + "a.", problem: HostLabel},
		{name: "a name of 254 bytes (RFC 1035 2.3.4)", raw: longest + "a", problem: HostTooLong},

		{name: "userinfo (RFC 9110 4.2.4)", raw: "user@api.example.com", problem: Userinfo},
		{name: "a password", raw: "user:secret@api.example.com", problem: Userinfo},
		{name: "a raw U-label (RFC 5891 4.4)", raw: "münchen.example", problem: NonASCII},
		{name: "a byte that is not UTF-8", raw: "\xffapi.example.com", problem: NonASCII},
		{name: "a fullwidth letter", raw: "ａpi.example.com", problem: NonASCII},
		{name: "an escape", raw: "api%2eexample.com", problem: HostCharacter},
		{name: "an escaped U-label", raw: "m%C3%BCnchen.example", problem: HostCharacter},
		{name: "a space", raw: "api.example.com ", problem: HostCharacter},
		{name: "a leading space", raw: " api.example.com", problem: HostCharacter},
		{name: "a line break", raw: "api.example.com\r\nX: y", problem: HostCharacter},
		{name: "a NUL", raw: "api\x00.example.com", problem: HostCharacter},
		{name: "two hosts in a list", raw: "api.example.com,evil.example.com", problem: HostCharacter},
		{name: "a wildcard", raw: "*.example.com", problem: HostCharacter},
		{name: "a path", raw: "api.example.com/v2", problem: HostCharacter},
		{name: "a backslash", raw: `api.example.com\evil`, problem: HostCharacter},
		{name: "other sub-delimiters", raw: "api.example.com;x", problem: HostCharacter},

		{name: "an empty port", raw: "api.example.com:", problem: BadPort},
		{name: "a named port", raw: "api.example.com:http", problem: BadPort},
		{name: "a port of letters", raw: "api.example.com:abc", problem: BadPort},
		{name: "port 0 (RFC 6335 6)", raw: "api.example.com:0", problem: BadPort},
		{name: "a port with leading zeros", raw: "api.example.com:080", problem: BadPort},
		{name: "a port past the last", raw: "api.example.com:65536", problem: BadPort},
		{name: "a port that overflows", raw: "api.example.com:18446744073709551696", problem: BadPort},
		{name: "a signed port", raw: "api.example.com:+80", problem: BadPort},
		{name: "a negative port", raw: "api.example.com:-80", problem: BadPort},
		{name: "two ports", raw: "api.example.com:80:80", problem: BadPort},
		{name: "a port and a path", raw: "api.example.com:80/x", problem: BadPort},
		{name: "an IPv6 address without brackets", raw: "::1", problem: BadPort},

		{name: "an IPv6 zone (RFC 6874)", raw: "[fe80::1%25eth0]", problem: HostAddress},
		{name: "a raw IPv6 zone", raw: "[fe80::1%eth0]", problem: HostAddress},
		{name: "an IPv4 address in brackets", raw: "[192.0.2.1]", problem: HostAddress},
		{name: "a name in brackets", raw: "[api.example.com]", problem: HostAddress},
		{name: "a future address (RFC 3986 3.2.2)", raw: "[v1.x]", problem: HostAddress},
		{name: "empty brackets", raw: "[]", problem: HostAddress},
		{name: "an open bracket", raw: "[::1", problem: HostAddress},
		{name: "a closing bracket alone", raw: "::1]", problem: BadPort},
		{name: "something behind the bracket", raw: "[::1]x", problem: BadPort},
		{name: "an address with an empty port", raw: "[::1]:", problem: BadPort},
		{name: "an address with a bad port", raw: "[::1]:abc", problem: BadPort},
		{name: "an address with a final dot", raw: "[::1].", problem: BadPort},
		{name: "userinfo behind an address", raw: "[::1]@api.example.com", problem: Userinfo},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Method: "GET", Raw: "/", Host: tt.raw, TLS: tt.tls}
			got, problem := Canonical(in)
			if problem != tt.problem {
				t.Fatalf("problem %q, want %q", problem, tt.problem)
			}
			if tt.authority == "" {
				tt.authority = tt.host
			}
			if got.Host != tt.host || got.Authority != tt.authority {
				t.Fatalf("host %q, authority %q, want %q, %q", got.Host, got.Authority, tt.host, tt.authority)
			}
			if problem == "" {
				checkAccepted(t, in, got)
			}
		})
	}
}
