package apiguard

import (
	"fmt"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// passthroughs checks what is declared to be no API. How it stands to versions and
// their documents the catalogue checks.
func (b *builder) passthroughs(cfg *policy.Config) error {
	seen := map[string]bool{}
	for i, t := range b.app.Passthrough {
		at := fmt.Sprintf("passthrough[%d]", i)
		if err := checkName(t.Name, "passthrough", at, t.Source, seen); err != nil {
			return err
		}
		if strings.TrimSpace(t.Reason) == "" {
			return wrong(at+".reason", t.Source, "passthrough %q has no reason: write why it is no API", t.Name)
		}
		for _, method := range t.Methods {
			if method == "" || method != strings.ToUpper(method) || strings.ContainsAny(method, "*, /\"") {
				return wrong(at+".methods", t.Source, "method %q: write names in upper case such as GET, or leave methods out for all", method)
			}
		}
		one := &catalogue.Passthrough{Name: t.Name, Hosts: t.Hosts, Paths: t.Path, Methods: t.Methods, Reason: t.Reason}
		cfg.Passthroughs = append(cfg.Passthroughs, one)
	}
	if _, err := catalogue.New(catalogue.Config{Passthroughs: cfg.Passthroughs}); err != nil {
		return b.app.locate(err) // hosts and paths; what versions have is looked at with their documents
	}
	return nil
}
