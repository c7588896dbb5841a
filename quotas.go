package apiguard

import (
	"encoding/binary"
	"errors"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// limitSecret keys the hashes of clients that the limits count by. They must be the
// same after a restart, so that quotas are found again, and a secret, so that nobody
// can choose who shares a bucket; it comes from the id that Caddy draws for each data
// directory. Without one a secret is drawn, and quotas end with the process. The nodes of
// a cluster need the same one, and have the configuration's.
func (app *App) limitSecret() []byte {
	if app.Cluster != nil {
		return app.Cluster.limitSecret()
	}
	id, err := caddy.InstanceID()
	if err != nil {
		return nil
	}
	return append([]byte("api_guard limits "), id[:]...)
}

// keptQuotas keeps what quotas have used in the inventory's file.
func keptQuotas(table *ratelimit.Table) inventory.Kept {
	return inventory.Kept{
		Bucket: "quotas",
		Load: func(key, value []byte) error {
			if len(key) != 4 {
				return errors.New("loading quotas: a key that is none")
			}
			return table.RestoreQuotas(binary.BigEndian.Uint32(key), value)
		},
		Save: func(all bool, put func(key, value []byte)) {
			table.SaveQuotas(all, func(group uint32, cells []byte) {
				put(binary.BigEndian.AppendUint32(nil, group), cells)
			})
		},
	}
}
