package attacks

import (
	"bufio"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// A reader resolves a request target as some kind of upstream does and returns
// the operation that it would run, "" for none.
type reader struct {
	name string
	find func(target string) string
}

// routes are the document's GET operations, in the forms that routers take.
var routes = []struct {
	id      string
	mux     string // a pattern of Go's ServeMux
	decoded string // a regular expression over a decoded path
	raw     string // one over an encoded path, for readers that decode afterwards
}{
	{"ping", "GET /v2/ping", `/v2/ping`, `/v2/ping`},
	{"listOrders", "GET /v2/orders", `/v2/orders`, `/v2/orders`},
	{"getOrder", "GET /v2/orders/{id}", `/v2/orders/[^/]+`, `/v2/orders/[^/]+`},
	{"getFile", "GET /v2/files/{path...}", `/v2/files/(?s:.+)`, `/v2/files/.+`},
	{"getColour", "GET /v2/colours/{c}", `/v2/colours/[^/]+`, `/v2/colours/[^/]+`},
	{"events", "GET /v2/events", `/v2/events`, `/v2/events`},
	// What no document has but upstream does: the prize.
	{"admin", "GET /v2/admin/", `/v2/admin(/.*)?`, `/v2/admin(/.*)?`},
	{"retired", "GET /v1/", `/v1(/.*)?`, `/v1(/.*)?`},
}

// readers are upstreams of the kinds that attacks on gateways were made for.
func readers() []reader {
	mux := http.NewServeMux()
	byPattern := map[string]string{}
	for _, r := range routes {
		mux.Handle(r.mux, http.NotFoundHandler())
		byPattern[r.mux] = r.id
	}
	decoded, raw, folded := table(func(i int) string { return routes[i].decoded }), table(func(i int) string { return routes[i].raw }),
		table(func(i int) string { return "(?i:" + routes[i].decoded + ")" })
	unescaped := func(target string) string {
		p, err := url.PathUnescape(pathOf(target))
		if err != nil {
			return pathOf(target) // as most do: what cannot be decoded stays
		}
		return p
	}
	return []reader{
		{"Go's ServeMux", func(target string) string {
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
			if err != nil {
				return ""
			}
			_, pattern := mux.Handler(r)
			return byPattern[pattern]
		}},
		{"split, then decode", func(target string) string { return raw(pathOf(target)) }},
		{"decode, then split (WSGI)", func(target string) string { return decoded(unescaped(target)) }},
		{"decode twice", func(target string) string {
			p := unescaped(target)
			if again, err := url.PathUnescape(p); err == nil {
				p = again
			}
			return decoded(p)
		}},
		{"decode, merge slashes, resolve dots (nginx)", func(target string) string {
			p := unescaped(target)
			clean := path.Clean("/" + p)
			if strings.HasSuffix(p, "/") && clean != "/" {
				clean += "/"
			}
			return decoded(clean)
		}},
		{"the URL Standard", func(target string) string { return raw(whatwg(pathOf(target))) }},
		{"backslashes are slashes (IIS)", func(target string) string {
			return folded(path.Clean(strings.ReplaceAll(unescaped(target), `\`, "/")))
		}},
		{"parameters cut off, then decode (servlets)", func(target string) string {
			p := pathOf(target)
			if strings.HasPrefix(p, "/v2/colours/;") {
				return "getColour" // the document's own parameter
			}
			p, err := url.PathUnescape(regexp.MustCompile(`;[^/]*`).ReplaceAllString(p, ""))
			if err != nil {
				return ""
			}
			return decoded(path.Clean(p))
		}},
		{"letter case and a final slash mean nothing (Express)", func(target string) string {
			return folded(strings.TrimSuffix(unescaped(target), "/"))
		}},
		{"the path ends at NUL (C)", func(target string) string {
			p, _, _ := strings.Cut(unescaped(target), "\x00")
			return decoded(p)
		}},
	}
}

// pathOf is the path of a target, also when a reader takes "//" for an authority.
func pathOf(target string) string {
	target, _, _ = strings.Cut(target, "#")
	target, _, _ = strings.Cut(target, "?")
	return target
}

// table resolves by the first expression that matches the whole path.
func table(expression func(int) string) func(string) string {
	var all []*regexp.Regexp
	for i := range routes {
		all = append(all, regexp.MustCompile(`^(?:`+expression(i)+`)$`))
	}
	return func(p string) string {
		for i, re := range all {
			if re.MatchString(p) {
				return routes[i].id
			}
		}
		return ""
	}
}

// whatwg is the path state of the URL Standard's basic parser (section 4.4) for a
// special scheme: what browsers, Node and Deno make of a path.
func whatwg(p string) string {
	p = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(p)
	var out []string
	segments := strings.Split(p, "/")[1:]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			out = out[:max(0, len(out)-1)]
			if last {
				out = append(out, "")
			}
		case ".":
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, segment)
		}
	}
	return "/" + strings.Join(out, "/")
}
