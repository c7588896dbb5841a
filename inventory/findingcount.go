package inventory

// FindingCount is how many findings of a kind are open.
type FindingCount struct {
	Kind     string // as in FindingEntry
	Title    string // what is wrong, in a few words
	Severity string // of the kind
	Advice   string // of the kind
	Open     uint64 // findings that hold now
}

// findingTitles say of each kind what is wrong, of all of its findings at once.
var findingTitles = [numFindingKinds]string{
	findShadow:              "Routes that no document has, and that answer",
	findHostAnswers:         "Hosts that nobody declared, and that answer",
	findRetiredAnswers:      "Retired versions that still answer",
	findUnauthenticated:     "Operations that answer without the credentials they ask for",
	findOpenSibling:         "Routes open to everybody beside routes that are not",
	findNonProduction:       "Non-production environments that public networks reach",
	findDataUnauthenticated: "Sensitive data given to callers without credentials",
	findSecretURL:           "Tokens or passwords in URLs",
	findCORS:                "Answers that any page may read with its visitor's credentials",
	findUndescribed:         "Routes that answer in versions without a document",
	findShadowScan:          "Routes that no document has, and that answered what looks like a scan",
	findNoDocument:          "Versions without a document",
	findNoRetirement:        "Deprecated versions without a sunset",
	findDeprecated:          "Deprecated versions and operations that are still called",
	findRetired:             "Retired versions that are still called, and refused",
	findFlow:                "Third parties with data that they are not declared for",
	findParty:               "Partners that nobody declared",
	findDataElsewhere:       "Sensitive data from non-production environments",
	findDrift:               "Operations that do what their document does not say",
	findExpired:             "Exceptions that have ended",
	findUnguarded:           "Declared hosts whose requests get by the guard",
	findUnguardedSite:       "Other hosts whose requests get by the guard",
	findNoOwner:             "Versions without an owner",
	findUnchecked:           "Operations of whose requests something is not checked",
	findDiffers:             "Versions whose policy is another than their API's",
	findHost:                "Hosts that nobody declared, and that were asked for",
	findScan:                "Hosts that are being scanned",
	findSoftware:            "Answers that tell their software and its version",
}

// FindingCounts counts the open findings of each kind that has any, the severe
// first, as Findings lists them. It looks anew.
func (inv *Inventory) FindingCounts() []FindingCount {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.sweepFindings(inv.now())
	var counts []FindingCount
	for kind, n := range inv.findings.open() {
		if k := findingKind(kind); n > 0 {
			counts = append(counts, FindingCount{k.String(), findingTitles[k], k.severity(), findingTexts[k].advice, n})
		}
	}
	return counts
}
