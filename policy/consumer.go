package policy

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Integration is a declared third party, recognised by the SHA-256 of a
// credential that it presents.
type Integration struct {
	Name        string              // as declared
	Credentials [][sha256.Size]byte // SHA-256 of each; any of them will do
	Until       time.Time           // from when on it is none any more; zero: never
}

const (
	// maxCredentialLines is how many lines of one header field are looked at.
	maxCredentialLines = 4
	// maxCredential is how long a credential may be, in bytes, so that what a
	// client sends costs no more than that to hash.
	maxCredential = 8 << 10
)

// consumers recognise the integrations.
type consumers struct {
	byCredential map[[sha256.Size]byte]*Integration
	// headers carry API keys: the usual ones and those that the documents name.
	headers []string
	// placeholders are further places of a credential or a user's name.
	placeholders []string
}

func newConsumers(cfg *Config) consumers {
	c := consumers{placeholders: cfg.Consumers}
	if len(cfg.Integrations) == 0 {
		return c
	}
	c.byCredential = make(map[[sha256.Size]byte]*Integration)
	for i := range cfg.Integrations {
		for _, sum := range cfg.Integrations[i].Credentials {
			c.byCredential[sum] = &cfg.Integrations[i]
		}
	}
	c.headers = []string{"X-Api-Key", "Api-Key"}
	for i := range cfg.APIs {
		for _, v := range cfg.APIs[i].Declared.Versions {
			for _, d := range v.Documents {
				if d.Root != nil && d.Root.Components != nil {
					c.addHeaders(d.Root.Components.SecuritySchemes)
				}
			}
		}
	}
	return c
}

func (c *consumers) addHeaders(schemes openapi3.SecuritySchemes) {
	for _, s := range schemes {
		if s == nil || s.Value == nil || s.Value.Type != "apiKey" || s.Value.In != openapi3.ParameterInHeader {
			continue
		}
		if name := http.CanonicalHeaderKey(s.Value.Name); name != "Authorization" && !slices.Contains(c.headers, name) {
			c.headers = append(c.headers, name)
		}
	}
}

// recognise is the name of the integration whose credential the request presents,
// or "". Several credentials of different integrations are nobody's: which of
// them upstream goes by is not known.
func (c *consumers) recognise(r *Request) string {
	if len(c.byCredential) == 0 {
		return ""
	}
	var found *Integration
	several := false
	look := func(credential string) {
		if credential == "" || len(credential) > maxCredential {
			return
		}
		var buf [512]byte // longer ones are hashed from the heap
		i := c.byCredential[sha256.Sum256(append(buf[:0], credential...))]
		if i == nil || !i.Until.IsZero() && !r.Now.Before(i.Until) {
			return
		}
		several = several || found != nil && found != i
		found = i
	}
	for i, line := range r.Header["Authorization"] {
		if i == maxCredentialLines {
			break
		}
		token := line
		if _, rest, ok := strings.Cut(line, " "); ok {
			token = strings.Trim(rest, " ")
		}
		look(token)
	}
	for _, name := range c.headers {
		for i, line := range r.Header[name] {
			if i == maxCredentialLines {
				break
			}
			look(line)
		}
	}
	for _, placeholder := range c.placeholders {
		if r.Expand == nil {
			break
		}
		if value, ok := r.Expand(placeholder); ok {
			look(value)
		}
	}
	if found == nil || several {
		return ""
	}
	return found.Name
}
