package policy

import (
	"net/http"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// confine refuses what would make a tunnel or an echo that nobody declared and that
// no field can be taken out of: an extended CONNECT (RFC 8441, RFC 9220) for a
// protocol that the operation does not name, and CONNECT and TRACE (RFC 9110,
// sections 9.3.6 and 9.3.8) where no document has them.
func (v *Verdict) confine(r *Request) {
	mode := v.scope.rules.modes[RuleUpgrade]
	switch {
	case r.Tunnel != "" && !v.upgrades([]string{r.Tunnel}):
		v.Object(RuleUpgrade, mode, ReasonUpgradeRefused, reasonText[ReasonUpgradeRefused].status)
	case (r.Method == http.MethodConnect || r.Method == http.MethodTrace) && r.Match.Outcome != catalogue.Found:
		if v.Object(RuleUpgrade, mode, ReasonMethodNotAllowed, http.StatusMethodNotAllowed) {
			v.Allow = r.Match.Allow
		}
	}
}
