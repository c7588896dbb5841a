// Command caddy is the Caddy that `xcaddy build --with
// github.com/apiguard/caddy-api-guard` would make: Caddy's standard modules
// and API Guard. It is what the README's first command runs.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/apiguard/caddy-api-guard"
)

func main() {
	caddycmd.Main()
}
