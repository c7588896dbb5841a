package apiguard

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/dataclass"
	"github.com/apiguard/caddy-api-guard/policy"
)

// Integration is a declared third party, and how it is recognised.
type Integration struct {
	// Letters, digits, "_", "-" and "."; it is {http.api_guard.consumer} and stands in
	// logs.
	Name string `json:"name"`
	// "sha256:" and the SHA-256, in hex, of a credential that it presents: the
	// token of Authorization, an API key, or a value of `consumers`. The
	// credential itself never stands in the configuration. Caddyfile:
	// `consumer sha256:<hex>...`.
	Consumer []string `json:"consumer"`
	// What it is for. It is logged with its exceptions, as the next two are.
	Purpose string `json:"purpose,omitempty"`
	// The classes of data that it gets or sends, as the inventory names them: email,
	// phone, payment_card, iban, national_id, jwt, secret, date_of_birth,
	// postal_address, password, location. One that flows and does not stand here is
	// a finding.
	Data []string `json:"data,omitempty"`
	// The team that answers for it.
	Owner string `json:"owner,omitempty"`
	// The last day of it (to its end, UTC), or the time of its end. From then on it
	// is recognised no more. Default: no end. Caddyfile: `until <date>`.
	Until string `json:"until,omitempty"`

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// Exception switches one rule of a version off for one integration, or sets limits
// for it, until a day.
type Exception struct {
	// Letters, digits, "_", "-" and ".".
	Name string `json:"name"`
	// The integration that it is for.
	Consumer string `json:"consumer"`
	// audience, limit, lifecycle, unknown_route, credentials, request, response,
	// headers or upgrade. It may be left out where there are limits.
	Rule string `json:"rule,omitempty"`
	// Limits that hold for it in place of those that bear their names in the version,
	// its API and the policy, with buckets of their own. They take over what they
	// leave out, and may be looser.
	Limit []*Limit `json:"limit,omitempty"`
	// The last day of it (to its end, UTC), or the time of its end. Caddyfile:
	// `until <date>`.
	Until string `json:"until"`
	// Why, for those who review it.
	Reason string `json:"reason"`

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// parseUntil reads the end of something: a day counts to its end.
func parseUntil(s string) (time.Time, error) {
	t, err := parseDate(s)
	if err == nil && len(s) == len(time.DateOnly) {
		t = noLater(t.AddDate(0, 0, 1))
	}
	return t, err
}

func sumOf(credential string) []byte {
	sum := sha256.Sum256([]byte(credential))
	return sum[:]
}

// integrations checks the declared integrations and the places of credentials.
func (b *builder) integrations(cfg *policy.Config) error {
	for i, text := range b.app.Consumers {
		text = expandShorthands(text)
		if !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}") || strings.Contains(text, "client_ip") {
			return wrong(fmt.Sprintf("consumers[%d]", i), "", "%q: write a placeholder that a credential or a user stands in, such as {http.auth.user.id}", text)
		}
		cfg.Consumers = append(cfg.Consumers, text)
	}
	if len(b.app.Consumers) > 0 && len(b.app.Integration) == 0 {
		return wrong("consumers", "", "no integration is declared that could be recognised by them: add an integration, or leave consumers out")
	}
	seen, credentials := map[string]bool{}, map[[sha256.Size]byte]string{}
	for i, in := range b.app.Integration {
		at := fmt.Sprintf("integration[%d]", i)
		if err := checkName(in.Name, "integration", at, in.Source, seen); err != nil {
			return err
		}
		out := policy.Integration{Name: in.Name}
		for j, class := range in.Data {
			if _, ok := dataclass.Parse(class); !ok {
				return wrong(fmt.Sprintf("%s.data[%d]", at, j), in.Source, "integration %q: %q is no class of data: write some of %s", in.Name, class, strings.Join(dataclass.Names(), ", "))
			}
		}
		if len(in.Consumer) == 0 {
			return wrong(at+".consumer", in.Source, "integration %q has no consumer: write sha256: and the SHA-256 of its credential in hex", in.Name)
		}
		for j, text := range in.Consumer {
			digits, ok := strings.CutPrefix(text, "sha256:")
			sum, err := hex.DecodeString(digits)
			if ok && (bytes.Equal(sum, sumOf("")) || bytes.Equal(sum, sumOf("\n"))) {
				return wrong(fmt.Sprintf("%s.consumer[%d]", at, j), in.Source, "consumer of integration %q: that is the SHA-256 of nothing, which nobody presents: was the variable empty?", in.Name)
			}
			if !ok || err != nil || len(sum) != sha256.Size {
				// Not quoted: it may be the credential itself.
				return wrong(fmt.Sprintf("%s.consumer[%d]", at, j), in.Source, "consumer of integration %q: write sha256: and 64 hex digits, the SHA-256 of its credential", in.Name)
			}
			key := [sha256.Size]byte(sum)
			if other, taken := credentials[key]; taken {
				return wrong(fmt.Sprintf("%s.consumer[%d]", at, j), in.Source, "integrations %q and %q have the same credential", other, in.Name)
			}
			credentials[key] = in.Name
			out.Credentials = append(out.Credentials, key)
		}
		if in.Until != "" {
			until, err := parseUntil(in.Until)
			if err != nil {
				return wrong(at+".until", in.Source, "%w", err)
			}
			out.Until = until
		}
		cfg.Integrations = append(cfg.Integrations, out)
	}
	return nil
}

