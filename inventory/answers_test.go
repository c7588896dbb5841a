package inventory

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

func fields(t *testing.T, v any) map[string]any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShapeOfARouteEntry(t *testing.T) {
	s := newScene(t, Options{}, orders())
	s.miss(catalogue.NoRoute, "v1", "legacy.example.com", "GET", "/v1/extra", answered(200))
	got := fields(t, s.one("/v1/extra"))
	delete(got, "id")
	want := map[string]any{
		"api": "orders", "version": "v1", "host": "legacy.example.com", "method": "GET", "path": "/v1/extra",
		"documented": false, "lifecycle": "retired", "state": "shadow", "reasons": []any{"undocumented", "answered-2xx", "past-sunset-called", "deprecated-called"}, "evidence": "confirmed",
		"first_seen": "2026-11-22T12:00:00Z", "last_seen": "2026-11-22T12:00:00Z", "count": 1.0,
		"statuses": map[string]any{"2xx": 1.0}, "refused": map[string]any{}, "would_refuse": map[string]any{},
		"consumers": 0.0, "auth": map[string]any{"documented": false, "seen": []any{}, "unauthenticated_2xx": 0.0},
		"cors": map[string]any{"origins": []any{}, "credentials": false}, "data_classes": []any{}, "data": []any{}, "software": []any{}, "attack_signs": map[string]any{}, "networks": []any{}, "passthrough": nil,
		"environment": "legacy", "environment_source": "host", "audience": "", "owner": "team-orders", "docs": "", "deprecated": "2024-11-22T12:00:00Z", "sunset": "2025-11-22T12:00:00Z", "review": "open", "review_note": "", "reviewed": nil,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	never := fields(t, s.one("/orders"))
	if never["first_seen"] != nil || never["last_seen"] != nil || never["sunset"] != nil || never["evidence"] != "none" || never["lifecycle"] != "beta" || never["environment"] != "staging" {
		t.Errorf("of one that was never called: %v", never)
	}
	list := fields(t, s.list(RouteQuery{}))
	for _, name := range []string{"items", "next", "as_of", "complete", "gaps"} {
		if _, ok := list[name]; !ok {
			t.Errorf("a list has no %s", name)
		}
	}
	if empty := fields(t, s.list(RouteQuery{API: []string{"nobody"}})); empty["items"] == nil || empty["gaps"] == nil {
		t.Errorf("empty lists must not be null: %v", empty)
	}
}

func TestIDIsStable(t *testing.T) {
	k := routeKey{"orders", "v2", "api.example.com", "GET", "/v2/orders/{id}"}
	const want = "ykjq42sd6acpstuu"
	if got := k.id().String(); got != want {
		t.Errorf("id %s, want %s: cursors, reviews and stores of operators keep it", got, want)
	}
	if back, ok := parseRouteID(want); !ok || back != k.id() {
		t.Errorf("%s reads as %v, %v", want, back, ok)
	}
	for _, bad := range []string{"", "a", strings.ToUpper(want), want + "a", "0189abcdefghijkl", "aaaaaaaaaaaaaaa="} {
		if _, ok := parseRouteID(bad); ok {
			t.Errorf("%q is taken for an id", bad)
		}
	}
	shifted := routeKey{"orders", "v2", "api.example.comGET", "", "/v2/orders/{id}"}
	if shifted.id() == k.id() {
		t.Error("two keys whose parts join to the same text have one id")
	}
}

func TestHosts(t *testing.T) {
	s := newScene(t, Options{}, orders(), api("pets", version("v1", "api.example.com *.pets.test", "/pets", "GET /cats")))
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
	s.clock.advance(time.Minute)
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/x", answered(404))
	s.miss(catalogue.UnknownHost, "", "Rogue.TEST.:8443", "GET", "/", refused(421, "unknown_host", "unknown-host"))
	s.miss(catalogue.UnknownHost, "", "not a host", "GET", "/", refused(421, "unknown_host", "unknown-host"))
	s.hit("*.pets.test", "GET", "/pets/cats", answered(200))

	list, err := s.Hosts(HostQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range list.Items {
		names = append(names, h.Host)
	}
	want := []string{"(invalid)", "*.pets.test", "api.example.com", "beta.example.com", "legacy.example.com", "next.example.com", "rogue.test"}
	if !slices.Equal(names, want) {
		t.Errorf("hosts %q, want %q", names, want)
	}
	h := s.host("api.example.com")
	if !h.Declared || h.Count != 2 || h.Statuses["2xx"] != 1 || h.Statuses["4xx"] != 1 || !slices.Equal(h.APIs, []string{"orders", "pets"}) ||
		!h.FirstSeen.Equal(noon) || !h.LastSeen.Equal(noon.Add(time.Minute)) || len(h.Scans) != 1 || h.Scans[0].Scanned != 1 {
		t.Errorf("%+v", h)
	}
	if h := s.host("next.example.com"); !h.Declared || h.Count != 0 || !h.FirstSeen.IsZero() || h.Evidence != EvidenceNone {
		t.Errorf("%+v", h)
	}
	if h := s.host("rogue.test"); h.Declared || h.Evidence != EvidenceRefused || len(h.Scans) != 1 || h.Scans[0].Refused != 1 {
		t.Errorf("%+v", h)
	}

	var walked []string
	q := HostQuery{Limit: 2, Declared: []bool{true}}
	for {
		page, err := s.Hosts(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page.Items {
			walked = append(walked, h.Host)
		}
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	if !slices.Equal(walked, want[1:6]) {
		t.Errorf("page by page %q", walked)
	}
	q.Declared = nil
	if _, err := s.Hosts(q); err == nil {
		t.Error("a cursor of another query is taken")
	}

	s.load(orders())
	if list, _ := s.Hosts(HostQuery{Host: []string{"*.pets.test"}}); len(list.Items) != 1 || list.Items[0].Declared || len(list.Items[0].APIs) != 0 {
		t.Errorf("a host that is no longer declared but was called: %+v", list.Items)
	}
}

func TestAPIs(t *testing.T) {
	a := orders()
	a.Purpose = "create and track orders"
	a.Versions[0].Successor = "v2"
	s := newScene(t, Options{}, a)
	s.Activate(s.Bind(s.cat, VersionMeta{API: "orders", Version: "v2", PolicyDigest: "abc", Audience: "public"}, VersionMeta{API: "nobody", Version: "v1"}))
	s.hit("api.example.com", "GET", "/v2/orders", answered(200))
	s.clock.advance(time.Minute)
	s.miss(catalogue.NoRoute, "v2", "api.example.com", "GET", "/v2/x", answered(404))

	got := fields(t, s.APIs())["items"].([]any)
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	entry := got[0].(map[string]any)
	versions := entry["versions"].([]any)
	delete(entry, "versions")
	if d := cmp.Diff(map[string]any{"api": "orders", "owner": "team-orders", "purpose": "create and track orders"}, entry); d != "" {
		t.Error(d)
	}
	want := []any{
		map[string]any{
			"version": "v1", "hosts": []any{"legacy.example.com"}, "path": "/v1", "state": "retired", "environment": "", "audience": "", "owner": "team-orders", "docs": "", "spec": "v1.yaml",
			"deprecated": "2024-11-22T12:00:00Z", "sunset": "2025-11-22T12:00:00Z", "successor": "v2", "brownouts": []any{}, "policy_digest": "", "policy_differs": []any{}, "contact": "", "document_version": "", "origins": map[string]any{}, "operations": 2.0, "requests": 0.0, "last_seen": nil,
		},
		map[string]any{
			"version": "v2", "hosts": []any{"api.example.com", "beta.example.com"}, "path": "/v2", "state": "active", "environment": "", "audience": "public", "owner": "team-orders", "docs": "https://docs.example.com/orders", "spec": "v2.yaml",
			"deprecated": nil, "sunset": nil, "successor": "", "brownouts": []any{}, "policy_digest": "abc", "policy_differs": []any{}, "contact": "", "document_version": "", "origins": map[string]any{}, "operations": 3.0, "requests": 2.0, "last_seen": "2026-11-22T12:01:00Z",
		},
		map[string]any{
			"version": "v3", "hosts": []any{"next.example.com"}, "path": "/", "state": "beta", "environment": "staging", "audience": "", "owner": "team-orders", "docs": "", "spec": "v3.yaml",
			"deprecated": nil, "sunset": nil, "successor": "", "brownouts": []any{}, "policy_digest": "", "policy_differs": []any{}, "contact": "", "document_version": "", "origins": map[string]any{}, "operations": 1.0, "requests": 0.0, "last_seen": nil,
		},
	}
	if d := cmp.Diff(want, versions); d != "" {
		t.Error(d)
	}
}

func TestAnswersBeforeAnyConfiguration(t *testing.T) {
	inv := New(Options{})
	if list, err := inv.Routes(RouteQuery{}); err != nil || len(list.Items) != 0 || !list.Complete {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := inv.Hosts(HostQuery{}); err != nil || len(list.Items) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if list := inv.APIs(); list.Items == nil || len(list.Items) != 0 {
		t.Errorf("%+v", list)
	}
	if h := inv.Health(); h.Store.Status != "memory" || h.Cluster.Status != "off" || h.Running || h.Gaps == nil {
		t.Errorf("%+v", h)
	}
}

func TestAsksCredentials(t *testing.T) {
	key := openapi3.SecurityRequirement{"key": {}}
	tests := []struct {
		name      string
		document  openapi3.SecurityRequirements
		operation *openapi3.SecurityRequirements
		want      bool
	}{
		{"nobody asks", nil, nil, false},
		{"the document asks", openapi3.SecurityRequirements{key}, nil, true},
		{"the operation asks", nil, &openapi3.SecurityRequirements{key}, true},
		{"the operation takes it back", openapi3.SecurityRequirements{key}, &openapi3.SecurityRequirements{}, false},
		{"without is an alternative", nil, &openapi3.SecurityRequirements{key, {}}, false},
	}
	for _, tt := range tests {
		op := &spec.Operation{Op: &openapi3.Operation{Security: tt.operation}, Document: &spec.Document{Root: &openapi3.T{Security: tt.document}}}
		if got := op.AsksCredentials(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestTemplateHolds(t *testing.T) {
	tests := []struct {
		template, path string
		want           bool
	}{
		{"/a/{id}", "/a/b", true},
		{"/a/{id}", "/a/{integer}", true},
		{"/a/{id}", "/a/", false},
		{"/a/{id}", "/a/b/c", false},
		{"/a/{id}", "/b/b", false},
		{"/a/{id}/", "/a/b", false},
		{"/a/{x}.{y}", "/a/b.json", true},
		{"/a/{id}:run", "/a/b:run", true},
		{"/a/{id}:run", "/a/b:stop", false},
		{"/a", "/a", true},
		{"/a", "/A", false},
	}
	for _, tt := range tests {
		if got := holds(tt.template, tt.path); got != tt.want {
			t.Errorf("%s for %s: %v", tt.template, tt.path, got)
		}
	}
}
