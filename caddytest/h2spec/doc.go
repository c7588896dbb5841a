// Package h2spec holds Caddy with the guard against h2spec, a conformance suite
// for HTTP/2 servers, beside the same Caddy without it. It is a module of its own,
// so that nobody who builds the plugin gets h2spec with it.
package h2spec
