package caddytest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/caddytest/internal/harness"
	"github.com/apiguard/caddy-api-guard/coverage"
	"github.com/apiguard/caddy-api-guard/internal/freeport"
)

// identity is one who may ask the remote admin endpoint, or may not.
type identity struct {
	public string // as access_control takes it
	client *http.Client
	addr   string
}

func newIdentity(t *testing.T, name string) *identity {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{public: base64.StdEncoding.EncodeToString(der), client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			// Whose endpoint it is Caddy's own certificate says; here it is about who asks.
			ServerName: "localhost", InsecureSkipVerify: true,
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}},
		}},
	}}
}

// ask is a request of the identity. One that no handler has seen, since a reload had
// just closed its listener, is sent again.
func (i *identity) ask(ctx context.Context, method, path, body string) (status int, answer []byte, err error) {
	for range 10 {
		var req *http.Request
		if req, err = http.NewRequestWithContext(ctx, method, "https://"+i.addr+path, strings.NewReader(body)); err != nil {
			return 0, nil, err
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		var resp *http.Response
		resp, err = i.client.Do(req)
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		answer, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode, answer, err
	}
	return 0, nil, err
}

// remoteAdmin is a Caddy with a remote admin endpoint.
type remoteAdmin struct {
	*harness.Caddy
	config map[string]any
	reader *identity // what docs/security.md gives to one who reads the inventory
	clerk  *identity // reviews and overrides
	chief  *identity // everything
	nobody *identity
}

func startRemoteAdmin(t *testing.T) *remoteAdmin {
	t.Helper()
	caddy, _ := startStored(t)
	r := &remoteAdmin{Caddy: caddy, reader: newIdentity(t, "reader"), clerk: newIdentity(t, "clerk"), chief: newIdentity(t, "chief"), nobody: newIdentity(t, "nobody")}
	caddy.Query(t, "/config/", &r.config)
	admin := r.config["admin"].(map[string]any)
	admin["identity"] = map[string]any{"identifiers": []string{"localhost"}, "issuers": []any{map[string]any{"module": "internal"}}}
	addr := "127.0.0.1:" + freeport.Reserve(t)
	for _, i := range []*identity{r.reader, r.clerk, r.chief, r.nobody} {
		i.addr = addr
	}
	allow := func(i *identity, permissions ...any) map[string]any {
		entry := map[string]any{"public_keys": []string{i.public}}
		if len(permissions) > 0 {
			entry["permissions"] = permissions
		}
		return entry
	}
	admin["remote"] = map[string]any{"listen": addr, "access_control": []any{
		allow(r.reader, map[string]any{"paths": []string{"/api_guard/routes"}, "methods": []string{"GET"}}),
		allow(r.clerk,
			map[string]any{"paths": []string{"/api_guard/routes", "/api_guard/override"}, "methods": []string{"GET", "POST", "DELETE"}},
			map[string]any{"paths": []string{"/api_guard/feed"}, "methods": []string{"GET"}}),
		allow(r.chief),
	}}
	r.reload(t, 0)
	harness.Await(t, "the remote endpoint", func() (string, bool) {
		status, answer, err := r.chief.ask(t.Context(), "GET", "/api_guard/health", "")
		if err != nil {
			return err.Error(), false
		}
		return string(answer), status == 200
	})
	return r
}

// reload puts the configuration into force with another value of something that nobody
// looks at, since Caddy does not load what it has.
func (r *remoteAdmin) reload(t *testing.T, n int) {
	t.Helper()
	guard := r.config["apps"].(map[string]any)["api_guard"].(map[string]any)
	inventory, _ := guard["inventory"].(map[string]any)
	if inventory == nil {
		inventory = map[string]any{}
		guard["inventory"] = inventory
	}
	inventory["page_size"] = 100 + n
	text, err := json.Marshal(r.config)
	if err != nil {
		t.Fatal(err)
	}
	var status int
	var answer []byte
	for range 10 { // as of the harness: the listener of before may go with who waits
		var resp *http.Response
		if resp, err = client.Post("http://"+r.Admin+"/load", "application/json", bytes.NewReader(text)); err == nil {
			answer, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			status = resp.StatusCode
			break
		}
	}
	if err != nil || status != 200 {
		t.Fatalf("reloading: %v, %d %s", err, status, answer)
	}
}

// What an identity may ask of the guard is what Caddy's access control gives it, as for
// Caddy's own endpoints.
func TestARemoteIdentityMayDoWhatItsPermissionsSay(t *testing.T) {
	t.Parallel()
	r := startRemoteAdmin(t)
	r.Do1(t, get("api.example.com", "/v2/debug"))
	var routes struct {
		Items []struct {
			ID   string `json:"id"`
			Path string `json:"path"`
		} `json:"items"`
	}
	id := ""
	harness.Await(t, "the route", func() (string, bool) {
		status, answer, err := r.reader.ask(t.Context(), "GET", "/api_guard/routes?path=/v2/debug", "")
		if err != nil || status != 200 || json.Unmarshal(answer, &routes) != nil {
			t.Fatalf("the reader's routes: %d %s %v", status, answer, err)
		}
		if len(routes.Items) > 0 {
			id = routes.Items[0].ID
		}
		return string(answer), id != ""
	})
	const override = `{"rule":"request","mode":"monitor","ttl":"15m","reason":"CHG-7"}`
	for _, c := range []struct {
		who          string
		identity     *identity
		method, path string
		body         string
		status       int
	}{
		{"reader", r.reader, "GET", "/api_guard/routes", "", 200},
		{"reader", r.reader, "GET", "/api_guard/routes/" + id, "", 200},
		{"reader", r.reader, "HEAD", "/api_guard/routes", "", 403},
		{"reader", r.reader, "POST", "/api_guard/routes/" + id + "/review", `{"review":"accepted"}`, 403},
		{"reader", r.reader, "PUT", "/api_guard/routes/" + id + "/template", `{}`, 403},
		{"reader", r.reader, "GET", "/api_guard/override", "", 403},
		{"reader", r.reader, "GET", "/api_guard/routesx", "", 403},
		{"reader", r.reader, "GET", "/api_guard/routes/../override", "", 403},
		{"reader", r.reader, "GET", "/api_guard/routes/%2e%2e/override", "", 403},
		{"reader", r.reader, "GET", "/api_guard/routes%2f..%2foverride", "", 403},
		{"reader", r.reader, "GET", "/api_guard//override", "", 403},
		{"reader", r.reader, "POST", "/api_guard/override", override, 403},
		{"reader", r.reader, "DELETE", "/api_guard/limits?limit=password_reset&key=x", "", 403},
		{"reader", r.reader, "GET", "/api_guard/", "", 403},
		{"reader", r.reader, "GET", "/config/", "", 403},
		{"reader", r.reader, "POST", "/load", "{}", 403},
		{"reader", r.reader, "POST", "/stop", "", 403},
		{"clerk", r.clerk, "GET", "/api_guard/consumers", "", 403},
		{"clerk", r.clerk, "POST", "/api_guard/routes/" + id + "/review", `{"review":"accepted","note":"CHG-8"}`, 200},
		{"clerk", r.clerk, "POST", "/api_guard/override", override, 200},
		{"clerk", r.clerk, "POST", "/api_guard/feed", "", 403},
		{"clerk", r.clerk, "PUT", "/api_guard/override", override, 403},
		{"chief", r.chief, "GET", "/api_guard/consumers", "", 200},
		{"chief", r.chief, "PUT", "/api_guard/override", override, 405},
		{"chief", r.chief, "GET", "/api_guard/nothing", "", 404},
		{"chief", r.chief, "GET", "/config/admin/remote/listen", "", 200},
	} {
		status, answer, err := c.identity.ask(t.Context(), c.method, c.path, c.body)
		if err != nil || status != c.status {
			t.Errorf("%s: %s %s is %d %s %v, want %d", c.who, c.method, c.path, status, answer, err, c.status)
		}
	}
	if status, answer, err := r.nobody.ask(t.Context(), "GET", "/api_guard/routes", ""); err == nil {
		t.Errorf("a certificate that nobody named gets %d %s", status, answer)
	}
	stranger := &identity{addr: r.reader.addr, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	if status, answer, err := stranger.ask(t.Context(), "GET", "/api_guard/routes", ""); err == nil {
		t.Errorf("without a certificate one gets %d %s", status, answer)
	}
	// What the reader was refused has not been done.
	var list struct {
		Items []struct {
			Reason string `json:"reason"`
		} `json:"items"`
	}
	r.Query(t, "/api_guard/override", &list)
	if len(list.Items) != 1 {
		t.Errorf("the overrides are %+v, want the clerk's", list.Items)
	}
}

// Coverage names no admin endpoint, since nothing of an API is behind one: what it says is
// what it said without the remote one, and no request for an API gets anywhere there.
func TestTheRemoteEndpointIsNoWayRoundTheGuard(t *testing.T) {
	t.Parallel()
	r := startRemoteAdmin(t)
	var answer struct{ Items []coverage.Entry }
	r.Query(t, "/api_guard/coverage", &answer)
	guarded := 0
	for _, e := range answer.Items {
		if strings.Contains(e.Listener, r.chief.addr) || strings.Contains(e.Listener, r.Admin) || strings.Contains(e.Route, "admin") {
			t.Errorf("coverage names an admin endpoint: %+v", e)
		}
		if e.Status == coverage.Guarded {
			guarded++
		}
	}
	if guarded == 0 {
		t.Errorf("coverage says %+v", answer.Items)
	}
	for _, path := range []string{"/v2/orders", "/v1/orders", "/"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+r.chief.addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "api.example.com"
		resp, err := r.chief.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("%s of an API's host is %d at the remote endpoint", path, resp.StatusCode)
		}
	}
}

// What remote identities say holds over reloads, whatever is under way meanwhile, and
// each of their requests is answered by one configuration or the other.
func TestRemoteIdentitiesAskDuringReloads(t *testing.T) {
	t.Parallel()
	r := startRemoteAdmin(t)
	r.Do1(t, get("api.example.com", "/v2/debug"))
	id := ""
	harness.Await(t, "the route", func() (string, bool) {
		var routes struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
		}
		r.Query(t, "/api_guard/routes?path=/v2/debug", &routes)
		if len(routes.Items) > 0 {
			id = routes.Items[0].ID
		}
		return "none", id != ""
	})
	done := make(chan struct{})
	var asking sync.WaitGroup
	var said struct {
		sync.Mutex
		overrides []string
	}
	for _, work := range []func() (int, []byte, error){
		func() (int, []byte, error) { return r.reader.ask(t.Context(), "GET", "/api_guard/routes", "") },
		func() (int, []byte, error) {
			return r.clerk.ask(t.Context(), "POST", "/api_guard/routes/"+id+"/review", `{"review":"accepted","note":"CHG-9"}`)
		},
		func() (int, []byte, error) {
			said.Lock()
			defer said.Unlock()
			if len(said.overrides) >= 40 {
				return r.clerk.ask(t.Context(), "GET", "/api_guard/override", "")
			}
			status, answer, err := r.clerk.ask(t.Context(), "POST", "/api_guard/override", `{"rule":"request","mode":"monitor","ttl":"15m","reason":"CHG-7"}`)
			var o struct {
				ID string `json:"id"`
			}
			if err == nil && status == 200 && json.Unmarshal(answer, &o) == nil {
				said.overrides = append(said.overrides, o.ID)
			}
			return status, answer, err
		},
	} {
		asking.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if status, answer, err := work(); err != nil || status != 200 {
					t.Errorf("during reloads: %d %s %v", status, answer, err)
					return
				}
			}
		})
	}
	for n := range 8 {
		r.reload(t, n+1)
	}
	close(done)
	asking.Wait()
	var in struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	r.Query(t, "/api_guard/override", &in)
	var listed []string
	for _, o := range in.Items {
		listed = append(listed, o.ID)
	}
	for _, o := range said.overrides {
		if !slices.Contains(listed, o) {
			t.Errorf("the override %s is gone", o)
		}
	}
	if len(said.overrides) == 0 {
		t.Error("no override came to be said")
	}
	var entry struct {
		Review string `json:"review"`
	}
	r.Query(t, "/api_guard/routes/"+id, &entry)
	if entry.Review != "accepted" {
		t.Errorf("the review is %q", entry.Review)
	}
}

