package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/freeport"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

const limit = 1 << 10

var document = []byte("openapi: 3.1.0\n")

// host serves what handler answers, and a store that trusts it.
func host(t *testing.T, handler http.HandlerFunc) (*httptest.Server, *Store) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = freeport.Listen(t)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server, &Store{Dir: filepath.Join(t.TempDir(), "documents"), Roots: roots}
}

func pinOf(url string, data []byte) Pin { return Pin{URL: url, Sum: sha256.Sum256(data)} }

func TestADocumentIsFetchedOnceAndThenThereWithoutItsHost(t *testing.T) {
	var asked atomic.Int64
	server, store := host(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Accept-Encoding") != "identity" || r.Header.Get("Accept") != "*/*" || r.URL.RawQuery != "ref=v1" {
			t.Errorf("asked with %v for %s", r.Header, r.URL)
		}
		_, _ = w.Write(document)
	})
	pin := pinOf(server.URL+"/orders.yaml?ref=v1", document)
	data, fetched, err := store.Get(t.Context(), pin, limit)
	if err != nil || !fetched || !bytes.Equal(data, document) {
		t.Fatalf("%q, %v, %v", data, fetched, err)
	}
	if _, err := os.Stat(store.Dir); !os.IsNotExist(err) {
		t.Errorf("getting it wrote something: %v", err)
	}
	if err := store.Keep(pin.Sum, data, time.Now()); err != nil {
		t.Fatal(err)
	}
	server.Close()
	data, fetched, err = store.Get(t.Context(), pin, limit)
	if err != nil || fetched || !bytes.Equal(data, document) || asked.Load() != 1 {
		t.Errorf("%q, %v, %v, asked %d times", data, fetched, err, asked.Load())
	}
	if _, _, err = store.Get(t.Context(), pin, int64(len(document))-1); !errors.As(err, new(spec.TooLarge)) {
		t.Errorf("a copy above the limit: %v", err)
	}
	other := pinOf(pin.URL, []byte("another"))
	if _, _, err = store.Get(t.Context(), other, limit); err == nil || !strings.Contains(err.Error(), "no copy") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("another hash without its host: %v", err)
	}
}

func TestOnlyWhatHasTheHashIsGivenOut(t *testing.T) {
	changed := append(bytes.Clone(document), '#')
	server, store := host(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(changed) })
	pin := pinOf(server.URL, document)
	_, _, err := store.Get(t.Context(), pin, limit)
	found := sha256.Sum256(changed)
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{hex.EncodeToString(pin.Sum[:4]), hex.EncodeToString(found[:4]), "changed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: it does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), hex.EncodeToString(found[:])) {
		t.Errorf("%v: it tells the hash to paste", err)
	}
	// A damaged copy is none, and is replaced.
	if err := store.Keep(pin.Sum, document, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store.file(pin.Sum), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if data, _, err := store.Get(t.Context(), pin, limit); err == nil {
		t.Errorf("a damaged copy was taken: %q", data)
	}
	if err := store.Keep(pin.Sum, document, time.Now()); err != nil {
		t.Fatal(err)
	}
	if data, fetched, err := store.Get(t.Context(), pin, limit); err != nil || fetched || !bytes.Equal(data, document) {
		t.Errorf("mended: %q, %v, %v", data, fetched, err)
	}
}

func TestWhatAHostCanDoIsBoundedAndSaid(t *testing.T) {
	plainHost := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) }))
	t.Cleanup(plainHost.Close)
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not found": {http.NotFound, "404 Not Found"},
		"no content": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNoContent)
		}, "204"},
		"a body that says that it is too large": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), limit+1))
		}, "max_document"},
		"a header that says that it is too large": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1025")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "max_document"},
		"another document": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("another"))
		}, "changed"},
		"a body without end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), limit)); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
			}
		}, "max_document"},
		"a coding": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b"))
		}, `"gzip"`},
		"no header in time": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, "within 100ms"},
		"no end in time": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(document)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "within 100ms"},
		"a body that breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(document)
		}, "EOF"},
		"a redirect to plain HTTP": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, plainHost.URL+"/secret?token=1", http.StatusFound)
		}, `redirects to "http://127.0.0.1`},
		"a redirect with a user": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://me:secret@"+r.Host+"/x", http.StatusFound)
		}, "without a user"},
		"a loop": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}, "more than 5 times"},
		"a header of a megabyte": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 1<<20))
			_, _ = w.Write(document)
		}, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := host(t, tt.answer)
			if strings.Contains(tt.want, "within") {
				store.Patience = 100 * time.Millisecond
			}
			data, _, err := store.Get(t.Context(), pinOf(server.URL+"/orders.yaml?token=secret", document), limit)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%.50q, the error %v, want one that says %q", data, err, tt.want)
			} else if len(err.Error()) > 700 || strings.Contains(err.Error(), "secret") {
				t.Errorf("it says too much: %v", err)
			} else if strings.Contains(err.Error(), "no copy") == (tt.want == "max_document" || tt.want == "changed") {
				t.Errorf("a copy would help, or not, and it says otherwise: %v", err)
			}
		})
	}
}

func TestRedirectsWithinHTTPSAreFollowedWithoutTellingTheURL(t *testing.T) {
	redirects := maxRedirects
	server, store := host(t, func(w http.ResponseWriter, r *http.Request) {
		if referer := r.Header.Get("Referer"); referer != "" {
			t.Errorf("the next host was told %s", referer)
		}
		if n := len(r.URL.Path); n <= redirects {
			http.Redirect(w, r, "/"+strings.Repeat("x", n), http.StatusFound)
			return
		}
		_, _ = w.Write(document)
	})
	pin := pinOf(server.URL+"/?token=secret", document)
	if data, _, err := store.Get(t.Context(), pin, limit); err != nil || !bytes.Equal(data, document) {
		t.Errorf("%q, %v", data, err)
	}
	redirects++
	if data, _, err := store.Get(t.Context(), pin, limit); err == nil {
		t.Errorf("%d redirects were followed to %q", redirects, data)
	}
}

func TestAHostWithoutATrustedCertificateIsNotAsked(t *testing.T) {
	server, store := host(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked") })
	store.Roots = x509.NewCertPool()
	_, _, err := store.Get(t.Context(), pinOf(server.URL, document), limit)
	if err == nil || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("%v", err)
	}
}

func TestFetchingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server, store := host(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, _, err := store.Get(ctx, pinOf(server.URL, document), limit); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCopiesThatNobodyUsesGoAndOthersStay(t *testing.T) {
	store := &Store{Dir: filepath.Join(t.TempDir(), "documents")}
	now := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	old, used, touched := []byte("old"), []byte("used"), []byte("touched")
	for _, data := range [][]byte{old, used, touched} {
		if err := store.Keep(sha256.Sum256(data), data, now); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(store.file(sha256.Sum256(data)), now, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"notes.txt", partPrefix + "1"} {
		file := filepath.Join(store.Dir, name)
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, now, now)); err != nil {
			t.Fatal(err)
		}
	}
	later := now.Add(100 * time.Hour)
	if err := store.Keep(sha256.Sum256(touched), touched, later); err != nil {
		t.Fatal(err)
	}
	keep := map[[sha256.Size]byte]bool{sha256.Sum256(used): true}
	store.Forget(keep, now)
	if entries, _ := os.ReadDir(store.Dir); len(entries) != 5 {
		t.Errorf("too early: %v", entries)
	}
	store.Forget(keep, later)
	entries, _ := os.ReadDir(store.Dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if len(names) != 3 {
		t.Errorf("%q are there", names)
	}
	for _, data := range [][]byte{used, touched} {
		if _, err := store.copyOf(sha256.Sum256(data), limit); err != nil {
			t.Errorf("%s: %v", data, err)
		}
	}
	if _, err := os.Stat(filepath.Join(store.Dir, "notes.txt")); err != nil {
		t.Errorf("what is no copy went: %v", err)
	}
}

func TestAFolderThatCannotBeWrittenIsAnErrorOfKeepingAlone(t *testing.T) {
	server, store := host(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
	store.Dir = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(store.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pin := pinOf(server.URL, document)
	if _, fetched, err := store.Get(t.Context(), pin, limit); err != nil || !fetched {
		t.Errorf("%v, %v", fetched, err)
	}
	if err := store.Keep(pin.Sum, document, time.Now()); err == nil {
		t.Error("it was kept nowhere")
	}
	store.Forget(nil, time.Now())
}
