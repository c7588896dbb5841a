package apiguard

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/policy"
)

// metrics are the counters behind caddy_api_guard_*. There is one set per process,
// so that no count goes back over a reload, and it is registered with each
// configuration's registry. Labels come from the configuration and from fixed sets
// alone; every counter is found when the configuration is made, not per request.
type metrics struct {
	shared *shared

	mu        sync.Mutex
	traffic   map[trafficKey]*traffic
	limits    map[string]*limitCounts
	unchecked map[string]*atomic.Uint64 // by reason

	eventsDropped   atomic.Uint64
	clusterFailures atomic.Uint64 // of the inventory's exchange with the cluster
}

// trafficKey names a version; both parts are empty for requests that reach none.
type trafficKey struct{ api, version string }

// traffic counts the requests to one version by verdict and rule.
type traffic [3][policy.NumRules]atomic.Uint64

// limitCounts counts the decisions of the limits of one name.
type limitCounts struct{ admitted, refused, wouldRefuse atomic.Uint64 }

var limitResults = [...]string{"admitted", "refused", "would_refuse"}

var (
	descRequests = prometheus.NewDesc("caddy_api_guard_requests_total",
		"Requests by API, version, verdict and the rule behind it. API and version are empty for requests that reach none.",
		[]string{"api", "version", "verdict", "rule"}, nil)
	descLimits = prometheus.NewDesc("caddy_api_guard_limit_decisions_total",
		"Decisions by the name of the limit.", []string{"limit", "result"}, nil)
	descRoutes = prometheus.NewDesc("caddy_api_guard_inventory_routes",
		"Routes in the inventory by state.", []string{"state"}, nil)
	descVersion = prometheus.NewDesc("caddy_api_guard_version_info",
		"1 for the state that the version is in.", []string{"api", "version", "state"}, nil)
	descSunset = prometheus.NewDesc("caddy_api_guard_version_sunset_timestamp_seconds",
		"When the version is or was retired.", []string{"api", "version"}, nil)
	descStore = prometheus.NewDesc("caddy_api_guard_store_failures_total",
		"Failures of the inventory's store, and of what a cluster's Redis is asked.", nil, nil)
	descFeed = prometheus.NewDesc("caddy_api_guard_feed_dropped_total",
		"Changes of the inventory that the feed or a slow event handler dropped.", nil, nil)
	descUnsampled = prometheus.NewDesc("caddy_api_guard_samples_dropped_total",
		"Requests that were chosen to be looked at in full and were not, since too many were at once.", nil, nil)
	descBodies = prometheus.NewDesc("caddy_api_guard_held_body_bytes",
		"Bytes of bodies that are held to be judged at this moment; body_memory is their ceiling.", nil, nil)
	descEvicted = prometheus.NewDesc("caddy_api_guard_limit_evicted_debt_total",
		"What the limits' full table has forgotten, in tokens: so many requests more than the limits say can have been admitted at most.", nil, nil)
	descUntold = prometheus.NewDesc("caddy_api_guard_limit_untold_debt_total",
		"What the limits counted while a cluster's Redis could not be asked and cannot be told to it any more, in tokens.", nil, nil)
	descUnchecked = prometheus.NewDesc("caddy_api_guard_unchecked_total",
		"Requests of which a part, or whose answer, could not be checked, by reason.", []string{"reason"}, nil)
)

func newMetrics(s *shared) *metrics {
	m := &metrics{
		shared:  s,
		traffic: make(map[trafficKey]*traffic),
		limits:  make(map[string]*limitCounts),

		unchecked: make(map[string]*atomic.Uint64),
	}
	for _, reason := range policy.UncheckedReasons() {
		m.unchecked[reason] = new(atomic.Uint64)
	}
	return m
}

// register adds the metrics to a configuration's registry, which Caddy makes anew
// for each.
func (m *metrics) register(registry *prometheus.Registry) error {
	err := registry.Register(m)
	if already := (prometheus.AlreadyRegisteredError{}); errors.As(err, &already) {
		return nil
	}
	return err
}

// of are the counters of a version, made once per process.
func (m *metrics) of(api, version string) *traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := trafficKey{api, version}
	t := m.traffic[key]
	if t == nil {
		t = new(traffic)
		m.traffic[key] = t
	}
	return t
}

// ofLimits are the counters of the limits with these names, in their order.
func (m *metrics) ofLimits(names []string) []*limitCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*limitCounts, len(names))
	for i, name := range names {
		if m.limits[name] == nil {
			m.limits[name] = new(limitCounts)
		}
		out[i] = m.limits[name]
	}
	return out
}

