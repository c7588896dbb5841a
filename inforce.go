package apiguard

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// inForce is what requests are judged by: the policy of a configuration with its
// documents as they were at one moment. `watch` replaces it whole, so that no
// request sees half of one and half of another.
type inForce struct {
	*App
	policy    *policy.Policy
	recorder  *inventory.Recorder
	allowed   allowedFacts
	documents *documents
	counting  counting
	lint      []Lint
	catalog   *apiCatalog // nil: off
	byClient  bool        // some limit or audience goes by the client's address
}

// compile reads the documents and makes what requests are judged by. Nothing that
// runs is changed by it. When it fails it holds no document. A panic on the way is an
// error: a document that `watch` reads while Caddy runs must not end Caddy.
func (app *App) compile() (_ *inForce, err error) {
	now := &inForce{App: app, documents: newDocuments(app)}
	defer func() {
		if p := recover(); p != nil {
			app.logger.Error("a defect of api_guard: report it with this entry", zap.Any("panic", p), zap.Stack("stack"))
			err = fmt.Errorf("making the policy from the configuration and its documents failed: %v; this is a defect of api_guard: report it with the log's entry before this one", p)
		}
		if err != nil {
			now.documents.release()
			err = app.conceal(err)
		}
	}()
	b := &builder{app: app, load: now.documents.load}
	cfg, err := b.build()
	if err != nil {
		return nil, err
	}
	cfg.Table = app.shared.limiter()
	for _, limits := range allLimits(&cfg) {
		for _, l := range limits {
			now.byClient = now.byClient || l.ByClient()
		}
	}
	for _, api := range cfg.APIs {
		for _, v := range api.Versions {
			now.byClient = now.byClient || len(v.Audience) > 0
		}
	}
	if now.policy, err = policy.New(cfg); err != nil {
		return nil, app.locate(err)
	}
	cat := now.policy.Catalogue()
	cat.Problems = append(cat.Problems, b.problems...)
	if app.APICatalog != apiCatalogOff {
		now.catalog = newAPICatalog(cat, app.documentOptions())
	}
	now.lint = lint(app, &cfg, cat, time.Now())
	now.allowed = newAllowedFacts(cat)
	now.counting = app.shared.metrics.counting(now.policy)
	now.recorder = app.shared.inventory.Bind(cat, now.meta(&cfg, b.derived)...)
	now.recorder.DeclareParties(app.parties())
	now.recorder.DeclareUnchecked(now.policy.Unchecked)
	return now, nil
}

// meta is what the inventory shows of each version besides its declaration.
func (now *inForce) meta(cfg *policy.Config, from map[*catalogue.Version]*derived) []inventory.VersionMeta {
	var out []inventory.VersionMeta
	for _, api := range cfg.APIs {
		for i, v := range api.Declared.Versions {
			differs := now.policy.Differences(api.Declared, v)
			if names := policy.AudienceNames(api.Versions[i].Audience); names != "" {
				differs = append(differs, "only the audience "+names+" reaches it")
			}
			var exceptions []inventory.Exception
			for _, e := range api.Versions[i].Exceptions {
				exceptions = append(exceptions, inventory.Exception{Name: e.Name, Until: e.Until})
			}
			out = append(out, inventory.VersionMeta{
				API: api.Declared.Name, Version: v.Name, PolicyDigest: now.policy.Digest(v),
				Audience: policy.AudienceNames(api.Versions[i].Audience),
				Differs:  differs, Exceptions: exceptions,
				Origins: from[v].origins, Contact: from[v].contact, DocumentVersion: from[v].documentVersion,
			})
		}
	}
	return out
}

// announce logs what is in force.
func (now *inForce) announce() {
	cat := now.policy.Catalogue()
	now.logger.Info("policy in force",
		zap.Int("apis", len(cat.APIs)),
		zap.Int("hosts", len(cat.Hosts)),
		zap.Int("operations", len(cat.Routes)),
		zap.Int64("limit_table_bytes", now.shared.table.Bytes()))
}

// replace puts what was compiled from changed documents into force, unless the
// configuration has ended meanwhile.
func (app *App) replace(next *inForce) {
	next.recorder.DeclareUnguarded(unguarded(app.coverage(next.policy.Catalogue())))
	before := app.shared.reactivate(app, next)
	if before == nil {
		next.documents.release()
		return
	}
	before.documents.release()
	next.announce()
	next.warn(next.lint)
}
