package apiguard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
	"github.com/apiguard/caddy-api-guard/inventory/redisboard"
)

// Cluster is a Redis (6.2 or newer) or Valkey (7.2 or newer) by which several Caddys
// have one inventory and one set of limits. It is not needed to start or to serve: while it is not there
// each node goes on alone.
type Cluster struct {
	// Where it is: redis://[user:password@]host:port/number, rediss:// for TLS. With
	// ?addr=host:port for each further node it is a Redis Cluster; with
	// ?master_name=NAME the hosts are Sentinels. Placeholders such as {env.REDIS_URL}
	// are expanded at the start. A change takes effect at the next start.
	// Caddyfile: `cluster <url>`.
	URL string `json:"url"`

	// What all nodes share and nobody else knows, at least 16 characters: consumers
	// and the keys of limits are hashed with it, so that one is the same on each node. Placeholders such as
	// {file./run/secrets/guard} are expanded. Default: each node has a key of its
	// own, and a consumer of two nodes is two; limits are shared all the same, with
	// hashes that who knows the URL can compute.
	Secret string `json:"secret,omitempty"`

	// What all keys begin with. Default: "api_guard:".
	Prefix string `json:"prefix,omitempty"`
}

const (
	clusterPrefix    = "api_guard:"
	minClusterSecret = 16
)

// check says what is wrong with the option, without what it says: it holds secrets.
func (c *Cluster) check() error {
	if c.URL == "" {
		return wrong("cluster.url", "", "missing: write redis://host:6379/0")
	}
	if !hasPlaceholder(c.URL) {
		if _, err := c.options(c.URL); err != nil {
			return wrong("cluster.url", "", "%w", err)
		}
	}
	if c.Secret != "" && !hasPlaceholder(c.Secret) && len(c.Secret) < minClusterSecret {
		return wrong("cluster.secret", "", "the secret is too short: write at least %d characters", minClusterSecret)
	}
	if strings.ContainsAny(c.Prefix, "{} \t\r\n") {
		return wrong("cluster.prefix", "", "%q: leave out braces and spaces", c.Prefix)
	}
	return nil
}

func hasPlaceholder(s string) bool { return strings.Contains(s, "{") }

var errClusterURL = errors.New("not the URL of a Redis: write redis://[user:password@]host:port/number, or rediss:// for TLS")

// options reads a URL of any of the kinds.
func (c *Cluster) options(url string) (*redis.UniversalOptions, error) {
	u := &redis.UniversalOptions{
		// A context's end holds for reads and writes too, and nothing is sent twice.
		ContextTimeoutEnabled: true, MaxRetries: -1,
		// Who asks decides when to try again.
		DialTimeout: 500 * time.Millisecond, DialerRetries: 1,
		// One set of connections for all, so that the nodes' signs of life keep warm
		// what requests wait for, and no round trip that tells Redis who we are.
		PipelinePoolSize: -1, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch {
	case strings.Contains(url, "master_name="):
		o, err := redis.ParseFailoverURL(url)
		if err != nil {
			return nil, errClusterURL
		}
		u.Addrs, u.MasterName, u.DB, u.TLSConfig = o.SentinelAddrs, o.MasterName, o.DB, o.TLSConfig
		u.Username, u.Password, u.SentinelUsername, u.SentinelPassword = o.Username, o.Password, o.SentinelUsername, o.SentinelPassword
	case strings.Contains(url, "addr="):
		o, err := redis.ParseClusterURL(url)
		if err != nil {
			return nil, errClusterURL
		}
		u.Addrs, u.IsClusterMode, u.Username, u.Password, u.TLSConfig = o.Addrs, true, o.Username, o.Password, o.TLSConfig
	default:
		o, err := redis.ParseURL(url)
		if err != nil {
			return nil, errClusterURL
		}
		u.Addrs, u.DB, u.Username, u.Password, u.TLSConfig = []string{o.Addr}, o.DB, o.Username, o.Password, o.TLSConfig
	}
	return u, nil
}

// prefix is what all keys begin with.
func (c *Cluster) prefix() string {
	if c.Prefix == "" {
		return clusterPrefix
	}
	return c.Prefix
}

// connect makes the client, which connects when it is first used, and the secret.
func (c *Cluster) connect() (client redis.UniversalClient, secret []byte, err error) {
	replacer := caddy.NewReplacer()
	url, err := replacer.ReplaceOrErr(c.URL, true, true)
	if err != nil {
		return nil, nil, fmt.Errorf("cluster.url: %w", err)
	}
	text, err := replacer.ReplaceOrErr(c.Secret, true, true)
	if err != nil {
		return nil, nil, fmt.Errorf("cluster.secret: %w", err)
	}
	if text != "" && len(text) < minClusterSecret {
		return nil, nil, fmt.Errorf("cluster.secret: too short: write at least %d characters", minClusterSecret)
	}
	o, err := c.options(url)
	if err != nil {
		return nil, nil, fmt.Errorf("cluster.url: %w", err)
	}
	return redis.NewUniversalClient(o), []byte(text), nil
}

// joinCluster has the inventory exchanged with other nodes. shared.mu is held; the
// inventory's store is opened after it.
func (s *shared) joinCluster(app *App) {
	s.clusterURL = app.clusterURL()
	if s.fleet == nil || app.Cluster == nil {
		return
	}
	redis.SetLogger(clientLog{})
	var key []byte
	if len(s.fleet.secret) > 0 {
		key = append([]byte("consumers\x00"), s.fleet.secret...)
	}
	name, _ := os.Hostname()
	s.inventory.JoinFleet(inventory.FleetOptions{
		Board: redisboard.New(redisboard.Options{Client: s.fleet.client, Prefix: app.Cluster.prefix(), Retention: app.retention()}),
		Name:  name,
		Key:   key,
		Changed: func(p inventory.Part) {
			if p.Status == inventory.ClusterOK {
				app.logger.Info("the inventory is exchanged with the cluster")
				return
			}
			s.metrics.clusterFailures.Add(1)
			app.logger.Warn("the inventory is not exchanged with the cluster", zap.String("why", p.Why))
		},
	})
}

// clientLog takes what the client says of its connections, which it writes to
// standard error otherwise, several lines a second while there is no Redis. What
// matters of it is told once, where the exchange begins to fail, and in health.
type clientLog struct{}

// Printf implements the client's interface.
func (clientLog) Printf(_ context.Context, format string, v ...any) {
	if entry := caddy.Log().Named("api_guard.redis").Check(zap.DebugLevel, "the client of the cluster"); entry != nil {
		entry.Write(zap.String("says", fmt.Sprintf(format, v...)))
	}
}

func (app *App) clusterURL() string {
	if app.Cluster == nil {
		return ""
	}
	return app.Cluster.URL
}
