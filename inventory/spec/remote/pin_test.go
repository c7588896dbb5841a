package remote

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const digits = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

func TestAPinIsAnHTTPSAddressAndAHash(t *testing.T) {
	for _, text := range []string{
		"https://docs.example.com/orders.yaml sha256:" + digits,
		"  https://docs.example.com/orders.yaml\tsha256:" + strings.ToUpper(digits) + "\n", // as {file.*} has it
		"HTTPS://[::1]:8443/raw?ref=v1.2&path=%2Fa sha256:" + digits,
	} {
		pin, err := Parse(text)
		if err != nil || pin.URL != strings.Fields(text)[0] || !bytes.HasPrefix(pin.Sum[:], []byte{0x9f, 0x86}) {
			t.Errorf("%q: %+v, %v", text, pin, err)
		}
	}
	for name, tt := range map[string]struct{ text, want string }{
		"plain HTTP":           {"http://a.example/x sha256:" + digits, "https"},
		"another protocol":     {"ftp://a.example/x sha256:" + digits, "not by ftp"},
		"a file's URL":         {"file:///srv/x.yaml", "path"},
		"no host":              {"https:///x sha256:" + digits, "host"},
		"a port alone":         {"https://:443/x sha256:" + digits, "host"},
		"a user":               {"https://u:secret@a.example/x sha256:" + digits, "user"},
		"a fragment":           {"https://a.example/x#y sha256:" + digits, "#"},
		"no hash":              {"https://a.example/x", "sha256sum"},
		"bare digits":          {"https://a.example/x " + digits, "sha256:"},
		"another hash":         {"https://a.example/x sha1:" + digits[:40], "sha256:"},
		"a digit too few":      {"https://a.example/x sha256:" + digits[1:], "64"},
		"a digit that is none": {"https://a.example/x sha256:g" + digits[1:], "64"},
		"words behind":         {"https://a.example/x sha256:" + digits + " more", "alone"},
		"a control character":  {"https://a.example/\x01 sha256:" + digits, "no URL"},
		"nothing":              {" ", "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error %v, want one that says %q and repeats nothing", err, tt.want)
			}
		})
	}
}

func TestAHashStandsBehindItsURL(t *testing.T) {
	hash := "sha256:" + digits
	loose := func(s string) bool { return strings.Contains(s, "{env.") }
	for _, tt := range []struct{ args, want []string }{
		{[]string{"a.yaml", "b.yaml"}, []string{"a.yaml", "b.yaml"}},
		{[]string{"a.yaml", "https://x/y", hash, "b.yaml"}, []string{"a.yaml", "https://x/y " + hash, "b.yaml"}},
		{[]string{"https://x/y", hash, "https://x/z", hash}, []string{"https://x/y " + hash, "https://x/z " + hash}},
		{[]string{"https://x/y", "https://x/z"}, []string{"https://x/y", "https://x/z"}}, // Parse says what is missing
		{[]string{"https://x/y", "{env.HASH}", "a.yaml"}, []string{"https://x/y {env.HASH}", "a.yaml"}},
		{[]string{"{env.URL}", "sha256:{env.HASH}"}, []string{"{env.URL} sha256:{env.HASH}"}},
		{[]string{"{env.A}", "{env.B}"}, []string{"{env.A}", "{env.B}"}},
	} {
		if got, err := Join(tt.args, loose); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v", tt.args, got, err)
		}
	}
	for _, args := range [][]string{{hash}, {"a.yaml", hash}, {"https://x/y", hash, hash}} {
		if got, err := Join(args, loose); err == nil || !strings.Contains(err.Error(), "behind no URL") {
			t.Errorf("%q: %q, %v", args, got, err)
		}
	}
}
