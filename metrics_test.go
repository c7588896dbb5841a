package apiguard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// gathered are the series of the registry that a new configuration would get, by
// name and labels.
func gathered(t *testing.T, app *App) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for range 2 { // registering twice is no error
		if err := app.shared.metrics.register(registry); err != nil {
			t.Fatal(err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			labels := []string{}
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			series[strings.TrimPrefix(family.GetName(), "caddy_api_guard_")+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return series
}

func TestMetricsCountEveryRequestOnceAndOutliveAReload(t *testing.T) {
	config := smallApp(t)
	config.API[0].Limit = []*Limit{{Name: "few", Rate: "4/d", Key: []string{"{http.request.host}"}}}
	config.API[0].Version[0].Sunset, config.API[0].Version[0].Deprecated = "2099-01-01", "2098-01-01"
	app := mustProvision(t, config)
	before := gathered(t, app)
	send := func(app *App, target string) {
		_ = serve(app, httptest.NewRecorder(), get(target), func(http.ResponseWriter, *http.Request) error { return nil })
	}
	send(app, "/v1/things/7")
	send(app, "/v1/things/x") // request: 400
	app = mustProvision(t, config)
	send(app, "/v1/nothing") // unknown_route in monitor
	send(app, "/v1/things/7")
	send(app, "/v1/things/7") // the limit
	stranger := get("/x")
	stranger.Host = "nobody.example"
	_ = serve(app, httptest.NewRecorder(), stranger, func(http.ResponseWriter, *http.Request) error { return nil })

	after := gathered(t, app)
	for series, want := range map[string]float64{
		"requests_total{api=things,rule=,verdict=allow,version=v1}":                     2,
		"requests_total{api=things,rule=request,verdict=refuse,version=v1}":             1,
		"requests_total{api=things,rule=unknown_route,verdict=would_refuse,version=v1}": 1,
		"requests_total{api=things,rule=limit,verdict=refuse,version=v1}":               1,
		"requests_total{api=,rule=unknown_host,verdict=refuse,version=}":                1,
		"limit_decisions_total{limit=few,result=admitted}":                              4,
		"limit_decisions_total{limit=few,result=refused}":                               1,
		"version_info{api=things,state=active,version=v1}":                              1,
		"version_sunset_timestamp_seconds{api=things,version=v1}":                       4070908800,
		"store_failures_total{}":                                                        0,
		"feed_dropped_total{}":                                                          0,
		"samples_dropped_total{}":                                                       0,
	} {
		got, there := after[series]
		if !there || got-before[series] != want && !strings.HasPrefix(series, "version_") || strings.HasPrefix(series, "version_") && got != want {
			t.Errorf("%s went from %v to %v, want %v more", series, before[series], got, want)
		}
	}
	if after["inventory_routes{state=active}"] < 2 {
		t.Errorf("active routes: %v", after["inventory_routes{state=active}"])
	}
}

func TestWhatClientsChooseMakesNoSeries(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	send := func(host, target string) {
		r := get(target)
		r.Host = host
		_ = serve(app, httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return nil })
	}
	send("a.example", "/a")
	send("api.example", "/a")
	before := len(gathered(t, app))
	for _, name := range strings.Split("b c d e f g h i j k l m n o p", " ") {
		send(name+".example", "/"+name)
		send("api.example", "/v1/"+name)
	}
	if after := len(gathered(t, app)); after > before+1 {
		t.Errorf("%d series became %d", before, after)
	}
}

func BenchmarkCountingARequest(b *testing.B) {
	app := mustProvision(b, smallApp(b))
	x := new(exchange)
	x.app = app.now.Load()
	b.ReportAllocs()
	for b.Loop() {
		x.app.counting.count(&x.request.Match, &x.verdict)
	}
}
