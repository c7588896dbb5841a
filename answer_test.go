package apiguard

import (
	"encoding/json"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

var randomUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// A problem names the request as Caddy's placeholder does, whoever asks first, and
// no two requests bear one name.
func TestTheInstanceOfAProblemIsTheRequestsUUIDForAll(t *testing.T) {
	h := &Handler{app: mustProvision(t, smallApp(t))}
	seen := make(map[string]bool)
	for i := range 100 {
		w := httptest.NewRecorder()
		replacer := caddy.NewReplacer()
		r := caddyhttp.PrepareRequest(get("/v1//x"), replacer, w, new(caddyhttp.Server))
		before := ""
		if i%2 == 1 {
			before, _ = replacer.GetString("http.request.uuid")
		}
		if err := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(answer)); err != nil {
			t.Fatal(err)
		}
		var problem struct{ Instance string }
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			t.Fatal(err)
		}
		after, _ := replacer.GetString("http.request.uuid")
		if problem.Instance != "urn:uuid:"+after || before != "" && before != after || !randomUUID.MatchString(after) {
			t.Errorf("the instance is %q, the placeholder %q, and %q before", problem.Instance, after, before)
		}
		if seen[after] {
			t.Errorf("%s names two requests", after)
		}
		seen[after] = true
	}
}
