package apiguard

import "github.com/apiguard/caddy-api-guard/policy"

func setQuota(l *Limit, out, base *policy.Limit, at, source string) error {
	if l.Quota == "" {
		return nil
	}
	n, period, err := parseQuota(l.Quota)
	if err != nil {
		return wrong(at+".quota", source, "%w", err)
	}
	if base != nil && base.Quota != 0 && (period != base.Period || n > base.Quota) {
		return wrong(at+".quota", source, "limit %q: %s is looser than the inherited %d/%s, which holds too: write a tighter one of the same period, or another name", l.Name, l.Quota, base.Quota, base.Period)
	}
	out.Quota, out.Period = n, period
	return nil
}
