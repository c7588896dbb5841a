package apiguard

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// Audience is a named group of networks. A version that names audiences can be
// reached from their networks alone, by the client address that Caddy has
// ({client_ip}); the rule `audience` refuses everybody else with 403.
type Audience struct {
	// Letters, digits, "_", "-" and "."; not a mode.
	Name string `json:"name"`
	// Networks such as "10.0.0.0/8" or "fd00::/8", or single addresses. A network
	// with bits set behind its length is an error. Caddyfile:
	// `audience <name> <network>...`.
	Networks []string `json:"networks"`

	// Where the configuration has it, for messages; the Caddyfile adapter fills it.
	Source string `json:"source,omitempty"`
}

// audiences checks the declared audiences.
func (b *builder) audiences() error {
	seen := map[string]bool{}
	b.byAudience = make(map[string]policy.Audience)
	for i, a := range b.app.Audience {
		at := fmt.Sprintf("audience[%d]", i)
		if err := checkName(a.Name, "audience", at, a.Source, seen); err != nil {
			return err
		}
		if _, err := policy.ParseMode(a.Name); err == nil {
			return wrong(at+".name", a.Source, "audience name %q is a mode of the rule audience: choose another", a.Name)
		}
		if len(a.Networks) == 0 {
			return wrong(at+".networks", a.Source, "audience %q has no network: write at least one such as 10.0.0.0/8", a.Name)
		}
		out := policy.Audience{Name: a.Name}
		for j, text := range a.Networks {
			network, err := parseNetwork(text)
			if err != nil {
				return wrong(fmt.Sprintf("%s.networks[%d]", at, j), a.Source, "%w", err)
			}
			out.Networks = append(out.Networks, network)
		}
		b.byAudience[a.Name] = out
	}
	return nil
}

// parseNetwork reads a network or a single address.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	if err != nil || network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("reading network %q: write one such as 10.0.0.0/8, fd00::/8 or 192.0.2.7", s)
	}
	if masked := network.Masked(); masked != network {
		return netip.Prefix{}, fmt.Errorf("reading network %q: it has bits behind its length; %s is the network around it", s, masked)
	}
	return network, nil
}

// audience finds the audiences that a version names.
func (b *builder) audience(v *Version, at string) ([]policy.Audience, error) {
	var out []policy.Audience
	for i, name := range v.Audience {
		a, ok := b.byAudience[name]
		if !ok && slices.Contains(publicAudiences, name) {
			if len(v.Audience) > 1 {
				return nil, wrong(at+".audience", v.Source, "audience %s is everybody: name it alone, or leave it out", name)
			}
			return nil, nil
		}
		if _, err := policy.ParseMode(name); err == nil && !ok {
			return nil, wrong(at+".audience", v.Source, "audience %s: in a version it names audiences; the mode of the rule stands in policy or in the api", name)
		}
		if !ok {
			return nil, wrong(at+".audience", v.Source, "audience %q is not declared%s: add a line `audience %s <network>...` to api_guard", name, catalogue.Nearly(name, slices.Sorted(maps.Keys(b.byAudience))), name)
		}
		if slices.Contains(v.Audience[:i], name) {
			return nil, wrong(at+".audience", v.Source, "audience %q is named twice", name)
		}
		out = append(out, a)
	}
	return out, nil
}
