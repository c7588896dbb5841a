package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// subject is a proxy in one configuration.
type subject struct {
	name    string
	globals string // of a Caddyfile
	handler string // before reverse_proxy
	nginx   string // the inside of `location /`; then it is no Caddy
	// document is how many operations the API description has; 0: there is none
	document int
	loads    []*load

	address string
	process *process
}

// What the steps of the guard are made of. Its match is the target, the host, the
// version and the operation, and the count in the inventory.
const (
	matching  = "request off\nresponse off\ncredentials off\n"
	limitOne  = "limit per_client {\nkey {client_ip}\nrate 10000000/1m\n}\n"
	limitMore = "limit per_host {\nkey {http.request.host}\nrate 10000000/1m\n}\n" +
		"limit orders {\noperations getOrder createOrder\nkey {client_ip}\nrate 10000000/1m\nalgorithm bucket\n}\n"
	limitReset = "limit reset {\noperations verifyResetToken\nkey {client_ip}\nrate 1/1h\n}\n"
)

// guard is the global option; the inventory is in memory unless the step is `all`.
func guard(policy, inventory string) string {
	return guardOf(policy, inventory, "", "version closed {\nhosts "+host+"\npath /closed\nunknown_route enforce\n}\n")
}

// guardOf has further hosts in its version and further versions in its API.
func guardOf(policy, inventory, hosts, versions string) string {
	return "api_guard {\n" + inventory + "policy {\n" + policy + "}\n" +
		"api orders {\nversion v2 {\nhosts " + host + hosts + "\npath /v2\nspec spec.yaml\n}\n" + versions + "}\n}\n"
}

const inMemory = "inventory {\nfile memory\n}\n"

const (
	bareName = "bare Caddy"
	twinName = "bare Caddy again" // as another process
	fullName = "guard: all"
)

func subjects() []*subject {
	everything := limitOne + limitMore + limitReset
	hits := []*load{&getHit, &post1K, &post100K}
	all := append(append([]*load{}, hits...), &getCrowd, &unknown, &refused429, &refused400, &refused404)
	list := []*subject{
		{name: bareName, loads: all},
		{name: twinName, loads: []*load{&getHit, &post1K}},
		{name: "guard: match", globals: guard(matching, inMemory), document: 10, loads: hits},
		{name: "guard: + 1 limit", globals: guard(matching+limitOne, inMemory), document: 10, loads: []*load{&getHit, &getCrowd}},
		{name: "guard: + 3 limits", globals: guard(matching+limitOne+limitMore, inMemory), document: 10, loads: []*load{&getHit, &getCrowd, &post1K}},
		{name: "guard: request alone", globals: guard("response off\ncredentials off\n", inMemory), document: 10, loads: []*load{&getHit, &post1K}},
		{name: "guard: + request", globals: guard("response off\n"+everything, inMemory), document: 10, loads: hits},
		{name: fullName, globals: guard(everything, ""), document: 10, loads: all},
		{name: "guard: all, 1,223 operations", globals: guard(everything, ""), document: 1223, loads: []*load{&getHit}},
		{name: "guard: all, 10,000 operations", globals: guard(everything, ""), document: 10000, loads: []*load{&getHit}},
		{name: "openapi3filter", handler: "bench_naive spec.yaml", document: 10, loads: append(append([]*load{}, hits...), &refused400)},
		{name: "openapi3filter, 1,223 operations", handler: "bench_naive spec.yaml", document: 1223, loads: []*load{&getHit}},
		{name: "nginx, limit_req", nginx: "limit_req zone=all burst=100000 nodelay;", loads: append(append([]*load{}, hits...), &getCrowd, &refused429)},
	}
	for _, s := range list {
		if s.handler == "" && s.globals != "" {
			s.handler = "api_guard"
		}
	}
	return list
}

const caddyFrame = `{
	admin off
	persist_config off
	auto_https off
	log {
		level ERROR
	}
	servers {
		trusted_proxies static 127.0.0.1/32
		trusted_proxies_strict
	}
	order bench_naive before reverse_proxy
%s
}

http://%s:%s {
	bind 127.0.0.1
	%s
	reverse_proxy %s
}
`

const nginxFrame = `daemon off;
master_process off;
error_log %[1]s/error.log crit;
pid %[1]s/pid;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_buffer_size 256k;
	client_max_body_size 2m;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	set_real_ip_from 127.0.0.1;
	real_ip_header X-Forwarded-For;
	limit_req_status 429;
	limit_req_zone $binary_remote_addr zone=all:32m rate=1000000r/s;
	limit_req_zone $binary_remote_addr zone=reset:1m rate=1r/m;
	upstream backend { server %[2]s; keepalive 64; keepalive_requests 100000000; }
	server {
		listen %[3]s;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_set_header Host $host;
		location / { %[4]s proxy_pass http://backend; }
		location = /v2/password-reset { limit_req zone=reset; proxy_pass http://backend; }
	}
}
`

