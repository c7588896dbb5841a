package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Config is what a Caddy is started with: a Caddyfile, written out or composed,
// and the files beside it. In all of them <http>, <https> and <admin> stand for
// the ports of this process, <upstream> for the upstream's and <dir> for the
// folder of the Caddyfile.
type Config struct {
	// Caddyfile is the whole file. When empty it is composed from the rest, with
	// access log and metrics on, since that is when Caddy puts wrappers of its
	// own around every response.
	Caddyfile string

	Guard   string // the inside of the api_guard global option
	Globals string // more global options
	Sites   string // the site blocks; `import guarded` makes one that has everything

	// Untrusted makes the tests' clients no trusted proxies: X-Forwarded-For and
	// the like are then theirs, and all have one address.
	Untrusted bool

	Env []string // more of the process's environment, as NAME=value

	Upstream *Upstream         // nil for none
	Files    map[string]string // path, relative to the Caddyfile, to content
}

// trust makes the tests' own clients trusted proxies, so that X-Forwarded-For
// gives each test, and each run of it, a client address of its own.
const trust = `
	servers {
		trusted_proxies static 127.0.0.1/32
		trusted_proxies_strict
	}
`

// frame is the composed Caddyfile.
const frame = `{
	admin 127.0.0.1:<admin>
	persist_config off
	http_port <http>
	https_port <https>
	default_bind 127.0.0.1
	skip_install_trust
	local_certs
	auto_https disable_redirects
	grace_period 2s
	metrics
	log default {
		output stderr
		format json
		exclude http.log.access
	}
	log access {
		include http.log.access
		output file <dir>/access.log
		format json
	}
%s
	api_guard {
%s
	}
}

(guarded) {
	log
	api_guard
	reverse_proxy 127.0.0.1:<upstream>
}

%s
`

// Text is the Caddyfile with its tokens still in place.
func (cfg Config) Text() string {
	if cfg.Caddyfile != "" {
		return cfg.Caddyfile
	}
	globals := cfg.Globals
	if !cfg.Untrusted {
		globals += trust
	}
	return fmt.Sprintf(frame, globals, cfg.Guard, cfg.Sites)
}

// write puts the Caddyfile and its files into dir and returns the former's path.
func (cfg Config) write(dir string, ports []string) (string, error) {
	tokens := []string{"<http>", ports[0], "<https>", ports[1], "<admin>", ports[2], "<dir>", dir}
	if cfg.Upstream != nil {
		tokens = append(tokens, "<upstream>", cfg.Upstream.Port())
	}
	fill := strings.NewReplacer(tokens...)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(fill.Replace(cfg.Text())), 0o600); err != nil {
		return "", err
	}
	for name, content := range cfg.Files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(fill.Replace(content)), 0o600); err != nil {
			return "", err
		}
	}
	return file, nil
}
