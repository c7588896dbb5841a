package spec

// AsksCredentials reports whether the document wants credentials for it: its own
// security, else the document's, and no alternative in it is empty (OpenAPI
// 3.1.1, Security Requirement Object).
func (op *Operation) AsksCredentials() bool {
	if op.Op == nil {
		return false
	}
	security := op.Op.Security
	if security == nil {
		if op.Document == nil || op.Document.Root == nil {
			return false
		}
		security = &op.Document.Root.Security
	}
	for _, requirement := range *security {
		if len(requirement) == 0 {
			return false
		}
	}
	return len(*security) > 0
}
