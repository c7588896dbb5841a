// Package attacks sends a corpus of hostile requests (testdata/corpus.txt) to a
// real Caddy as raw bytes and lets a recording upstream judge: what the case
// does not list, the upstream must not see. Each class of attacks has control
// twins that must pass unchanged, so that refusing everything fails. The same
// corpus is sent to a Caddy without the guard, with the matchers that an
// operator would write; its score stands beside.
package attacks
