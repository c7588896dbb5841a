package apiguard

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/ratelimit"
	"github.com/apiguard/caddy-api-guard/ratelimit/redisstore"
)

// sharedLimits are the limits as the nodes of a cluster count them. Their client is
// the inventory's too: each has connections of its own while it asks, and neither
// waits for the other's. A nil one does nothing.
type sharedLimits struct {
	client redis.UniversalClient
	secret []byte // of the fleet; empty: none is configured
	store  *redisstore.Store
	cancel context.CancelFunc
	done   sync.WaitGroup
	// survived is told of panics while it is asked whether Redis evicts.
	survived func(panicked any, stack []byte)
	evicts   atomic.Pointer[string] // what Redis does to limits when it is full; empty: nothing
}

// newSharedLimits connects to nothing before start.
func newSharedLimits(s *shared, config *Cluster) (*sharedLimits, error) {
	client, secret, err := config.connect()
	if err != nil {
		return nil, err
	}
	l := &sharedLimits{client: client, secret: secret, survived: s.survived.while("asking the cluster's Redis what it evicts")}
	told := uint64(0)
	l.store = redisstore.New(redisstore.Config{
		Client: client, Table: s.table, Prefix: config.prefix() + "limit:",
		Survived: s.survived.while("asking the cluster's Redis for limits"),
		Changed: func(err error) {
			if err == nil {
				s.logger().Info("limits are shared with the cluster", zap.Int("nodes", l.store.Nodes()))
				if n := l.store.Untold(); n > told {
					s.logger().Warn("more was counted while the cluster could not be asked than was remembered: some clients get more than their limits say", zap.Uint64("tokens", n-told))
					told = n
				}
				return
			}
			s.logger().Warn("limits are not shared with the cluster: each does what its on_store_failure says", zap.Error(err))
		},
	})
	return l, nil
}

// limitSecret keys the hashes that stand in Redis: the fleet's secret, or what all its
// nodes have besides.
func (c *Cluster) limitSecret() []byte {
	secret := c.Secret
	if secret == "" {
		secret = c.URL + " " + c.prefix()
	}
	return []byte("api_guard limits " + caddy.NewReplacer().ReplaceKnown(secret, ""))
}

func (l *sharedLimits) start(logger func() *zap.Logger) {
	if l == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.done.Go(func() { l.store.Run(ctx) })
	l.done.Go(func() { l.watchEviction(ctx, logger) })
}

func (l *sharedLimits) stop() {
	if l == nil {
		return
	}
	if l.cancel != nil {
		l.cancel()
		l.done.Wait()
	}
}

// close ends the connections, after stop and when the inventory needs them no more.
func (l *sharedLimits) close() {
	if l != nil {
		_ = l.client.Close()
	}
}

func (l *sharedLimits) untold() uint64 {
	if l == nil {
		return 0
	}
	return l.store.Untold()
}

func (l *sharedLimits) failures() uint64 {
	if l == nil {
		return 0
	}
	return l.store.Failures()
}

// limiter is what counts the limits.
func (s *shared) limiter() ratelimit.Limiter {
	if s.fleet != nil {
		return s.fleet.store
	}
	return s.table
}

// health is the inventory's, and that of the limits.
func (s *shared) health(view *inventory.Inventory) inventory.Health {
	h := view.Health()
	if s.fleet == nil {
		return h
	}
	if err := s.fleet.store.Health(); err != nil && h.Cluster.Status == inventory.ClusterOK {
		h.Cluster.Status, h.Cluster.Why = "down", fmt.Sprintf("limits: %v", err)
	}
	s.fleet.warnOfEviction(&h.Cluster)
	return h
}
