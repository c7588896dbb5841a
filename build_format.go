package apiguard

import (
	"maps"
	"slices"

	"github.com/apiguard/caddy-api-guard/policy"
	"github.com/apiguard/caddy-api-guard/policy/conformance"
)

// formats compiles the policy's own formats, each by itself first, so that an error
// names its line.
func formats(cfg *policy.Config, defined map[string]string) (err error) {
	for _, name := range slices.Sorted(maps.Keys(defined)) {
		if _, err := conformance.NewFormats(map[string]string{name: defined[name]}); err != nil {
			return wrong("policy.format."+name, "", "%w", err)
		}
	}
	cfg.Formats, err = conformance.NewFormats(defined)
	return err
}