// parties are the integrations as the inventory holds flows of data against them.
func (app *App) parties() []inventory.Party {
	var list []inventory.Party
	for _, in := range app.Integration {
		p := inventory.Party{Name: in.Name, Purpose: in.Purpose, Owner: in.Owner}
		for _, name := range in.Data {
			if class, ok := dataclass.Parse(name); ok {
				p.Data |= dataclass.Of(class)
			}
		}
		if in.Until != "" {
			p.Until, _ = parseUntil(in.Until) // checked when the configuration was
		}
		list = append(list, p)
	}
	return list
}

func integrationNames(app *App) []string {
	var names []string
	for _, in := range app.Integration {
		names = append(names, in.Name)
	}
	return names
}

// exceptions checks the exceptions of a version.
func (b *builder) exceptions(v *Version, limits []policy.Limit, at string) ([]policy.Exception, error) {
	var out []policy.Exception
	seen, limited := map[string]bool{}, map[string]string{}
	for i, e := range v.Exception {
		at := fmt.Sprintf("%s.exception[%d]", at, i)
		if err := checkName(e.Name, "exception", at, e.Source, seen); err != nil {
			return nil, err
		}
		if e.Consumer == "" {
			return nil, wrong(at+".consumer", e.Source, "exception %q has no consumer: write the name of an integration", e.Name)
		}
		if !slices.ContainsFunc(b.app.Integration, func(in *Integration) bool { return in.Name == e.Consumer }) {
			return nil, wrong(at+".consumer", e.Source, "exception %q: consumer %q is no declared integration%s", e.Name, e.Consumer, catalogue.Nearly(e.Consumer, integrationNames(b.app)))
		}
		rule := policy.RuleNone
		if e.Rule != "" || len(e.Limit) == 0 {
			var err error
			if rule, err = policy.ParseExceptable(e.Rule); err != nil {
				return nil, wrong(at+".rule", e.Source, "exception %q: %w", e.Name, err)
			}
		}
		if rule == policy.RuleLimit || len(e.Limit) > 0 {
			if rule == policy.RuleLimit && len(e.Limit) > 0 {
				return nil, wrong(at+".rule", e.Source, "exception %q: rule limit switches all limits off: leave it out, or the limits inside", e.Name)
			}
			if other, taken := limited[e.Consumer]; taken {
				return nil, wrong(at, e.Source, "exceptions %q and %q both set limits for %q: write them into one", other, e.Name, e.Consumer)
			}
			limited[e.Consumer] = e.Name
		}
		set, err := b.exceptionLimits(e, limits, at)
		if err != nil {
			return nil, err
		}
		if e.Until == "" {
			return nil, wrong(at+".until", e.Source, "exception %q has no end: write until <date>", e.Name)
		}
		until, err := parseUntil(e.Until)
		if err != nil {
			return nil, wrong(at+".until", e.Source, "exception %q: %w", e.Name, err)
		}
		if strings.TrimSpace(e.Reason) == "" {
			return nil, wrong(at+".reason", e.Source, "exception %q has no reason: write why it is granted", e.Name)
		}
		out = append(out, policy.Exception{Name: e.Name, Consumer: e.Consumer, Rule: rule, Limits: set, Until: until})
	}
	return out, nil
}

// exceptionLimits are the limits inside an exception: each as the one of its name
// that stands nearest to the version, with what it says instead.
func (b *builder) exceptionLimits(e *Exception, limits []policy.Limit, at string) ([]policy.Limit, error) {
	var out []policy.Limit
	seen := map[string]bool{}
	for i, l := range e.Limit {
		at := fmt.Sprintf("%s.limit[%d]", at, i)
		where := cmp.Or(l.Source, e.Source)
		if err := checkName(l.Name, "limit", at, where, seen); err != nil {
			return nil, err
		}
		var from *policy.Limit
		var names []string
		for j := range limits {
			if names = append(names, limits[j].Name); limits[j].Name == l.Name {
				from = &limits[j]
			}
		}
		if from == nil {
			return nil, wrong(at+".name", where, "exception %q: no limit %q holds for the version that it could replace: there are %s", e.Name, l.Name, cmp.Or(strings.Join(names, ", "), "none"))
		}
		limit, err := b.limit(l, from, nil, at, where)
		if err != nil {
			return nil, err
		}
		out = append(out, limit)
	}
	return out, nil
}

func (e *Exception) limitNames() []string {
	var names []string
	for _, l := range e.Limit {
		names = append(names, l.Name)
	}
	return names
}

// logExceptions says at each start which exceptions loosen the policy, and which
// have ended and can go.
func (app *App) logExceptions(now time.Time) {
	for _, api := range app.API {
		for _, v := range api.Version {
			for _, e := range v.Exception {
				in := app.Integration[slices.IndexFunc(app.Integration, func(in *Integration) bool { return in.Name == e.Consumer })]
				fields := []zap.Field{
					zap.String("api", api.Name), zap.String("version", v.Name), zap.String("exception", e.Name),
					zap.String("consumer", e.Consumer), zap.String("rule", e.Rule), zap.Strings("limits", e.limitNames()), zap.String("until", e.Until), zap.String("reason", e.Reason),
					zap.String("purpose", in.Purpose), zap.String("owner", in.Owner), zap.Strings("data", in.Data),
				}
				if until, err := parseUntil(e.Until); err == nil && !now.Before(until) {
					app.logger.Warn("an exception has ended: take it out", fields...)
					continue
				}
				app.logger.Info("an exception is in force", fields...)
			}
		}
	}
}
