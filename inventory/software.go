package inventory

import (
	"net/http"
	"slices"
	"strings"
)

// Software is what an answer told about the software behind it.
type Software struct {
	// Product is a name from a fixed list, or "other": what upstream writes about
	// itself is not kept.
	Product string `json:"product"`
	// Versioned: its version was told too.
	Versioned bool `json:"versioned"`
}

// softwareFields are the header fields in which software tells about itself.
var softwareFields = [...]string{
	"Server", "X-Powered-By", "X-Aspnet-Version", "X-Aspnetmvc-Version", "X-Generator", "X-Runtime-Version", "X-Php-Version", "X-Powered-Cms",
}

// products are those that are known by name.
var products = []string{
	"apache", "asp.net", "caddy", "cherrypy", "cloudflare", "cowboy", "django", "drupal", "envoy", "express", "fastapi", "flask", "gunicorn",
	"hypercorn", "iis", "jboss", "jenkins", "jetty", "kestrel", "laravel", "lighttpd", "litespeed", "mod_perl", "mod_ssl", "next.js", "nginx", "node.js",
	"nuxt", "openresty", "openssl", "passenger", "perl", "phusion", "php", "plone", "puma", "python", "rails", "ruby", "servlet", "spring", "tomcat",
	"tornado", "traefik", "undertow", "unicorn", "uvicorn", "varnish", "weblogic", "websphere", "werkzeug", "wildfly", "wordpress", "zope",
}

const maxSoftware = 16

// softwareOf reads what the header fields of an answer tell. Caddy's own field
// tells nothing of upstream.
func softwareOf(h http.Header) []Software {
	var list []Software
	add := func(s Software) {
		if len(list) < maxSoftware && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	for _, name := range softwareFields {
		for _, value := range h[name] {
			if name == "X-Aspnet-Version" || name == "X-Aspnetmvc-Version" {
				add(Software{"asp.net", true})
				continue
			}
			for word := range strings.FieldsFuncSeq(value[:min(len(value), 256)], func(r rune) bool { return strings.ContainsRune(" ,;()", r) }) {
				if s, ok := productOf(word); ok && s.Product != "caddy" {
					add(s)
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b Software) int { return strings.Compare(a.Product, b.Product) })
	return list
}

// productOf reads a product (RFC 9110, section 10.2.4): a name, and maybe its
// version after a slash. A word that is neither a known product nor has a version
// says nothing.
func productOf(word string) (Software, bool) {
	name, version, _ := strings.Cut(strings.ToLower(word), "/")
	versioned := strings.ContainsAny(version, "0123456789")
	for _, suffix := range [...]string{"microsoft-", "apache-", "phusion-"} {
		name = strings.TrimPrefix(name, suffix)
	}
	for _, product := range products {
		if name == product {
			return Software{product, versioned}, true
		}
	}
	return Software{"other", true}, versioned
}

// tellsVersion reports whether some version was told.
func tellsVersion(list []Software) bool {
	return slices.ContainsFunc(list, func(s Software) bool { return s.Versioned })
}
