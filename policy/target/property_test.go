package target

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkAccepted holds an accepted target against everything that the package
// promises about it, with net/url and net/http as the judges.
func checkAccepted(t failer, in Input, got Target) {
	t.Helper()
	line := got.RequestURI()

	var u url.URL
	got.WriteTo(&u)
	if u.RequestURI() != line || u.EscapedPath() != got.Path {
		t.Fatalf("%+v: the URL sends %q, not %q", in, u.RequestURI(), line)
	}
	again, problem := Canonical(Input{Method: "GET", Raw: line, Host: got.Authority, TLS: in.TLS})
	want := got
	want.Changed = false
	if problem != "" || again != want {
		t.Fatalf("%+v: not idempotent: %+v gives %+v, %q", in, got, again, problem)
	}
	if !got.Changed {
		parsed, err := url.ParseRequestURI(in.Raw)
		if err != nil || parsed.RequestURI() != line || *parsed != u || in.Host != got.Authority {
			t.Fatalf("%+v: unchanged, but Go reads %#v (%v)", in, parsed, err)
		}
	}
	if parsed, err := url.ParseRequestURI(in.Raw); err != nil || parsed.Path != u.Path && parsed.Path != "" || parsed.RawQuery != u.RawQuery {
		t.Fatalf("%+v: Go reads %#v (%v), the canonical form is %#v", in, parsed, err, u)
	}
	checkPath(t, got.Path)
	if _, err := url.ParseQuery(got.RawQuery); err != nil {
		t.Fatalf("%+v: Go cannot read the query: %v", in, err)
	}
	named, err := url.Parse("http://" + got.Authority + "/")
	if err != nil || named.Hostname() != got.Host {
		t.Fatalf("%+v: host %q, but the authority %q names %q (%v)", in, got.Host, got.Authority, named.Hostname(), err)
	}
	if got.Settle() != got.Conditional {
		t.Fatalf("%+v: settles as %q", in, got.Settle())
	}
	if got.Settle(Span{End: len(got.Path), Slash: true, Semicolon: true}) != "" {
		t.Fatalf("%+v: is refused although all is allowed", in)
	}
}

// checkPath decodes a canonical path until nothing is left to decode and looks
// for what a path-cleaning reader would change at any of the stages.
func checkPath(t failer, canonical string) {
	t.Helper()
	for stage, p := 0, canonical; ; stage++ {
		if cleaned := path.Clean(p); cleaned != p && cleaned+"/" != p {
			t.Fatalf("%q: path.Clean turns stage %d, %q, into %q", canonical, stage, p, cleaned)
		}
		for _, segment := range strings.Split(p, "/") {
			if before, _, _ := strings.Cut(segment, ";"); before == "." || before == ".." {
				t.Fatalf("%q: a dot segment at stage %d, %q", canonical, stage, p)
			}
		}
		if !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r >= 0x7F && r <= 0x9F || r == '\\' }) {
			t.Fatalf("%q: stage %d is %q", canonical, stage, p)
		}
		decoded, err := url.PathUnescape(p)
		if err != nil {
			t.Fatalf("%q: stage %d, %q: %v", canonical, stage, p, err)
		}
		if decoded == p {
			return
		}
		p = decoded
	}
}

// pathGrammar, badEscape and obviousPath are the rules for a path written down
// without care for speed.
var (
	pathGrammar = regexp.MustCompile(`^/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*$`)
	badEscape   = regexp.MustCompile(`%(?:[01][0-9A-Fa-f]|25|3[Bb]|5[Cc]|7[Ff])`)
	anyEscape   = regexp.MustCompile(`%..`)
)

func obviousPath(p string) (canonical string, conditional, ok bool) {
	if !pathGrammar.MatchString(p) || badEscape.MatchString(p) {
		return "", false, false
	}
	decoded, err := url.PathUnescape(p)
	if err != nil || !utf8.ValidString(decoded) || strings.ContainsFunc(decoded, func(r rune) bool { return 0x80 <= r && r <= 0x9F }) {
		return "", false, false
	}
	segments := strings.Split(decoded, "/")[1:]
	for i, s := range segments {
		name, _, _ := strings.Cut(s, ";")
		if s == "" && i < len(segments)-1 || name == "." || name == ".." {
			return "", false, false
		}
	}
	canonical = anyEscape.ReplaceAllStringFunc(p, func(esc string) string {
		if c, _ := url.PathUnescape(esc); strings.Contains("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", c) {
			return c
		}
		return strings.ToUpper(esc)
	})
	return canonical, strings.Contains(canonical, ";") || strings.Contains(canonical, "%2F"), true
}

