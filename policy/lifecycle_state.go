package policy

import (
	"net/http"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

// operationLife is the life of an operation that its document ends before its
// version: marked deprecated, or with a sunset of its own.
type operationLife struct {
	// version is the operation's version with the earlier of both dates.
	version    *catalogue.Version
	deprecated bool // marked without a date
	life       life
}

// newOperationLife is nil for an operation that lives as long as its version.
func newOperationLife(v *catalogue.Version, op *spec.Operation, successor string) *operationLife {
	if !op.Deprecated && op.Sunset.IsZero() {
		return nil
	}
	merged := *v
	merged.Sunset = earlier(v.Sunset, op.Sunset)
	if !merged.Sunset.IsZero() && merged.Deprecated.After(merged.Sunset) {
		// The version's later date says nothing of this operation (RFC 9745,
		// section 4: a sunset is not before the deprecation).
		merged.Deprecated = time.Time{}
	}
	return &operationLife{version: &merged, deprecated: op.Deprecated, life: newLife(&merged, successor)}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// live finds where what was matched is in its life.
func (v *Verdict) live(p *Policy, m *catalogue.Match, now time.Time) {
	if m.Version == nil {
		return
	}
	v.State = m.Version.State
	if l := &v.scope.life; !l.steady {
		v.life = l
		v.State = m.Version.StateAt(now)
		v.brownout = v.State != catalogue.StateRetired && m.Version.BrownoutAt(now)
	}
	if m.Route == nil {
		return
	}
	if own := p.routes[m.Route.Index].life; own != nil && v.State != catalogue.StateDesign {
		v.State = own.version.StateAt(now)
		if own.deprecated && v.State < catalogue.StateDeprecated {
			v.State = catalogue.StateDeprecated
		}
		v.brownout = v.brownout && v.State != catalogue.StateRetired
		v.life = &own.life
	}
}

// ended objects to calls of what is retired, or takes a rest before it is.
func (v *Verdict) ended() (refused bool) {
	if v.State == catalogue.StateRetired {
		return v.object(RuleLifecycle, ReasonVersionRetired)
	}
	return v.object(RuleLifecycle, ReasonVersionBrownout)
}

// unborn objects to calls of a version that is not served yet, as if it were not
// there. It belongs to the rule lifecycle: a service that lets unknown routes
// pass still does not serve a design.
func (v *Verdict) unborn() (refused bool) {
	return v.Object(RuleLifecycle, v.scope.rules.modes[RuleLifecycle], ReasonUnknownRoute, http.StatusNotFound)
}
