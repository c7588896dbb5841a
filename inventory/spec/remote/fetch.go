package remote

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/apiguard/caddy-api-guard/internal/shorten"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
)

const (
	// DefaultPatience is the value of Store.Patience when it is zero.
	DefaultPatience = 10 * time.Second
	// maxRedirects is how many redirects are followed.
	maxRedirects = 5
	maxHeader    = 64 << 10
)

// fetch asks for the document once, within the time and of at most limit bytes, and
// gives it if it has the hash.
func (s *Store) fetch(ctx context.Context, pin Pin, limit int64) ([]byte, error) {
	patience := s.Patience
	if patience <= 0 {
		patience = DefaultPatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	data, err := s.ask(ctx, pin.URL, limit)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Whatever came: a host that sees the connection being closed may still end
		// half an answer as if it were whole.
		return nil, fmt.Errorf("there was no whole answer within %s", patience)
	case ctx.Err() != nil:
		return nil, ctx.Err() // for the same reason
	case err != nil:
		return nil, err
	}
	if found := sha256.Sum256(data); found != pin.Sum {
		// The first digits tell the two apart, and cannot be pasted: see Parse.
		return nil, &changedError{pinned: pin.Sum, found: found}
	}
	return data, nil
}

// changedError is the error about a document that has another hash than its pin.
type changedError struct{ pinned, found [sha256.Size]byte }

func (e *changedError) Error() string {
	return fmt.Sprintf("its SHA-256 begins with %x, and the one that is pinned with %x: the document at the URL was changed, or the pin is of another one; look at what is there now, and pin that, or have the pinned one put back", e.found[:4], e.pinned[:4])
}

func (s *Store) ask(ctx context.Context, address string, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, plain(err)
	}
	// As curl asks, so that what answers by these fields gives both the same bytes.
	// A coding would make the hash one of something else than what was sent, and
	// what it unpacks to has no bound.
	request.Header["Accept"] = []string{"*/*"}
	request.Header["Accept-Encoding"] = []string{"identity"}
	request.Header["User-Agent"] = []string{"caddy-api-guard"}
	transport := &http.Transport{
		// As Caddy's own requests to certificate authorities: HTTPS_PROXY and NO_PROXY
		// hold. Through a proxy TLS goes to the document's host, by CONNECT.
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	answer, err := client.Do(request)
	if err != nil {
		return nil, plain(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	}
	if coding := answer.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, fmt.Errorf("the answer comes in the coding %q, although none was accepted: have it served as it is", shorten.Text(coding, 32))
	}
	if answer.ContentLength > limit {
		return nil, spec.TooLarge(limit)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if int64(len(data)) > limit {
		return nil, spec.TooLarge(limit)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", plain(err))
	}
	return data, nil
}

// checkRedirect follows redirects that stay with https.
func checkRedirect(request *http.Request, via []*http.Request) error {
	to := request.URL
	if to.Scheme != "https" || to.User != nil {
		return fmt.Errorf("it redirects to %q, and only https without a user is followed", shorten.Text(to.Scheme+"://"+to.Host, 200))
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	// It would tell the next host the whole URL, a token in it included.
	request.Header.Del("Referer")
	return nil
}

// plain is an error without the URL, which stands in the message already and may
// have a token in it, and without more of what a host says than a message needs.
func plain(err error) error {
	var about *url.Error
	if errors.As(err, &about) {
		err = about.Err
	}
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w; for an authority of your own set SSL_CERT_FILE in the environment of Caddy", err)
	}
	if text := err.Error(); len(text) > 300 {
		return errors.New(shorten.Text(text, 300))
	}
	return err
}
