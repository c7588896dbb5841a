package apiguard

import "github.com/apiguard/caddy-api-guard/inventory"

// userPlaceholder is whom a handler of Caddy's authenticated. It is asked for when
// the answer begins, so that a handler after the guard may set it too.
const userPlaceholder = "http.auth.user.id"

// introduce tells the inventory who called, for the length of the call: it keeps
// hashes and classes of it.
func (x *exchange) introduce() *inventory.Caller {
	c := &x.caller
	c.Addr = x.request.Client
	c.Integration = x.verdict.Consumer
	if x.before.names || x.others.names && x.passed.method != "" {
		c.User, _ = x.replacer.GetString(userPlaceholder)
	}
	c.Certificate = x.request.Certificate
	c.Header, c.RawQuery, c.Host = x.r.Header, x.request.Target.RawQuery, x.request.Target.Host
	c.Answer = x.w.Header()
	return c
}
