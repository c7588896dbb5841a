package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
)

// Digest names the policy that holds for a version: 16 hex digits over its rules
// and limits. Versions with one digest are protected alike.
func (p *Policy) Digest(v *catalogue.Version) string {
	s := p.versions[v]
	h := sha256.New()
	fmt.Fprintf(h, "%v %d %d %d %d\n", s.rules.modes, s.rules.MaxBody, s.rules.MaxResponse, s.rules.UnknownParameters, s.rules.InvalidStatus)
	fmt.Fprintf(h, "%v\n", s.audience)
	for _, e := range s.exceptions {
		fmt.Fprintf(h, "%q %q %d %d\n", e.Name, e.Consumer, e.Rule, e.Until.Unix())
	}
	for i := range s.limits {
		l := &s.limits[i]
		fmt.Fprintf(h, "%q %d %d %d %d %v %d %d %v %d %d\n", l.arithmetic.Name, l.arithmetic.Rate, l.arithmetic.Window,
			l.arithmetic.Burst, l.arithmetic.Algorithm, l.key, l.mode, l.count, l.failures, l.arithmetic.Penalty, l.cost)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
