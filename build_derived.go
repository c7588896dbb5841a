package apiguard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/policy"
)

// Origins of a value of a version.
const (
	fromConfiguration = "configuration"
	fromDocument      = "document"
	fromDefault       = "default"
)

// maxDerivedLimits is how many limits the documents of one API may bring; the
// configuration's own have the rest of the room that there is.
const maxDerivedLimits = 16

// derived is what the documents of a version say where its configuration is
// silent, and whose word holds.
type derived struct {
	origins         map[string]string
	contact         string
	documentVersion string
}

// derive fills in what the configuration of a version leaves out and its documents
// say. The configuration wins; what a document says in a way that cannot be used is
// a problem of the document and changes nothing.
func (b *builder) derive(api *API, v *Version, declared *catalogue.Version, out *policy.Version) {
	d := &derived{origins: map[string]string{}}
	b.derived[declared] = d
	origin := func(name string, configured, said bool) {
		switch {
		case configured:
			d.origins[name] = fromConfiguration
		case said:
			d.origins[name] = fromDocument
		default:
			d.origins[name] = fromDefault
		}
	}
	owner := cmp.Or(v.Owner, api.Owner)
	said := firstSaid(declared.Documents, ownerOf)
	declared.Owner = cmp.Or(owner, said)
	origin("owner", owner != "", said != "")
	d.contact = firstSaid(declared.Documents, contactOf)
	d.documentVersion = firstSaid(declared.Documents, func(d *spec.Document) string { return d.Version })

	origin("hosts", len(v.Hosts) > 0, true)
	origin("path", v.Path != "" || slices.ContainsFunc(v.Select, func(s *Selector) bool { return s.Path != "" }), len(declared.Documents) > 0)
	origin("credentials", false, slices.ContainsFunc(declared.Documents, asksAnywhere))
	b.unusable(api, v, declared.Documents)
	b.deriveAudience(api, v, declared, out, origin)
	b.deriveLife(api, v, declared, origin)
}

func firstSaid(documents []*spec.Document, what func(*spec.Document) string) string {
	for _, d := range documents {
		if s := what(d); s != "" {
			return s
		}
	}
	return ""
}

func ownerOf(d *spec.Document) string {
	if d.Root == nil || d.Root.Info == nil || d.Root.Info.Contact == nil {
		return ""
	}
	return d.Root.Info.Contact.Name
}

func contactOf(d *spec.Document) string {
	if d.Root == nil || d.Root.Info == nil || d.Root.Info.Contact == nil {
		return ""
	}
	return cmp.Or(d.Root.Info.Contact.Email, d.Root.Info.Contact.URL)
}

func asksAnywhere(d *spec.Document) bool {
	return slices.ContainsFunc(d.Operations, (*spec.Operation).AsksCredentials)
}

// infoSays is an extension of a document's info, as text.
func infoSays(d *spec.Document, name string) string {
	text, _ := infoText(d, name)
	return text
}

// infoText is the same; false when what is there is no text.
func infoText(d *spec.Document, name string) (text string, ok bool) {
	if d.Root == nil || d.Root.Info == nil {
		return "", true
	}
	switch value := d.Root.Info.Extensions[name].(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case time.Time:
		return value.UTC().Format(time.RFC3339), true
	default:
		return "", false
	}
}

// unusable lists what a version's documents say in another way than a text, or than
// each other: a list of audiences, a date that is a number. It is not in force.
func (b *builder) unusable(api *API, v *Version, documents []*spec.Document) {
	for _, name := range [...]string{"x-audience", "x-deprecated", "x-sunset", "x-stability-level"} {
		said := firstSaid(documents, func(d *spec.Document) string { return infoSays(d, name) })
		for _, d := range documents {
			switch text, ok := infoText(d, name); {
			case !ok:
				b.problem(api.Name, v.Name, "/info/"+name, fmt.Sprintf("%s of %s is no text, and is not in force: write one in quotes", name, d.Base()))
			case text != "" && text != said:
				b.problem(api.Name, v.Name, "/info/"+name, fmt.Sprintf("the documents of the version say %q and %q; the first is in force: say it once, or in the version", said, text))
			}
		}
	}
}

// publicAudiences are words for everybody, where no audience of that name is
// declared.
var publicAudiences = []string{"public", "external-public"}

// deriveAudience takes x-audience for the name of a declared audience. One that
// nobody declared has no networks to go by.
func (b *builder) deriveAudience(api *API, v *Version, declared *catalogue.Version, out *policy.Version, origin func(string, bool, bool)) {
	said := firstSaid(declared.Documents, func(d *spec.Document) string { return infoSays(d, "x-audience") })
	audience, ok := b.byAudience[said]
	if len(v.Audience) > 0 || said == "" || !ok && slices.Contains(publicAudiences, said) {
		origin("audience", len(v.Audience) > 0, said != "")
		return
	}
	origin("audience", false, ok)
	if !ok {
		b.problem(api.Name, v.Name, "/info/x-audience", fmt.Sprintf("x-audience %q is no declared audience, so that nobody knows its networks: declare audience %s <network>..., or write audience in the version", said, said))
		return
	}
	out.Audience = []policy.Audience{audience}
}

