package apiguard

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("api_inventory", parsePage)
	// After authentication, so that it sees the user; before what answers.
	httpcaddyfile.RegisterDirectiveOrder("api_inventory", httpcaddyfile.Before, "respond")
}

// parsePage reads the directive in a site:
//
//	api_inventory [<matcher>] {
//		path   <path>
//		access local|authenticated|anyone
//		review
//	}
func parsePage(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	p := new(Page)
	seen := make(map[string]bool)
	for h.NextBlock(0) {
		option := h.Val()
		if seen[option] {
			return nil, h.Errf("%s is there twice", option)
		}
		seen[option] = true
		switch option {
		case "path":
			if !h.AllArgs(&p.Path) {
				return nil, h.ArgErr()
			}
			if p.Path == "" || p.Path[0] != '/' {
				return nil, h.Errf("path: %q does not begin with a slash", p.Path)
			}
		case "access":
			if !h.AllArgs(&p.Access) {
				return nil, h.ArgErr()
			}
			if p.Access != accessLocal && p.Access != accessAuthenticated && p.Access != accessAnyone {
				return nil, h.Errf("access: unrecognized value %q: write %s, %s or %s", p.Access, accessLocal, accessAuthenticated, accessAnyone)
			}
		case "review":
			if h.NextArg() {
				return nil, h.ArgErr()
			}
			p.Review = true
		default:
			return nil, h.Errf("unrecognized option %q: there are path, access and review", option)
		}
	}
	return p, nil
}
