package apiguard

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// request asks the admin API of the running Caddy for uri. Its errors say what to do:
// they are read when something is wrong already.
func (in *invocation) request(method, uri string, header http.Header, body io.Reader) (response *http.Response, address string, err error) {
	address, err = caddycmd.DetermineAdminAPIAddress(in.text("address"), nil, in.text("config"), in.text("adapter"))
	if err != nil {
		return nil, "", err
	}
	if strings.Contains(address, "://") {
		return nil, address, fmt.Errorf("--address %q: write host:port, or unix//path/of/the/socket, without a scheme; Caddy's remote administration takes client certificates, which this command has none of: run it on the server itself", address)
	}
	response, err = caddycmd.AdminAPIRequest(address, method, uri, header, body)
	if err != nil {
		if said := saidByAdmin(err); said != "" {
			return nil, address, fmt.Errorf("%s says: %s", address, said)
		}
		return nil, address, fmt.Errorf("asking %s for %s: %s%s", address, uri, strings.TrimSpace(err.Error()), remedy(err))
	}
	return response, address, nil
}

// saidByAdmin is what the admin API said is wrong, out of Caddy's text about it; empty
// when it said nothing of the kind.
func saidByAdmin(err error) string {
	_, text, _ := strings.Cut(err.Error(), "caddy responded with error: HTTP ")
	_, text, _ = strings.Cut(text, ": ")
	var answer struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(text), &answer) != nil {
		return ""
	}
	return printable(answer.Error)
}

// remedy is what to do about an admin API that does not answer. Caddy hands its
// errors on as text.
func remedy(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "HTTP 404: 404 page not found"):
		// net/http's own words: the admin API has no such route.
		return ". That Caddy has no API Guard, or an older one: look whether the file that runs lists http.handlers.api_guard (caddy list-modules), and restart it with the new one; a reload keeps the old one running"
	case !strings.Contains(text, ": dial "):
		return ""
	case strings.Contains(text, "permission denied"):
		return ". Run the command as the user that Caddy runs as, or as root"
	default:
		return ". Is Caddy running, and is its admin API there? --address says where else: host:port, or unix//path/of/the/socket, as the global option admin has it"
	}
}

// notAdmin is an answer that the admin API does not give.
func notAdmin(address, uri string, err error) error {
	return fmt.Errorf("reading the answer of %s to %s: %w. Is that Caddy's admin API (port 2019, unless the global option admin says otherwise), and not a site?", address, uri, err)
}
