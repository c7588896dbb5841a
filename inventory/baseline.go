package inventory

import (
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// answer is what an upstream's answer looks like: enough to tell the one that a
// host gives to everything from one that means the route.
type answer struct {
	method      string
	status      int
	contentType string
	length      int64 // see answerOf
}

// answerOf is o's answer. A good answer (2xx, 3xx) counts as the same only with
// the same length: different things that are good seldom have one. Of others the
// power of two is enough, since error pages like to repeat the path.
func answerOf(method string, o *Outcome) answer {
	length := o.BodyLength
	if length > 0 && o.Status >= 400 {
		length = 1 << (bits.Len64(uint64(length)) - 1)
	}
	return answer{method: method, status: o.Status, contentType: o.ContentType, length: max(length, -1)}
}

func (a *answer) String() string {
	length := "unknown"
	if a.length >= 0 {
		length = strconv.FormatInt(a.length, 10)
	}
	contentType := a.contentType
	if contentType == "" {
		contentType = "-"
	}
	return a.method + " " + strconv.Itoa(a.status) + " " + contentType + " " + length
}

const (
	// maxAnswers is how many answers of a host are watched; later ones only add
	// to the sum.
	maxAnswers = 16
	// baselinePaths is how many unknown paths must get the same answer before it
	// can be the host's baseline,
	baselinePaths = 8
	// baselineShare and how large a part of all unknown paths of the host they
	// must be: one in four. A handful of real routes that answer alike, on a host
	// that says 404 to what it does not have, is no baseline.
	baselineShare = 4
)

// baseline learns what a host answers to everything: a login wall's 401, the
// index page of a single-page application, a dead upstream's 502. Such an answer
// is evidence of nothing, so it counts as a scan.
//
// An answer becomes a baseline when at least 8 distinct paths that no document
// has got it, and at least a quarter of all such paths. Distinct paths are
// counted by hash, many of them roughly (too few, never too many); 404 and 410
// only add to the sum, they are no evidence anyway. What was learned
// stays learned while the process lives.
type baseline struct {
	answers []answerCount // in order of first sight, maxAnswers at most
	others  pathSet       // paths of all other answers
}

type answerCount struct {
	answer  answer
	paths   pathSet
	learned bool
}

// pathSet counts distinct hashes: exactly as long as they are few, then by a
// bitmap, up to 256.
type pathSet struct {
	first [baselinePaths]uint64
	bits  [4]uint64
	n     int
}

func (p *pathSet) add(hash uint64) {
	if slices.Contains(p.first[:min(p.n, len(p.first))], hash) {
		return
	}
	word, bit := &p.bits[hash>>6&3], uint64(1)<<(hash&63)
	if p.n < len(p.first) {
		p.first[p.n] = hash
	} else if *word&bit != 0 {
		return
	}
	*word |= bit
	p.n++
}

// observe takes in the answer to an unknown path. is: it is the host's baseline.
// learned: it has just become that.
func (b *baseline) observe(a answer, pathHash uint64) (is, learned bool) {
	if a.status == http.StatusNotFound || a.status == http.StatusGone {
		b.others.add(pathHash)
		return false, false
	}
	c := b.find(a)
	if c == nil {
		b.others.add(pathHash)
		return false, false
	}
	if c.learned {
		return true, false
	}
	c.paths.add(pathHash)
	if c.paths.n < baselinePaths || c.paths.n*baselineShare < b.distinct() {
		return false, false
	}
	c.learned = true
	return true, true
}

func (b *baseline) find(a answer) *answerCount {
	for i := range b.answers {
		if b.answers[i].answer == a {
			return &b.answers[i]
		}
	}
	if len(b.answers) == maxAnswers {
		return nil
	}
	b.answers = append(b.answers, answerCount{answer: a})
	return &b.answers[len(b.answers)-1]
}

func (b *baseline) distinct() int {
	n := b.others.n
	for i := range b.answers {
		n += b.answers[i].paths.n
	}
	return n
}

// texts spells what was learned.
func (b *baseline) texts() []string {
	texts := []string{}
	for i := range b.answers {
		if b.answers[i].learned {
			texts = append(texts, b.answers[i].answer.String())
		}
	}
	return texts
}

// mediaType is the type/subtype of a Content-Type header, or "" for what is none
// (RFC 9110, 8.3.1). It is upstream's text and hence cut to size.
func mediaType(header string) string {
	if i := strings.IndexByte(header, ';'); i >= 0 {
		header = header[:i]
	}
	header = strings.TrimRight(header, " \t")
	if len(header) > 64 {
		return ""
	}
	for i := range len(header) {
		c := header[i]
		if !isWord(c) && strings.IndexByte("/+-.!#$&^*", c) < 0 {
			return ""
		}
	}
	return header
}
