package apiguard

import "fmt"

// audience reads `audience <name> <network>...`.
func (p *parser) audience(app *App) error {
	a := &Audience{Source: p.source()}
	at := fmt.Sprintf("audience[%d]", len(app.Audience))
	if !p.d.NextArg() {
		return p.d.Err("audience takes a name and networks: audience internal 10.0.0.0/8")
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
		return p.d.Err("brownout takes a time and a duration: brownout 2027-03-15T14:00Z 2h")
	}
	p.mark(fmt.Sprintf("%s.brownout[%d]", at, len(v.Brownout)))
	v.Brownout = append(v.Brownout, b)
	return nil
}

// integration reads `integration <name> { … }`.
func (p *parser) integration(app *App) error {
	in := &Integration{Source: p.source()}
	at := fmt.Sprintf("integration[%d]", len(app.Integration))
	app.Integration = append(app.Integration, in)
	if err := p.named(&in.Name, at); err != nil {
		return err
	}
	return p.block(at, options{
		"consumer": p.some(&in.Consumer),
		"purpose":  p.one(&in.Purpose),
		"data":     p.some(&in.Data),
		"owner":    p.one(&in.Owner),
		"until":    p.one(&in.Until),
	}, "consumer")
}

// consumers reads `consumers <placeholder>...`.
func (p *parser) consumers(app *App) error {
	if err := p.some(&app.Consumers)(); err != nil {
		return err
	}
	for i, text := range app.Consumers {
		app.Consumers[i] = expandShorthands(text)
		p.mark(fmt.Sprintf("consumers[%d]", i))
	}
	return nil
}

// exception reads `exception <name> { … }`.
func (p *parser) exception(v *Version, at string) error {
	e := &Exception{Source: p.source()}
	at = fmt.Sprintf("%s.exception[%d]", at, len(v.Exception))
	v.Exception = append(v.Exception, e)
	if err := p.named(&e.Name, at); err != nil {
		return err
	}
	return p.block(at, options{
		"consumer": p.one(&e.Consumer),
		"rule":     p.one(&e.Rule),
		"until":    p.one(&e.Until),
		"reason":   p.one(&e.Reason),
		"limit": func() error {
			limit := &Limit{Source: p.source()}
			at := fmt.Sprintf("%s.limit[%d]", at, len(e.Limit))
			e.Limit = append(e.Limit, limit)
			return p.limit(limit, at)
		},
	}, "limit")
}

// passthrough reads `passthrough <name> { … }`.
func (p *parser) passthrough(app *App) error {
	t := &Passthrough{Source: p.source()}
	at := fmt.Sprintf("passthrough[%d]", len(app.Passthrough))
	app.Passthrough = append(app.Passthrough, t)
	if err := p.named(&t.Name, at); err != nil {
		return err
	}
	return p.block(at, options{
		"hosts":   p.some(&t.Hosts),
		"path":    p.some(&t.Path),
		"methods": p.some(&t.Methods),
		"reason":  p.one(&t.Reason),
	})
}