// deriveLife takes the dates and the stability of a document's info.
func (b *builder) deriveLife(api *API, v *Version, declared *catalogue.Version, origin func(string, bool, bool)) {
	dated := func(name string) time.Time {
		text := firstSaid(declared.Documents, func(d *spec.Document) string { return infoSays(d, name) })
		if text == "" {
			return time.Time{}
		}
		t, err := parseDate(text)
		if err != nil {
			b.problem(api.Name, v.Name, "/info/"+name, err.Error())
		}
		return t
	}
	deprecated, sunset := declared.Deprecated, declared.Sunset
	if v.Deprecated == "" {
		deprecated = dated("x-deprecated")
	}
	if v.Sunset == "" {
		sunset = dated("x-sunset")
	}
	stability := firstSaid(declared.Documents, func(d *spec.Document) string { return infoSays(d, "x-stability-level") })
	beta := slices.Contains([]string{"beta", "alpha", "draft", "experimental"}, stability)
	if v.State == "design" || !sunset.IsZero() && sunset.Before(deprecated) {
		if v.State != "design" {
			b.problem(api.Name, v.Name, "/info/x-sunset", "the sunset is before the deprecation: the document's dates are not in force")
		}
		deprecated, sunset = declared.Deprecated, declared.Sunset
	}
	origin("deprecated", v.Deprecated != "", !deprecated.IsZero())
	origin("sunset", v.Sunset != "", !sunset.IsZero())
	origin("state", v.State != "", beta)
	declared.Deprecated, declared.Sunset = deprecated, sunset
	if v.State == "" && beta {
		declared.State = catalogue.StateBeta
	}
}

func (b *builder) problem(api, version, where, reason string) {
	b.problems = append(b.problems, catalogue.Problem{API: api, Version: version, Where: where, Reason: reason})
}

var noLimitName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// deriveLimits makes limits of x-ratelimit: of an operation one that binds it in
// every version of the API, whichever document says it; the tightest counts. Where
// the configuration has a limit on the operation it is silent no more, and the
// document's is left out.
func (b *builder) deriveLimits(cfg *policy.Config, api *API, out *policy.API) {
	byName := map[string]int{}
	var limits []policy.Limit
	for _, v := range out.Declared.Versions {
		for _, d := range v.Documents {
			for _, op := range d.Operations {
				value, ok := op.Op.Extensions["x-ratelimit"]
				if !ok {
					continue
				}
				at, name := op.Method+" "+op.Template+" x-ratelimit", "document."+strings.Trim(noLimitName.ReplaceAllString(operationKey(op), "-"), "-")
				limit, err := b.saidLimit(value, name[:min(len(name), 64)], operationKey(op))
				switch {
				case err != nil:
					b.problem(api.Name, v.Name, at, err.Error())
					continue
				case limitedBy(cfg, out, op):
					continue
				}
				if i, had := byName[limit.Name]; had {
					if perSecond(&limit) < perSecond(&limits[i]) {
						limits[i] = limit
					}
				} else if len(limits) == maxDerivedLimits {
					b.problem(api.Name, v.Name, at, fmt.Sprintf("more than %d operations of the API have one: it is not in force; write a limit with operations", maxDerivedLimits))
					continue
				} else {
					byName[limit.Name] = len(limits)
					limits = append(limits, limit)
				}
				b.derived[v].origins["limits"] = fromDocument
			}
		}
	}
	for i, v := range out.Declared.Versions {
		if d := b.derived[v]; d.origins["limits"] == "" {
			d.origins["limits"] = fromDefault
			if len(cfg.Limits)+len(out.Limits)+len(out.Versions[i].Limits) > 0 {
				d.origins["limits"] = fromConfiguration
			}
		}
	}
	out.Limits = append(out.Limits, limits...)
}

func perSecond(l *policy.Limit) float64 { return float64(l.Rate) / l.Window.Seconds() }

// saidLimit reads `x-ratelimit: 5/1m`, or an object with the options of a limit.
func (b *builder) saidLimit(value any, name, operation string) (policy.Limit, error) {
	l := &Limit{}
	if text, ok := value.(string); ok {
		l.Rate = text
	} else {
		raw, err := json.Marshal(value)
		if err != nil {
			return policy.Limit{}, err
		}
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(l); err != nil {
			return policy.Limit{}, fmt.Errorf("reading x-ratelimit: %w: write a rate such as 5/1m, or an object with the options of a limit", err)
		}
	}
	if l.Rate == "" || len(l.Operations) > 0 || l.Name != "" {
		return policy.Limit{}, fmt.Errorf("x-ratelimit needs a rate such as 5/1m, and has neither name nor operations")
	}
	l.Name, l.Operations = name, []string{operation}
	return b.limit(l, nil, nil, "x-ratelimit", "")
}

// limitedBy reports whether a limit of the configuration names the operation.
func limitedBy(cfg *policy.Config, api *policy.API, op *spec.Operation) bool {
	names := func(l policy.Limit) bool {
		return slices.ContainsFunc(l.Operations, func(ref string) bool { return ref == op.ID && ref != "" || ref == op.Method+" "+op.Template })
	}
	return slices.ContainsFunc(cfg.Limits, names) || slices.ContainsFunc(api.Limits, names) ||
		slices.ContainsFunc(api.Versions, func(v policy.Version) bool { return slices.ContainsFunc(v.Limits, names) })
}
