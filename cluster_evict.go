package apiguard

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/apiguard/caddy-api-guard/inventory"
)

const (
	evictionEvery = time.Minute      // how often Redis is asked whether it evicts
	evictionAgain = 10 * time.Second // after a question without an answer
)

// watchEviction asks Redis, until ctx ends, whether it throws keys away when it is full:
// a bucket that goes is a full one again, and nothing else would say so. A user who may
// not ask (INFO) is not told.
func (l *sharedLimits) watchEviction(ctx context.Context, logger func() *zap.Logger) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		why, err := l.askEviction(ctx)
		if err != nil {
			timer.Reset(evictionAgain)
			continue
		}
		timer.Reset(evictionEvery)
		if before := l.evicts.Swap(&why); why != "" && (before == nil || *before != why) {
			logger().Warn("the cluster's Redis may forget limits", zap.String("why", why))
		}
	}
}

func (l *sharedLimits) askEviction(ctx context.Context) (why string, err error) {
	defer func() {
		if p := recover(); p != nil {
			l.survived(p, debug.Stack())
			err = errors.New("a defect of api_guard or its client")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	info, err := l.client.Info(ctx, "memory").Result()
	return evictionOf(info), err
}

// evictionOf reads INFO memory: what Redis does when it is full, if it throws away what
// the limits need. Their keys have an end, so that the volatile policies take them too.
func evictionOf(info string) (why string) {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	policy, most := fields["maxmemory_policy"], fields["maxmemory"]
	if policy == "" || policy == "noeviction" || most == "" || most == "0" {
		return ""
	}
	return "Redis throws keys away when it is full (maxmemory-policy " + policy + "), and a limit whose bucket goes begins anew: set maxmemory-policy noeviction"
}

// warnOfEviction adds it to a cluster that works.
func (l *sharedLimits) warnOfEviction(c *inventory.Cluster) {
	if why := l.evicts.Load(); why != nil && *why != "" && c.Status == inventory.ClusterOK {
		c.Why = *why
	}
}
