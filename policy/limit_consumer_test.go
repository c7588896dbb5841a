package policy

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/ratelimit"
)

func TestALimitByConsumerCountsIntegrationsByNameAndOthersByAddress(t *testing.T) {
	key, err := ParseKeyPart("{http.api_guard.consumer}")
	if err != nil || key.String() != "{http.api_guard.consumer}" || !key.ClientIP() {
		t.Fatalf("%v, %v", key, err)
	}
	f := newFixture(t, func(cfg *Config) {
		cfg.Limits = []Limit{{Name: "per_caller", Rate: 2, Window: time.Minute, Algorithm: ratelimit.Window, Key: []KeyPart{key}}}
		cfg.Integrations = []Integration{{Name: "acme", Credentials: [][sha256.Size]byte{sha256.Sum256([]byte("secret"))}}}
	})
	ask := func(client, credential string) int {
		h := http.Header{}
		if credential != "" {
			h.Set("X-Api-Key", credential)
		}
		return f.ask(t, call{line: "GET api.example /v2/orders", client: client, header: h}).Status
	}
	for i, c := range []struct {
		client, credential string
		want               int
	}{
		{"192.0.2.1", "secret", 0},
		{"192.0.2.2", "secret", 0},
		{"192.0.2.3", "secret", 429}, // one bucket from everywhere
		{"192.0.2.3", "", 0},
		{"192.0.2.3", "guess-1", 0},
		{"192.0.2.3", "guess-2", 429}, // another value is no fresh bucket
		{"192.0.2.4", "", 0},
	} {
		if got := ask(c.client, c.credential); got != c.want {
			t.Errorf("%d: %s with %q got %d, want %d", i, c.client, c.credential, got, c.want)
		}
	}
	for _, text := range []string{"acme", "192.0.2.3"} {
		buckets, err := f.Buckets("per_caller", "orders", "", []string{text})
		if err != nil || len(buckets) != 1 || buckets[0].Used != 2 {
			t.Errorf("the bucket of %s: %+v, %v", text, buckets, err)
		}
	}
	if _, err := ParseKeyPart("x-{http.api_guard.consumer}"); err == nil || !strings.Contains(err.Error(), "of its own") {
		t.Errorf("a consumer within text: %v", err)
	}
}
