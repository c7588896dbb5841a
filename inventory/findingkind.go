package inventory

// findingKind is what is wrong. The order is that of answers: the severe first.
type findingKind uint8

const (
	// findShadow: a route that no document has answered 2xx.
	findShadow findingKind = iota
	// findHostAnswers: a host that nobody declared answered 2xx.
	findHostAnswers
	// findRetiredAnswers: a version past its sunset is called and answers.
	findRetiredAnswers
	// findUnauthenticated: an operation whose document asks for credentials
	// answered 2xx without any.
	findUnauthenticated
	// findOpenSibling: a route answered 2xx without credentials while those beside it
	// were called with some only.
	findOpenSibling
	// findNonProduction: an environment that is not production is reached from
	// public networks.
	findNonProduction
	// findDataUnauthenticated: delicate data went to a caller without credentials.
	findDataUnauthenticated
	// findSecretURL: requests carry a token or password in the URL.
	findSecretURL
	// findCORS: any origin may read answers with the user's credentials.
	findCORS

	// findUnguarded: requests for a declared host get by the guard.
	findUnguarded

	// findUndescribed: as findShadow, in a version that has no document at all.
	findUndescribed
	// findShadowScan: as findShadow, of a route that only a scan may have called.
	findShadowScan
	// findNoDocument: a version has no document.
	findNoDocument
	// findNoRetirement: a version is deprecated and has no sunset.
	findNoRetirement
	// findDeprecated: a deprecated version or operation is still called.
	findDeprecated
	// findRetired: a version past its sunset is still called; the guard refuses.
	findRetired
	// findFlow: a declared third party gets or sends data that it is not declared to.
	findFlow
	// findParty: callers of a version for partners are no declared integration.
	findParty
	// findDataElsewhere: delicate data comes from an environment that is not
	// production.
	findDataElsewhere

	// findUnguardedSite: requests for a host that nobody declared get by the guard.
	findUnguardedSite

	// findDrift: an operation does what its document does not have.
	findDrift
	// findExpired: an exception has ended.
	findExpired

	// findNoOwner: neither a version nor its API has an owner.
	findNoOwner
	// findDiffers: a version's policy is another than its API's.
	findDiffers
	// findUnchecked: of an operation that is called, something is not checked.
	findUnchecked
	// findHost: a host that nobody declared was asked for.
	findHost
	// findScan: a host was scanned within the last hour.
	findScan
	// findSoftware: answers tell which software made them, and its version.
	findSoftware

	numFindingKinds
)

// Severities of findings.
const (
	SeverityHigh   = "high"
	SeverityMedium = "medium"
	SeverityLow    = "low"
)

