package apiguard

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// sample reads `sample <percent>% [<per minute>]` or `sample off`.
func (p *parser) sample(app *App) error {
	args := p.d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return p.d.ArgErr()
	}
	app.Inventory.Sample = strings.Join(args, " ")
	return nil
}

// sampling is how many requests are looked at in full.
func (app *App) sampling() (inventory.Sampling, error) {
	out := inventory.DefaultSampling
	if app.Inventory == nil || app.Inventory.Sample == "" {
		return out, nil
	}
	if app.Inventory.Sample == "off" {
		return inventory.Sampling{}, nil
	}
	first, second, limited := strings.Cut(app.Inventory.Sample, " ")
	number, ok := strings.CutSuffix(first, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return out, fmt.Errorf("%q: write a percentage from 0%% to 100%%, such as 1%%, and how many a minute at most; or off", app.Inventory.Sample)
	}
	out.Share = percent / 100
	if !limited {
		return out, nil
	}
	if out.PerMinute, err = strconv.Atoi(second); err != nil || out.PerMinute < 1 || out.PerMinute > 1000 {
		return out, fmt.Errorf("%q: write a number a minute from 1 to 1000 after the percentage, or off", app.Inventory.Sample)
	}
	return out, nil
}
