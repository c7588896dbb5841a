package apiguard

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// plainPlaceholder is one without a dot. Caddy has none, but for those that a map,
// a vars or another handler before the guard sets.
var plainPlaceholder = regexp.MustCompile(`\{[^{}.$\[]+\}`)

// latePlaceholder is one that the guard sets itself, once it has decided.
var latePlaceholder = regexp.MustCompile(`\{http\.api_guard\.(api|version|state|operation|verdict|rule|reason)\}`)

// freshPlaceholder is one that every request, or every connection, has another value
// of: each gets a bucket of its own, and the limit limits nothing. For a whole body, which
// its sender may fill up with anything, Caddy holds all of it besides.
var freshPlaceholder = regexp.MustCompile(`\{(http\.request\.(uuid|body|body_base64|duration|duration_ms|remote|remote\.port)|time\.now[^{}]*)\}`)

// requestPlaceholder is one of the request itself, without those that only some requests
// have: of its certificate, or of the third label of its host.
var requestPlaceholder = regexp.MustCompile(`\{(http\.request\.[^{}]+)\}`)

var ofSomeRequests = []string{"http.request.tls.", "http.request.host.labels.", "http.request.uri.path.", "http.request.uuid"}

// unknownOfRequest is the first placeholder of a request in s that Caddy, asked about
// one, does not know.
func unknownOfRequest(s string) string {
	for _, found := range requestPlaceholder.FindAllStringSubmatch(s, -1) {
		if slices.ContainsFunc(ofSomeRequests, func(prefix string) bool { return strings.HasPrefix(found[1], prefix) }) {
			continue
		}
		ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{}))
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Host: "localhost", RequestURI: "/", Header: http.Header{}}
		known := caddy.NewReplacer()
		caddyhttp.PrepareRequest(r.WithContext(ctx), known, nil, new(caddyhttp.Server))
		if _, ok := known.Get(found[1]); !ok {
			return found[0]
		}
	}
	return ""
}

// keys looks for parts of keys that no request will have. All its requests share
// one bucket then, and what was meant for each client is soon used up by all. It
// looks for the opposite too.
func (l *linter) keys() {
	look := func(api, version, at string, limits []*Limit) {
		for i, limit := range limits {
			where := cmp.Or(limit.Source, fmt.Sprintf("%slimit[%d]", at, i))
			for _, part := range limit.Key {
				known := expandShorthands(part)
				if found := plainPlaceholder.FindString(known); found != "" && !slices.ContainsFunc(l.app.Consumers, func(c string) bool { return expandShorthands(c) == found }) {
					l.add(lintUnknownKey, api, version, where, fmt.Sprintf("limit %q counts by %s, which Caddy does not have", limit.Name, found))
				} else if found := unknownOfRequest(known); found != "" {
					l.add(lintUnknownKey, api, version, where, fmt.Sprintf("limit %q counts by %s, which no request has", limit.Name, found))
				} else if found := latePlaceholder.FindString(known); found != "" {
					l.add(lintUnknownKey, api, version, where, fmt.Sprintf("limit %q counts by %s, which is not known yet when limits are asked", limit.Name, found))
				} else if found := freshPlaceholder.FindString(known); found != "" {
					l.add(lintFreshKey, api, version, where, fmt.Sprintf("limit %q counts by %s, which is another one for each request or connection", limit.Name, found))
				} else if !strings.Contains(known, "{") {
					l.add(lintUnknownKey, api, version, where, fmt.Sprintf("limit %q counts by %q, which is the same for every request", limit.Name, part))
				}
			}
		}
	}
	if l.app.Policy != nil {
		look("", "", "policy.", l.app.Policy.Limit)
	}
	for i, api := range l.app.API {
		at := fmt.Sprintf("api[%d].", i)
		look(api.Name, "", at, api.Limit)
		for j, v := range api.Version {
			at := fmt.Sprintf("%sversion[%d].", at, j)
			look(api.Name, v.Name, at, v.Limit)
			for k, e := range v.Exception {
				look(api.Name, v.Name, fmt.Sprintf("%sexception[%d].", at, k), e.Limit)
			}
		}
	}
}