// follow follows the feed as the clerk and gives what comes.
func (r *remoteAdmin) follow(t *testing.T) (lines <-chan string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+r.clerk.addr+"/api_guard/feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	var resp *http.Response
	patient := *r.clerk.client
	patient.Timeout = 0
	for range 10 {
		if resp, err = patient.Do(req); err == nil {
			break
		}
	}
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("following the feed: %v, %+v", err, resp)
	}
	came := make(chan string, 1000)
	go func() {
		defer close(came)
		defer resp.Body.Close()
		for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
			came <- scanner.Text()
		}
	}()
	return came
}

// Who follows the feed from afar hears all for as long as the configuration is in force,
// longer than the endpoint's time for reading a request, and an end when it goes.
func TestARemoteFollowerEndsWithItsConfiguration(t *testing.T) {
	t.Parallel()
	r := startRemoteAdmin(t)
	lines := r.follow(t)
	heard := func(path string) {
		t.Helper()
		r.Do1(t, get("api.example.com", path))
		deadline := time.After(time.Minute)
		for {
			select {
			case line, open := <-lines:
				if !open {
					t.Fatalf("the feed ended before it told of %s", path)
				}
				if strings.HasPrefix(line, "data: ") && strings.Contains(line, `"`+path+`"`) {
					return
				}
			case <-deadline:
				t.Fatalf("the feed does not tell of %s", path)
			}
		}
	}
	heard("/v2/debug")
	<-time.After(11 * time.Second) // more than Caddy's ten, and nothing tells when they are over
	heard("/v2/heap")
	r.reload(t, 1)
	deadline := time.After(30 * time.Second)
	for open := true; open; {
		select {
		case _, open = <-lines:
		case <-deadline:
			t.Fatal("the follower hears on after the reload")
		}
	}
	lines = r.follow(t)
	heard("/v2/trace")
}