// fleet is everything that runs.
type fleet struct {
	dir      string
	upstream *process
	subjects []*subject
	profiles string
}

func startFleet(ctx context.Context, o Options, progress io.Writer) (_ *fleet, err error) {
	f := &fleet{profiles: o.Profile}
	if f.dir, err = os.MkdirTemp("", "api-guard-bench"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	var backend string
	if f.upstream, backend, err = startUpstream(ctx); err != nil {
		return nil, err
	}
	for i, s := range subjects() {
		if s.name != bareName && !wanted(s, o.Only) {
			continue
		}
		fmt.Fprintf(progress, "starting %s\n", s.name)
		err := s.start(ctx, filepath.Join(f.dir, fmt.Sprint(i)), backend, o)
		if errors.Is(err, errNoNginx) {
			fmt.Fprintln(progress, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("starting %s: %w", s.name, err)
		}
		f.subjects = append(f.subjects, s)
	}
	return f, nil
}

func wanted(s *subject, only string) bool {
	for _, l := range s.loads {
		if strings.Contains(l.name+", "+s.name, only) {
			return true
		}
	}
	return false
}

var errNoNginx = errors.New("nginx is not here and left out; its Debian package is nginx")

func (s *subject) start(ctx context.Context, dir, backend string, o Options) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if s.document > 0 {
		if err := os.WriteFile(filepath.Join(dir, "spec.yaml"), []byte(document(s.document)), 0o600); err != nil {
			return err
		}
	}
	if s.address, err = freeAddress(); err != nil {
		return err
	}
	_, port, _ := strings.Cut(s.address, ":")
	if s.nginx == "" {
		text := fmt.Sprintf(caddyFrame, s.globals, host, port, s.handler, backend)
		environment := []string{"GOGC=off", "GOMEMLIMIT=" + o.Memory}
		if o.Memory == "" {
			environment = nil
		}
		if o.Profile != "" {
			environment = append(environment, profileVariable+"="+filepath.Join(dir, "cpu.prof"))
		}
		s.process, err = startCaddy(ctx, o.at, dir, text, s.address, environment...)
		return err
	}
	path, err := exec.LookPath("nginx")
	if err != nil {
		// Debian puts it where only root looks.
		if path, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			return errNoNginx
		}
	}
	s.process, err = startNginx(ctx, o.at, path, dir, fmt.Sprintf(nginxFrame, dir, backend, s.address, s.nginx), s.address)
	return err
}

func (f *fleet) stop() {
	for _, s := range f.subjects {
		s.process.stop()
	}
	f.upstream.stop()
	_ = os.RemoveAll(f.dir)
}

// rows are what is measured: the loads that `only` names, each with its subjects,
// the bare Caddy first.
func (f *fleet) rows(only string) []*row {
	var rows []*row
	for _, l := range []*load{&getHit, &getCrowd, &post1K, &post100K, &unknown, &refused429, &refused400, &refused404} {
		base := -1
		var of []*row
		for _, s := range f.subjects {
			for _, its := range s.loads {
				if its != l || s.name != bareName && !strings.Contains(l.name+", "+s.name, only) {
					continue
				}
				if s.name == bareName {
					base = len(of)
				}
				of = append(of, &row{load: l, subject: s})
			}
		}
		if len(of) < 2 && only != "" {
			continue // nothing to hold bare Caddy against
		}
		for _, r := range of {
			r.base = of[base]
		}
		rows = append(rows, of...)
	}
	return rows
}

// signalProfiles begins and ends the profiles of all Caddys.
func (f *fleet) signalProfiles() {
	for _, s := range f.subjects {
		if s.nginx == "" {
			_ = s.process.cmd.Process.Signal(syscall.SIGUSR2)
		}
	}
}

// finishProfiles writes a profile for each Caddy, named after it.
func (f *fleet) finishProfiles() error {
	if f.profiles == "" {
		return nil
	}
	if err := os.MkdirAll(f.profiles, 0o755); err != nil {
		return err
	}
	f.signalProfiles()
	for _, s := range f.subjects {
		if s.nginx != "" {
			continue
		}
		data, err := awaitFile(filepath.Join(s.process.cmd.Dir, "cpu.prof.done"))
		if err != nil {
			return fmt.Errorf("profiling %s: %w", s.name, err)
		}
		name := strings.Join(strings.FieldsFunc(s.name, func(r rune) bool { return strings.ContainsRune(" :,+", r) }), "-")
		if err := os.WriteFile(filepath.Join(f.profiles, name+".prof"), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func awaitFile(path string) ([]byte, error) {
	for range 200 {
		if data, err := os.ReadFile(path); err == nil {
			return data, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.New("nothing was written")
}
