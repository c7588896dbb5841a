package apiguard

// format reads `format <name> <pattern>|off`.
func (p *parser) format(policy *Policy) error {
	var name, pattern string
	if !p.d.AllArgs(&name, &pattern) {
		return p.d.Err("format takes a name and a pattern, in quotes if there are blanks in it, or off")
	}
	if _, twice := policy.Format[name]; twice {
		return p.d.Errf("format %s is written twice", name)
	}
	if policy.Format == nil {
		policy.Format = map[string]string{}
	}
	p.mark("policy.format." + name)
	policy.Format[name] = pattern
	return nil
}
