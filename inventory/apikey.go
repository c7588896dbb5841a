package inventory

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// apiKey is where a document says that an API key stands.
type apiKey struct {
	in   string // header, query or cookie
	name string
}

// apiKeys are the places that the documents' apiKey schemes name, each once.
func apiKeys(documents []*spec.Document) []apiKey {
	var keys []apiKey
	for _, d := range documents {
		if d.Root == nil || d.Root.Components == nil {
			continue
		}
		schemes := d.Root.Components.SecuritySchemes
		for _, name := range slices.Sorted(maps.Keys(schemes)) {
			ref := schemes[name]
			if ref == nil || ref.Value == nil || ref.Value.Type != "apiKey" || ref.Value.Name == "" {
				continue
			}
			k := apiKey{in: ref.Value.In, name: ref.Value.Name}
			if k.in == "header" {
				k.name = http.CanonicalHeaderKey(k.name)
			}
			if k.name != "Authorization" && !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// presented reports whether the caller's request has the key, whatever its value.
func (k *apiKey) presented(c *Caller, cookies []string) bool {
	switch k.in {
	case "header":
		return first(c.Header, k.name) != ""
	case "query":
		return hasPair(c.RawQuery, k.name, "&")
	case "cookie":
		return slices.ContainsFunc(cookies, func(line string) bool { return hasPair(line, k.name, ";") })
	}
	return false
}

// hasPair reports whether a list of name=value has one with that name and any
// value.
func hasPair(list, name, separator string) bool {
	for list != "" {
		var pair string
		pair, list, _ = strings.Cut(list, separator)
		got, value, _ := strings.Cut(strings.TrimLeft(pair, " "), "=")
		if got == name && value != "" {
			return true
		}
	}
	return false
}
