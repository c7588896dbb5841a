package inventory

import "strings"

// environmentOf is the environment that a version declares, else the one that its
// host's name tells, and which of the two it is: "declared", "host" or nothing.
func environmentOf(p *place, host string) (environment, source string) {
	if p != nil && p.version.Environment != "" {
		return p.version.Environment, "declared"
	}
	if environment = environmentByName(host); environment != "" {
		return environment, "host"
	}
	return "", ""
}

// environmentByName reads the labels of a host name, and the words between hyphens
// in them: api-staging.example.com. The last two are the organisation's own name.
func environmentByName(host string) string {
	labels := strings.Split(host, ".")
	if len(labels) < 3 {
		return ""
	}
	for _, label := range labels[:len(labels)-2] {
		for word := range strings.SplitSeq(label, "-") {
			switch strings.TrimRight(word, "0123456789") {
			case "staging", "stage", "stg", "preprod":
				return "staging"
			case "test", "testing", "qa", "uat":
				return "test"
			case "dev", "develop", "development":
				return "development"
			case "sandbox":
				return "sandbox"
			case "beta", "preview", "canary":
				return "beta"
			case "legacy", "old":
				return "legacy"
			}
		}
	}
	return ""
}

// offStage reports whether an environment is one that the public has no business in.
// A name alone makes no beta, sandbox or legacy host that: those are often meant for
// everybody. What is declared counts as it stands.
func offStage(environment, source string) bool {
	switch strings.ToLower(environment) {
	case "", "production", "prod", "live":
		return false
	case "beta", "sandbox", "legacy":
		return source == "declared"
	default:
		return true
	}
}
