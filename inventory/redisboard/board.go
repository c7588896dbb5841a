// Package redisboard is where the nodes of a fleet exchange their inventories: an
// inventory.Board on Redis (6.2 or newer) or Valkey (7.2 or newer).
//
// For each node there are, with its id in braces so that a cluster has them in one
// slot:
//
//	<prefix>inv:{<id>}:node     what it is (JSON), and that it lives
//	<prefix>inv:{<id>}:version  how often it published
//	<prefix>inv:{<id>}:fields   a hash: what it counted, as its own store has it
//	<prefix>inv:{<id>}:changed  a sorted set: the version in which each field was set
//
// and for all of them
//
//	<prefix>inv:nodes           a hash: the ids, and the hour in which each published
//	<prefix>inv:feed            a stream: the latest changes
//
// A node's keys expire when it has not published for the retention.
package redisboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// Options say how a board works.
type Options struct {
	// Client is required. It may be a client of one server, of Sentinel or of a
	// cluster.
	Client redis.UniversalClient
	// Prefix is what the keys begin with. Default "api_guard:".
	Prefix string
	// Retention is how long a node is remembered that publishes no more. Default
	// 90 days.
	Retention time.Duration
}

const (
	// maxFeed is about how many changes the stream holds.
	maxFeed = 10_000
	// page is how many fields or changes are read at once.
	page = 1000
)

// Board implements inventory.Board.
type Board struct {
	client    redis.UniversalClient
	prefix    string
	retention time.Duration
}

// New makes a board. It sends nothing.
func New(o Options) *Board {
	if o.Prefix == "" {
		o.Prefix = "api_guard:"
	}
	if o.Retention <= 0 {
		o.Retention = 90 * 24 * time.Hour
	}
	return &Board{client: o.Client, prefix: o.Prefix, retention: o.Retention}
}

func (b *Board) key(id, name string) string { return b.prefix + "inv:{" + id + "}:" + name }
func (b *Board) nodes() string              { return b.prefix + "inv:nodes" }

// FeedKey is the key of the stream of changes.
func (b *Board) FeedKey() string { return b.prefix + "inv:feed" }

// publish sets fields and gives the version that it made. KEYS: node, version,
// fields, changed. ARGV: the node, milliseconds to live, "1" for all, then pairs of a
// field and what it is: "=" and a value, or "-".
var publish = redis.NewScript(`
if ARGV[3] == "1" then redis.call("DEL", KEYS[3], KEYS[4]) end
local version = redis.call("INCR", KEYS[2])
redis.call("SET", KEYS[1], ARGV[1])
for i = 4, #ARGV, 2 do
	local value = ARGV[i+1]
	if string.sub(value, 1, 1) == "=" then
		redis.call("HSET", KEYS[3], ARGV[i], string.sub(value, 2))
		redis.call("ZADD", KEYS[4], version, ARGV[i])
	else
		redis.call("HDEL", KEYS[3], ARGV[i])
		redis.call("ZADD", KEYS[4], version, ARGV[i])
	end
end
for i = 1, #KEYS do redis.call("PEXPIRE", KEYS[i], ARGV[2]) end
return version
`)

// Publish implements inventory.Board.
func (b *Board) Publish(ctx context.Context, n inventory.FleetNode, whole bool, fields map[string][]byte) (uint64, error) {
	node, err := json.Marshal(n)
	if err != nil {
		return 0, fmt.Errorf("encoding a node: %w", err)
	}
	all := "0"
	if whole {
		all = "1"
	}
	args := make([]any, 0, 3+2*len(fields))
	args = append(args, node, b.retention.Milliseconds(), all)
	for name, value := range fields {
		text := "-"
		if value != nil {
			text = "=" + string(value)
		}
		args = append(args, name, text)
	}
	keys := []string{b.key(n.ID, "node"), b.key(n.ID, "version"), b.key(n.ID, "fields"), b.key(n.ID, "changed")}
	version, err := publish.Run(ctx, b.client, keys, args...).Int64()
	if err != nil {
		return 0, fmt.Errorf("publishing the inventory: %w", err)
	}
	if err := b.client.HSet(ctx, b.nodes(), n.ID, time.Now().UTC().Truncate(time.Hour).Format(time.RFC3339)).Err(); err != nil {
		return 0, fmt.Errorf("publishing the node: %w", err)
	}
	return uint64(version), nil
}