// anyTarget draws targets of which about half are accepted: of pieces that pass
// beside each other, with now and then one that mostly does not.
func anyTarget() *rapid.Generator[string] {
	harmless := rapid.SampledFrom([]string{
		"a", "B", "7", "-", "_", "~", "x.", ":", "@", "!", "*", "(", "=", ",", "+", "/a", "/b", "/c.d", "/%41", "/..e",
		"%7e", "%5F", "%3a", "%3A", "%20", "%C3%A4", "%c3%a4", "%E2%82%AC", "%F0%9F%98%80", ";a", "%2fb", "%2Fc",
	})
	hostile := rapid.OneOf(
		rapid.SampledFrom([]string{
			"/", "/", ".", "%2e", "%2E", "%2f", ";", "%25", "%3b", "%5C", "%00", "%7F", "%C2%85", "%c3", "%A4", "%ED%A0%80",
			"%C0%AF", "%", "%4", "%zz", "\\", "#", "?", " ", "ä", "\xff", "{", "|", "[", "//", "/../", "/./", "/..;", "?a=%zz",
		}),
		rapid.Custom(func(t *rapid.T) string { return string([]byte{rapid.Byte().Draw(t, "byte")}) }),
	)
	piece := rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 6).Draw(t, "kind") == 6 {
			return hostile.Draw(t, "hostile")
		}
		return harmless.Draw(t, "harmless")
	})
	return rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(piece, 0, 8).Draw(t, "pieces"), "")
	})
}

func TestPathAgreesWithTheObviousReading(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		for _, raw := range rapid.SliceOfN(anyTarget(), 20, 20).Draw(t, "raw") {
			p, _, _ := strings.Cut(raw, "?")
			want, conditional, ok := obviousPath(p)
			got, problem := canonical(p)
			if ok != (problem == "") {
				t.Fatalf("%q: problem %q, the obvious reading accepts it: %v", p, problem, ok)
			}
			if got.Path != want || (got.Conditional != "") != conditional {
				t.Fatalf("%q: %+v, want %q, conditional: %v", p, got, want, conditional)
			}
			if ok {
				accepted++
			} else {
				refused++
			}
		}
	})
	if accepted < refused/4 || refused < accepted/4 {
		t.Errorf("%d accepted, %d refused: the generator no longer covers both", accepted, refused)
	}
}

func TestAcceptedTargetsKeepThePromises(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		host := rapid.StringMatching(`[a-zA-Z0-9_-]{1,4}(\.[a-z]{1,3}){0,2}\.?(:[1-9][0-9]{0,3})?|\[[0-9a-fA-F]{1,3}::[1-9A-Fa-f]{1,2}\]`).Draw(t, "host")
		tls := rapid.Bool().Draw(t, "tls")
		for _, raw := range rapid.SliceOfN(anyTarget(), 20, 20).Draw(t, "raw") {
			in := Input{Method: "GET", Raw: raw, Host: host, TLS: tls}
			got, problem := Canonical(in)
			if problem != "" {
				refused++
				if again, p := canonical(Lenient(in).Path); p != "" || again.Conditional != "" {
					t.Fatalf("%+v: Lenient gives %+v, %q", in, again, p)
				}
				continue
			}
			accepted++
			checkAccepted(t, in, got)
			checkWire(t, got)
		}
	})
	if accepted < refused/4 || refused < accepted/4 {
		t.Errorf("%d accepted, %d refused: the generator no longer covers both", accepted, refused)
	}
}

// checkWire sends an accepted target the way a proxy does and reads it back.
func checkWire(t failer, got Target) {
	t.Helper()
	out := &http.Request{Method: "GET", URL: new(url.URL), Host: got.Authority, Header: http.Header{}}
	got.WriteTo(out.URL)
	var wire bytes.Buffer
	if err := out.Write(&wire); err != nil {
		t.Fatalf("%+v: writing the request: %v", got, err)
	}
	received, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatalf("%+v: reading the request: %v", got, err)
	}
	if received.RequestURI != got.RequestURI() || received.Host != got.Authority {
		t.Fatalf("%+v: the upstream gets %q of %q", got, received.RequestURI, received.Host)
	}
}

// Every spelling that RFC 3986 section 6.2.2 calls equivalent, made from a
// canonical target, must come back as that target.
func TestEquivalentSpellingsHaveOneCanonicalForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		canonicalPath := "/" + rapid.StringMatching(`([a-zA-Z0-9_~-]{1,3}(%C3%A4|%20|%3A|[:@!]){0,2}/?){0,4}`).Draw(t, "path")
		var spelled strings.Builder
		for i := 0; i < len(canonicalPath); i++ {
			c := canonicalPath[i]
			switch {
			case c == '%':
				esc := canonicalPath[i : i+3]
				if rapid.Bool().Draw(t, "lower") {
					esc = strings.ToLower(esc)
				}
				spelled.WriteString(esc)
				i += 2
			case class[c]&unreserved != 0 && rapid.Bool().Draw(t, "encode"):
				esc := string(appendEscape(nil, c))
				if rapid.Bool().Draw(t, "lower") {
					esc = strings.ToLower(esc)
				}
				spelled.WriteString(esc)
			default:
				spelled.WriteByte(c)
			}
		}
		host := rapid.SampledFrom([]string{"api.example.com", "API.Example.com", "api.example.com.", "api.example.com:80", "API.EXAMPLE.COM.:80"}).Draw(t, "host")
		got, problem := Canonical(Input{Method: "GET", Raw: spelled.String(), Host: host})
		want := Target{Host: "api.example.com", Authority: "api.example.com", Path: canonicalPath}
		got.Changed = false
		if problem != "" || got != want {
			t.Fatalf("%q of %q: %+v, %q, want %q", spelled.String(), host, got, problem, canonicalPath)
		}
	})
}
