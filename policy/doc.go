// Package policy is what is allowed: the rules, their modes, and Decide, which
// turns a request that the catalogue has matched into a Verdict. It imports no
// Caddy package; time, addresses and placeholders come in with the Request.
//
// The canonical target lives in policy/target, conformance to API descriptions
// in policy/conformance, the limiter's arithmetic in package ratelimit.
package policy