// Nodes implements inventory.Board. It lets go of those whose keys have expired.
func (b *Board) Nodes(ctx context.Context) ([]inventory.FleetNode, error) {
	ids, err := b.client.HKeys(ctx, b.nodes()).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the nodes: %w", err)
	}
	pipe := b.client.Pipeline()
	texts, versions := make([]*redis.StringCmd, len(ids)), make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		texts[i], versions[i] = pipe.Get(ctx, b.key(id, "node")), pipe.Get(ctx, b.key(id, "version"))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("reading the nodes: %w", err)
	}
	var list []inventory.FleetNode
	for i, id := range ids {
		var n inventory.FleetNode
		text, err := texts[i].Bytes()
		switch {
		case errors.Is(err, redis.Nil):
			_ = b.client.HDel(ctx, b.nodes(), id).Err()
			continue
		case err != nil:
			return nil, fmt.Errorf("reading a node: %w", err)
		case json.Unmarshal(text, &n) != nil || n.ID != id:
			continue // not written by us
		}
		n.Version, _ = versions[i].Uint64()
		list = append(list, n)
	}
	return list, nil
}

// Since implements inventory.Board.
func (b *Board) Since(ctx context.Context, id string, version uint64) (map[string][]byte, uint64, error) {
	// The version first: what is set after it is read again the next time.
	now, err := b.client.Get(ctx, b.key(id, "version")).Uint64()
	if err != nil {
		return nil, 0, fmt.Errorf("reading the version of a node: %w", err)
	}
	names, err := b.client.ZRangeByScore(ctx, b.key(id, "changed"), &redis.ZRangeBy{Min: "(" + strconv.FormatUint(version, 10), Max: "+inf"}).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("reading what a node changed: %w", err)
	}
	fields := make(map[string][]byte, len(names))
	for len(names) > 0 {
		n := min(len(names), page)
		values, err := b.client.HMGet(ctx, b.key(id, "fields"), names[:n]...).Result()
		if err != nil {
			return nil, 0, fmt.Errorf("reading what a node counted: %w", err)
		}
		for i, v := range values {
			fields[names[i]] = nil // removed
			if text, ok := v.(string); ok {
				fields[names[i]] = []byte(text)
			}
		}
		names = names[n:]
	}
	return fields, now, nil
}

// Tell implements inventory.Board.
func (b *Board) Tell(ctx context.Context, id string, changes [][]byte) error {
	pipe := b.client.Pipeline()
	for _, c := range changes {
		pipe.XAdd(ctx, &redis.XAddArgs{Stream: b.FeedKey(), MaxLen: maxFeed, Approx: true, Values: []any{"node", id, "change", c}})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("adding to the feed: %w", err)
	}
	return nil
}

// Told implements inventory.Board.
func (b *Board) Told(ctx context.Context, id, after string) ([]inventory.FleetChange, string, error) {
	if after == "" {
		last, err := b.client.XRevRangeN(ctx, b.FeedKey(), "+", "-", 1).Result()
		if err != nil {
			return nil, "", fmt.Errorf("reading the feed: %w", err)
		}
		if len(last) == 0 {
			return nil, "0-0", nil
		}
		return nil, last[0].ID, nil
	}
	var list []inventory.FleetChange
	for {
		entries, err := b.client.XRangeN(ctx, b.FeedKey(), "("+after, "+", page).Result()
		if err != nil {
			return nil, after, fmt.Errorf("reading the feed: %w", err)
		}
		for _, e := range entries {
			after = e.ID
			node, _ := e.Values["node"].(string)
			change, ok := e.Values["change"].(string)
			if ok && node != id {
				list = append(list, inventory.FleetChange{Node: node, Data: []byte(change)})
			}
		}
		if len(entries) < page {
			return list, after, nil
		}
	}
}

var _ inventory.Board = (*Board)(nil)