// findingTexts are the names, and the advice in the words of the configuration.
var findingTexts = [numFindingKinds]struct{ name, severity, advice string }{
	findShadow: {"shadow-answers", SeverityHigh,
		"Add the route to the version's document (spec), or refuse what no document has: unknown_route enforce. If it is meant to be so, say so with a review: accepted."},
	findHostAnswers: {"undeclared-host-answers", SeverityHigh,
		"Declare the host in a version's hosts, so that the policy holds for it, or refuse it: unknown_host enforce. If nobody should reach it, remove it from Caddy's sites."},
	findRetiredAnswers: {"retired-answers", SeverityHigh,
		"The version is past its sunset and still answers. Refuse it: lifecycle enforce. If it is still needed, move its sunset."},
	findUnauthenticated: {"unauthenticated-2xx", SeverityHigh,
		"The document asks for credentials and upstream answers without any. Have the upstream, or an authentication handler of Caddy, require them; or correct the operation's security in the document."},
	findOpenSibling: {"unauthenticated-sibling", SeverityHigh,
		"The routes beside it are called with credentials only, and this one answers without any. Have the upstream, or an authentication handler of Caddy, require them; or write security: [] into the operation's document if it is meant to be open."},
	findNonProduction: {"non-production-reachable", SeverityHigh,
		"Reserve the version for the networks that need it: audience internal. Or write environment production if it is."},
	findDrift: {"document-drift", SeverityMedium,
		"Add what is missing to the document, or have the upstream stop it. What the document does not have is neither checked nor known to its readers."},
	findDataUnauthenticated: {"sensitive-unauthenticated", SeverityHigh,
		"Require credentials for the operation (security in the document, credentials enforce, and the upstream's own check), or leave the data out of the answer. If everybody may have it, say so with a review: accepted."},
	findSecretURL: {"secret-in-url", SeverityHigh,
		"Have clients send it in Authorization or another header field, or in the body, and give out a new one: what stood in URLs may be known."},
	findCORS: {"cors-any-origin", SeverityHigh,
		"Let the upstream allow the origins that it knows by name, and credentials only to them. Any page can make its visitors' browsers read these answers."},
	findUnguarded: {"host-without-guard", SeverityHigh,
		"Put api_guard before what answers for the host in every site of it, as the first handler of a route block. caddy api-guard coverage --open names each place; coverage strict refuses a configuration that has one."},
	findUndescribed: {"undescribed-route-answers", SeverityMedium,
		"The version has no document to find this route in. Add spec with its OpenAPI document, or say with a review that it is meant to be so: accepted."},
	findShadowScan: {"shadow-answers-scan", SeverityMedium,
		"Only one consumer called it, and very many others beside it: a scan, most likely, which found something, or a host that answers everything. Ask for it yourself. If it is there, go on as for shadow-answers; if not, have the upstream say 404. unknown_route enforce refuses either."},
	findNoDocument: {"no-document", SeverityMedium,
		"Add spec with the version's OpenAPI document. Until then its requests are not checked, and each of its routes is a shadow."},
	findNoRetirement: {"no-retirement-plan", SeverityMedium,
		"Add sunset with the date from which the version is refused, and successor with the version that replaces it."},
	findDeprecated: {"deprecated-called", SeverityMedium,
		"See /api_guard/consumers for who still calls it, and move them to the successor before the sunset."},
	findRetired: {"retired-called", SeverityMedium,
		"Its requests are refused. See /api_guard/consumers for who still sends them, and tell them of the successor."},
	findExpired: {"expired-exception", SeverityMedium,
		"It stopped by itself: the rule holds again. Take the exception out of the version, or renew it with a reason."},
	findFlow: {"undeclared-flow", SeverityMedium,
		"If it is meant to be so, add the class to the integration's data, and its purpose; if it has ended, move its until. If not, take the data out of the answer, or the integration's access away."},
	findParty: {"undeclared-third-party", SeverityMedium,
		"Declare who they are: an integration with the SHA-256 of its credential (consumer), its purpose and data. See /api_guard/flows for who gets what."},
	findDataElsewhere: {"sensitive-non-production", SeverityMedium,
		"Use made-up data outside of production, or protect the version as production is: audience with your own networks. If the version is production, correct its environment. x-data-class: none in the document marks what only looks like it."},
	findUnguardedSite: {"undeclared-host-without-guard", SeverityMedium,
		"If an API answers there, put api_guard into the site and declare the host in a version's hosts: no policy holds for it and nothing of it is seen. If it is no API, put api_guard into the site with a passthrough that says so. caddy api-guard coverage names each place."},
	findNoOwner: {"no-owner", SeverityLow,
		"Add owner to the version, or to its api for all of its versions."},
	findDiffers: {"policy-differs", SeverityLow,
		"Move what is tighter up into the api, or the policy, so that it holds for every version. If it is meant for this version alone, leave it: the finding says so and asks for nothing."},
	findUnchecked: {"operation-unchecked", SeverityLow,
		"What is named passes as it comes, in enforce too. Mend the schema or the pattern in the document; what has no reader here, such as XML, the upstream must check itself."},
	findHost: {"undeclared-host", SeverityLow,
		"If the host is one of yours, declare it in a version's hosts. If not, unknown_host enforce refuses it with 421."},
	findSoftware: {"software-told", SeverityLow,
		"Remove the field: header_down -Server (and -X-Powered-By) in reverse_proxy, or in the upstream's own configuration. Whoever looks for a known weakness finds its version there."},
	findScan: {"scanned", SeverityLow,
		"Somebody looks for routes that are not there. A limit with key {client_ip} charges such requests too."},
}

func (k findingKind) String() string   { return findingTexts[k].name }
func (k findingKind) severity() string { return findingTexts[k].severity }

// findingKinds are the names of all kinds.
func findingKinds() []string {
	names := make([]string, numFindingKinds)
	for kind := range names {
		names[kind] = findingKind(kind).String()
	}
	return names
}
