package redisboard

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/apiguard/caddy-api-guard/internal/needs"
	"github.com/apiguard/caddy-api-guard/internal/needs/mini"
	"github.com/apiguard/caddy-api-guard/inventory"
)

// eachServer runs a test against miniredis, and against a real redis-server.
func eachServer(t *testing.T, test func(*testing.T, redis.UniversalClient)) {
	for name, addr := range map[string]func(*testing.T) string{
		"miniredis":    func(t *testing.T) string { return mini.Redis(t).Addr() },
		"redis-server": func(t *testing.T) string { return needs.Redis(t).Addr },
	} {
		t.Run(name, func(t *testing.T) {
			client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{addr(t)}})
			t.Cleanup(func() { _ = client.Close() })
			test(t, client)
		})
	}
}

func TestBoard(t *testing.T) {
	eachServer(t, func(t *testing.T, client redis.UniversalClient) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := New(Options{Client: client, Prefix: "test:"})
		publish := func(whole bool, fields map[string][]byte) uint64 {
			t.Helper()
			version, err := b.Publish(ctx, inventory.FleetNode{ID: "one", Name: "n", Beat: 3, Edition: "e"}, whole, fields)
			if err != nil {
				t.Fatal(err)
			}
			return version
		}
		since := func(version uint64) (map[string]string, uint64) {
			t.Helper()
			fields, now, err := b.Since(ctx, "one", version)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for name, value := range fields {
				got[name] = string(value)
				if value == nil {
					got[name] = "(gone)"
				}
			}
			return got, now
		}
		if v := publish(true, map[string][]byte{"a": []byte("1"), "b\x00\xff": []byte("\x00-=")}); v != 1 {
			t.Errorf("version %d", v)
		}
		if v := publish(false, map[string][]byte{"a": []byte("2"), "c": []byte("")}); v != 2 {
			t.Errorf("version %d", v)
		}
		all, now := since(0)
		if d := cmp.Diff(map[string]string{"a": "2", "b\x00\xff": "\x00-=", "c": ""}, all); d != "" || now != 2 {
			t.Errorf("all, version %d: %s", now, d)
		}
		publish(false, map[string][]byte{"a": nil})
		if changed, now := since(2); now != 3 || cmp.Diff(map[string]string{"a": "(gone)"}, changed) != "" {
			t.Errorf("since the second, version %d: %v", now, changed)
		}
		if changed, _ := since(3); len(changed) != 0 {
			t.Errorf("since the last: %v", changed)
		}
		publish(true, map[string][]byte{"d": []byte("4")})
		if all, _ := since(0); cmp.Diff(map[string]string{"d": "4"}, all) != "" {
			t.Errorf("all anew: %v", all)
		}
		many := map[string][]byte{}
		for i := range 2500 {
			many[fmt.Sprint("many", i)] = []byte("x")
		}
		publish(false, many)
		if changed, _ := since(4); len(changed) != 2500 {
			t.Errorf("%d of many", len(changed))
		}
		nodes, err := b.Nodes(ctx)
		if d := cmp.Diff([]inventory.FleetNode{{ID: "one", Name: "n", Beat: 3, Edition: "e", Version: 5}}, nodes); err != nil || d != "" {
			t.Errorf("nodes: %v %s", err, d)
		}
		if ttl := client.PTTL(ctx, "test:inv:{one}:fields").Val(); ttl < 89*24*time.Hour || ttl > 90*24*time.Hour {
			t.Errorf("the fields live for %v", ttl)
		}

		client.Del(ctx, "test:inv:{one}:node")
		if nodes, err := b.Nodes(ctx); err != nil || len(nodes) != 0 {
			t.Errorf("nodes that have expired: %v %v", nodes, err)
		}
		if n := client.HLen(ctx, "test:inv:nodes").Val(); n != 0 {
			t.Errorf("%d are still listed", n)
		}
	})
}

func TestFeedOfAFleet(t *testing.T) {
	eachServer(t, func(t *testing.T, client redis.UniversalClient) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := New(Options{Client: client})
		_, at, err := b.Told(ctx, "one", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Tell(ctx, "two", [][]byte{[]byte("x"), []byte("y")}); err != nil {
			t.Fatal(err)
		}
		if err := b.Tell(ctx, "one", [][]byte{[]byte("mine")}); err != nil {
			t.Fatal(err)
		}
		list, at, err := b.Told(ctx, "one", at)
		want := []inventory.FleetChange{{Node: "two", Data: []byte("x")}, {Node: "two", Data: []byte("y")}}
		if d := cmp.Diff(want, list); err != nil || d != "" {
			t.Errorf("told: %v %s", err, d)
		}
		if list, _, err := b.Told(ctx, "one", at); err != nil || len(list) != 0 {
			t.Errorf("told again: %v %v", list, err)
		}
		if list, last, err := b.Told(ctx, "one", ""); err != nil || len(list) != 0 || last != at {
			t.Errorf("a new node is told %v from %s: %v", list, last, err)
		}
		// What takes changes away from here reads the stream by a group.
		if err := client.XGroupCreate(ctx, b.FeedKey(), "siem", "0").Err(); err != nil {
			t.Fatal(err)
		}
		read, err := client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "siem", Consumer: "c", Streams: []string{b.FeedKey(), ">"}, Count: 10}).Result()
		if err != nil || len(read) != 1 || len(read[0].Messages) != 3 || read[0].Messages[0].Values["change"] != "x" {
			t.Errorf("the group reads %v: %v", read, err)
		}
	})
}
