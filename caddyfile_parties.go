package apiguard

import "fmt"

// audience reads `audience <name> <network>...`.
func (p *parser) audience(app *App) error {
	a := &Audience{Source: p.source()}
	at := fmt.Sprintf("audience[%d]", len(app.Audience))
	if !p.d.NextArg() {
		return p.d.ArgErr()
	}
	a.Name = p.d.Val()
	a.Networks = p.d.RemainingArgs()
	p.mark(at)
	app.Audience = append(app.Audience, a)
	return nil
}

// brownout reads `brownout <time> <duration>`.
func (p *parser) brownout(v *Version, at string) error {
	b := new(Brownout)
	if !p.d.AllArgs(&b.From, &b.Duration) {
		return p.d.ArgErr()
	}
	p.mark(fmt.Sprintf("%s.brownout[%d]", at, len(v.Brownout)))
	v.Brownout = append(v.Brownout, b)
	return nil
}
