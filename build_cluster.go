package apiguard

import (
	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// setStoreFailure takes over what holds while the cluster's store cannot be asked.
func setStoreFailure(l *Limit, out, base *policy.Limit, at, source string) error {
	if l.OnStoreFailure == "" {
		return nil
	}
	f, ok := ratelimit.ParseStoreFailure(l.OnStoreFailure)
	if !ok {
		return wrong(at+".on_store_failure", source, "on_store_failure %q: write local, deny or allow", l.OnStoreFailure)
	}
	if base != nil && strictness[f] < strictness[base.OnStoreFailure] {
		return wrong(at+".on_store_failure", source, "limit %q: %s is looser than the inherited %s: write a stricter one or another name", l.Name, f, base.OnStoreFailure)
	}
	out.OnStoreFailure = f
	return nil
}

var strictness = map[ratelimit.StoreFailure]int{ratelimit.FailAllow: 0, ratelimit.FailLocal: 1, ratelimit.FailDeny: 2}
