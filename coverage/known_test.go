package coverage_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/apiguard/caddy-api-guard/coverage"
)

func TestNoHandlerOfCaddyIsOpaque(t *testing.T) {
	var standard int
	for _, info := range caddy.GetModules("http.handlers") {
		id := string(info.ID)
		if strings.Count(id, ".") != 2 {
			continue // a guest of a handler
		}
		if id != coverage.GuardID {
			standard++
		}
		if !coverage.Known(id) {
			t.Errorf("%s is not classified: say in coverage/handlers.go what it does to a request", id)
		}
	}
	if standard < 20 {
		t.Errorf("only %d handlers are registered: the test does not see Caddy's standard ones", standard)
	}
	if coverage.Known("http.handlers.cache") {
		t.Error("a handler that is none of Caddy's is called known")
	}
}

// A handler of Caddy's that takes routes of its own must be walked. When a new
// release has one more, this says so.
func TestEveryHandlerWithRoutesIsWalked(t *testing.T) {
	walked := []string{"http.handlers.subroute", "http.handlers.reverse_proxy", "http.handlers.intercept"}
	for _, info := range caddy.GetModules("http.handlers") {
		if holdsRoutes(reflect.TypeOf(info.New()), 0) != slices.Contains(walked, string(info.ID)) {
			t.Errorf("%s: whether it has routes and whether they are walked differ", info.ID)
		}
	}
}

func holdsRoutes(t reflect.Type, depth int) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice && t != reflect.TypeFor[caddyhttp.RouteList]() {
		t = t.Elem()
	}
	if t == reflect.TypeFor[caddyhttp.RouteList]() {
		return true
	}
	if t.Kind() != reflect.Struct || depth > 3 {
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && holdsRoutes(f.Type, depth+1) {
			return true
		}
	}
	return false
}
