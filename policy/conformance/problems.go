package conformance

// Problems are the parts of a request to the operation that are not checked and
// why, one line each. It compiles the operation.
func (o *Operation) Problems() []string {
	o.Compile()
	list, _ := o.Known()
	return list
}

// Known are those of the Problems that have come up, of what requests have asked for.
// known is false before the first. It compiles nothing.
func (o *Operation) Known() (list []string, known bool) {
	if !o.parameters.done.Load() {
		return nil, false
	}
	list = append(list, o.parameters.problems...)
	if !o.body.done.Load() {
		return list, true
	}
	if o.body.problem != "" {
		list = append(list, o.body.problem)
	}
	for _, m := range o.body.entries {
		for _, p := range m.problems() {
			list = append(list, "body "+m.name+": "+p)
		}
	}
	return list, true
}

// problems are what is not checked of a body of the entry's own type, as far as it
// is known.
func (m *media) problems() (list []string) {
	if m.entry == nil {
		return nil
	}
	switch class := classify(m.name); {
	case m.entry.ItemSchema != nil:
		return []string{"itemSchema is not checked"}
	case class == mediaForm || m.name == formData:
		for i := range m.forms {
			if f := &m.forms[i]; f.done.Load() && f.plan.problem != "" {
				return []string{f.plan.problem}
			}
		}
	case class == mediaMultipart || class == mediaXML || class >= mediaYAML:
		return []string{"bodies of the media type are not checked"}
	}
	if !m.done.Load() {
		return nil
	}
	if m.schema.err != nil {
		list = append(list, m.schema.err.Error())
	}
	return append(list, m.schema.problems...)
}
