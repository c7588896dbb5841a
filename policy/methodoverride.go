package policy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// methodParameter is the query parameter by which frameworks (Rails, Symfony,
// Laravel, Express) let a POST stand for another method.
const methodParameter = "_method"

// declaresMethod reports whether the operation has such a parameter of its own.
func declaresMethod(r *catalogue.Route) bool {
	for _, list := range [...]openapi3.Parameters{r.Operation.Path.Parameters, r.Operation.Op.Parameters} {
		if list.GetByInAndName(openapi3.ParameterInQuery, methodParameter) != nil {
			return true
		}
	}
	return false
}

// overridden reports whether the query may make another method of a POST than the
// one that is judged.
func (p *Policy) overridden(r *Request) bool {
	if r.Method != http.MethodPost || r.Target.RawQuery == "" || !asksMethod(r.Target.RawQuery) {
		return false
	}
	return r.Match.Route == nil || !p.routes[r.Match.Route.Index].method
}

func asksMethod(query string) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(pair, "=")
		if len(name) < len(methodParameter) || len(name) > 3*len(methodParameter) {
			continue
		}
		if strings.IndexByte(name, '%') >= 0 {
			decoded, err := url.QueryUnescape(name)
			if err != nil {
				continue
			}
			name = decoded
		}
		// PHP takes ".method" for "_method", and others any letter case.
		if strings.EqualFold(name, methodParameter) || strings.EqualFold(name, ".method") {
			return true
		}
	}
	return false
}
