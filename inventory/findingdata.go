package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
)

// delicate are the classes that nobody should get without credentials. Tokens are
// none of them, since whoever logs in gets one; a location may be a shop's.
const delicate = dataclass.Personal&^(1<<dataclass.Location) | 1<<dataclass.Password

// findCarried looks for what is wrong with what routes carry and tell, as samples
// showed it.
func (inv *Inventory) findCarried(now time.Time) {
	together := make(map[findingKey]*gathered)
	for _, e := range inv.routes {
		if x := e.carried(); x != nil && e != inv.overflow && inv.listed(e) {
			inv.findExposed(now, e, x)
			inv.gather(now, e, x, together)
		}
	}
	for k, g := range together {
		inv.hold(now, k, nil, g.proof, 0, g.last)
	}
	inv.findFlows(now)
}

// gathered is a finding about several routes.
type gathered struct {
	proof proof
	last  int64
}

func gatherFor(together map[findingKey]*gathered, k findingKey, at int64) *gathered {
	g := together[k]
	if g == nil {
		g = new(gathered)
		together[k] = g
	}
	g.proof.routes++
	g.last = max(g.last, at)
	g.proof.at = g.last
	return g
}

// findExposed looks at one route.
func (inv *Inventory) findExposed(now time.Time, e *entry, x *exposure) {
	if inv.reviewed(e) {
		return
	}
	var anonymous, inURL proof
	for i := range x.data {
		d := &x.data[i]
		one := dataclass.Of(d.class)
		switch {
		case d.answer && delicate&one != 0 && recent(now, d.anonymous):
			anonymous.add(one, d.count, d.anonymous)
		case !d.answer && d.in != "body" && dataclass.Access&one != 0 && recent(now, d.last):
			inURL.add(one, d.count, d.last)
		}
	}
	for kind, p := range map[findingKind]proof{findDataUnauthenticated: anonymous, findSecretURL: inURL} {
		if p.classes != 0 {
			inv.hold(now, routeFinding(kind, e), e, p, 0, p.at)
		}
	}
	if recent(now, x.open) {
		inv.hold(now, routeFinding(findCORS, e), e, proof{at: x.open}, 0, x.open)
	}
}

func (p *proof) add(classes dataclass.Set, count uint64, at int64) {
	p.classes |= classes
	p.count = max(p.count, count)
	p.at = max(p.at, at)
}

// gather collects what is said of a version or host, not of each of its routes.
func (inv *Inventory) gather(now time.Time, e *entry, x *exposure, together map[findingKey]*gathered) {
	if tellsVersion(x.software) && recent(now, x.softwareSeen) {
		g := gatherFor(together, findingKey{kind: findSoftware, api: e.key.api, version: e.key.version, host: e.key.host}, x.softwareSeen)
		for _, s := range x.software {
			if s.Versioned && !slices.Contains(g.proof.products, s.Product) {
				g.proof.products = append(g.proof.products, s.Product)
				slices.Sort(g.proof.products)
			}
		}
	}
	place := inv.active.places[versionKey{e.key.api, e.key.version}]
	environment, source := environmentOf(place, e.key.host)
	if !offStage(environment, source) {
		return
	}
	var p proof
	for i := range x.data {
		if d := &x.data[i]; d.answer && (delicate | 1<<dataclass.Secret).Has(d.class) && recent(now, d.last) {
			p.add(dataclass.Of(d.class), d.count, d.last)
		}
	}
	if p.classes != 0 {
		g := gatherFor(together, findingKey{kind: findDataElsewhere, api: e.key.api, version: e.key.version, host: e.key.host}, p.at)
		g.proof.classes |= p.classes
		g.proof.environment = environment
	}
}

// findFlows looks for data that goes to a third party, or comes from one, without
// being declared; and for callers of a version for partners that are none of the
// declared ones.
func (inv *Inventory) findFlows(now time.Time) {
	together := make(map[findingKey]*gathered)
	for _, f := range inv.flows {
		if !recent(now, f.last) {
			continue
		}
		var k findingKey
		switch {
		case f.integration != "":
			if inv.active.parties[f.integration] == nil || inv.declared(&f.flowKey, now) {
				continue
			}
			k = findingKey{kind: findFlow, api: f.api, version: f.version, party: f.integration}
		case delicate.Has(f.class) && inv.forPartners(versionKey{f.api, f.version}):
			k = findingKey{kind: findParty, api: f.api, version: f.version}
		default:
			continue
		}
		g := gatherFor(together, k, f.last)
		g.proof.add(dataclass.Of(f.class), f.total(), f.last)
	}
	for k, g := range together {
		if k.kind == findParty {
			g.proof.routes = 0
		}
		inv.hold(now, k, nil, g.proof, 0, g.last)
	}
}

// forPartners reports whether a version is declared for an audience of partners:
// one whose name has the word.
func (inv *Inventory) forPartners(k versionKey) bool {
	p := inv.active.places[k]
	return p != nil && strings.Contains(strings.ToLower(p.meta.Audience), "partner")
}

// carriedEvidence spells what the findings of this file rest on.
func (p *proof) carriedEvidence(k *findingKey, when string) string {
	classes := strings.Join(p.classes.Names(), ", ")
	switch k.kind {
	case findDataUnauthenticated:
		return fmt.Sprintf("Upstream gave %s to a caller without any credentials, the latest at %s. Where in the answer, the route's entry says.", classes, when)
	case findSecretURL:
		return fmt.Sprintf("Requests carry %s in the URL, the latest at %s: URLs are logged, kept in histories and sent on as referrers. Where, the route's entry says.", classes, when)
	case findCORS:
		return fmt.Sprintf("An answer at %s let any origin in with credentials.", when)
	case findDataElsewhere:
		return fmt.Sprintf("The environment is %q, and %d of the version's routes on the host answer with %s, the latest at %s.", p.environment, p.routes, classes, when)
	case findSoftware:
		return fmt.Sprintf("Answers tell the version of %s, the latest at %s.", strings.Join(p.products, ", "), when)
	case findFlow:
		return fmt.Sprintf("The integration %q gets or sends %s, the latest at %s, and is not declared to.", k.party, classes, when)
	default:
		return fmt.Sprintf("The version is for partners, and callers that are no declared integration get or send %s, the latest at %s.", classes, when)
	}
}