// counting is where the requests of one configuration are counted.
type counting struct {
	metrics  *metrics
	nowhere  *traffic
	apis     map[*catalogue.API]*traffic // requests that reach an API but no version
	versions map[*catalogue.Version]*traffic
	routes   []*traffic     // of their versions, by catalogue.Route.Index
	limits   []*limitCounts // by policy.Limited.Number
}

func (m *metrics) counting(p *policy.Policy) counting {
	c := counting{
		metrics: m, nowhere: m.of("", ""), limits: m.ofLimits(p.LimitNames()),
		apis: make(map[*catalogue.API]*traffic), versions: make(map[*catalogue.Version]*traffic),
	}
	for _, api := range p.Catalogue().APIs {
		c.apis[api] = m.of(api.Name, "")
		for _, v := range api.Versions {
			c.versions[v] = m.of(api.Name, v.Name)
		}
	}
	c.routes = make([]*traffic, len(p.Catalogue().Routes))
	for i, route := range p.Catalogue().Routes {
		c.routes[i] = c.versions[route.Version]
	}
	return c
}

// count counts a request that is over.
func (c *counting) count(m *catalogue.Match, v *policy.Verdict) {
	t := c.nowhere
	switch {
	case m.Route != nil:
		t = c.routes[m.Route.Index]
	case m.Version != nil:
		t = c.versions[m.Version]
	case m.API != nil:
		t = c.apis[m.API]
	}
	t[v.Outcome][v.Rule].Add(1)
	for i := range v.Limited() {
		l := v.Limit(i)
		switch counts := c.limits[l.Number]; {
		case l.Admitted:
			counts.admitted.Add(1)
		case l.Shadow:
			counts.wouldRefuse.Add(1)
		default:
			counts.refused.Add(1)
		}
	}
	c.uncheck(v.Unchecked)
	c.uncheck(v.UncheckedAnswer)
}

func (c *counting) uncheck(reason string) {
	if reason == "" {
		return
	}
	if n := c.metrics.unchecked[reason]; n != nil {
		n.Add(1)
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRequests, descLimits, descRoutes, descVersion, descSunset, descStore, descFeed, descUnsampled, descBodies, descEvicted, descUntold, descUnchecked} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Of the many combinations of verdict and
// rule those are series that happened, so that a hundred versions are some hundred
// series and not thousands.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	m.mu.Lock()
	for key, t := range m.traffic {
		for outcome := range t {
			for rule := range t[outcome] {
				n := t[outcome][rule].Load()
				if n > 0 || policy.Outcome(outcome) == policy.Allow && policy.Rule(rule) == policy.RuleNone && key.version != "" {
					counter(descRequests, n, key.api, key.version, policy.Outcome(outcome).String(), policy.Rule(rule).String())
				}
			}
		}
	}
	for name, l := range m.limits {
		for i, n := range [...]*atomic.Uint64{&l.admitted, &l.refused, &l.wouldRefuse} {
			counter(descLimits, n.Load(), name, limitResults[i])
		}
	}
	m.mu.Unlock()
	for reason, n := range m.unchecked {
		if n := n.Load(); n > 0 {
			counter(descUnchecked, n, reason)
		}
	}
	counter(descStore, m.shared.inventory.StoreFailures()+m.clusterFailures.Load()+m.shared.fleet.failures())
	counter(descEvicted, m.shared.table.EvictedDebt())
	counter(descUntold, m.shared.fleet.untold())
	counter(descFeed, m.shared.inventory.Health().FeedDropped+m.eventsDropped.Load())
	counter(descUnsampled, m.shared.inventory.Unsampled())
	ch <- prometheus.MustNewConstMetric(descBodies, prometheus.GaugeValue, float64(m.shared.bodies.held.Load()))
	for state, n := range m.shared.inventory.StateCounts() {
		ch <- prometheus.MustNewConstMetric(descRoutes, prometheus.GaugeValue, float64(n), string(state))
	}
	m.collectVersions(ch)
}

// collectVersions tells about the versions of the running configuration.
func (m *metrics) collectVersions(ch chan<- prometheus.Metric) {
	app := m.shared.newest()
	if app == nil {
		return
	}
	for _, api := range app.now.Load().policy.Catalogue().APIs {
		for _, v := range api.Versions {
			state := v.StateAt(m.shared.inventory.Now()).String()
			ch <- prometheus.MustNewConstMetric(descVersion, prometheus.GaugeValue, 1, api.Name, v.Name, state)
			if !v.Sunset.IsZero() {
				ch <- prometheus.MustNewConstMetric(descSunset, prometheus.GaugeValue, float64(v.Sunset.Unix()), api.Name, v.Name)
			}
		}
	}
}

var (
	_ prometheus.Collector = (*metrics)(nil)
)
