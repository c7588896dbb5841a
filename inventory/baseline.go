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
	echoes      bool  // it is the length without the path, which the answer repeats
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

// echo is a good answer's as if it repeated the path: a page that says what was asked
// for has another length for each.
func (a answer) echo(path string) answer {
	a.echoes = true
	a.length -= int64(len(path))
	return a
}

func (a *answer) String() string {
	length := "unknown"
	if a.length >= 0 {
		length = strconv.FormatInt(a.length, 10)
	}
	if a.echoes {
		length += " and the path"
	}
	contentType := a.contentType
	if contentType == "" {
		contentType = "-"
	}
	return a.method + " " + strconv.Itoa(a.status) + " " + contentType + " " + length
}

const (
	// maxAnswers is how many answers of a host are watched; the one that was given to
	// the fewest paths makes room for a new one.
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
//
// A page that repeats the path is looked for too: by its length without the path.
type baseline struct {
	answers []answerCount // maxAnswers at most
	echoes  []answerCount // the same answers without the path, as many
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
// learned is what has just become that.
func (b *baseline) observe(a answer, path string, pathHash uint64) (is bool, learned []answer) {
	if a.status == http.StatusNotFound || a.status == http.StatusGone {
		b.others.add(pathHash)
		return false, nil
	}
	try := func(c *answerCount) {
		if !c.learned {
			c.paths.add(pathHash)
			if c.paths.n < baselinePaths || c.paths.n*baselineShare < b.distinct() {
				return
			}
			c.learned = true
			learned = append(learned, c.answer)
		}
		is = true
	}
	try(b.find(a))
	if a.status < 400 && a.length >= int64(len(path)) && !is {
		try(b.findEcho(a.echo(path)))
	}
	return is, learned
}

// find is the count of an answer, made where there is none.
func (b *baseline) find(a answer) *answerCount {
	c, gone := findAnswer(&b.answers, a)
	for _, hash := range gone.first[:min(gone.n, len(gone.first))] {
		b.others.add(hash)
	}
	return c
}

func (b *baseline) findEcho(a answer) *answerCount {
	c, _ := findAnswer(&b.echoes, a)
	return c
}

// findAnswer is the count of an answer in a list, and the paths of the one that made
// room for it.
func findAnswer(list *[]answerCount, a answer) (c *answerCount, gone pathSet) {
	fewest := 0
	for i := range *list {
		c := &(*list)[i]
		if c.answer == a {
			return c, gone
		}
		if f := &(*list)[fewest]; f.learned || !c.learned && c.paths.n < f.paths.n {
			fewest = i
		}
	}
	if len(*list) < maxAnswers {
		*list = append(*list, answerCount{answer: a})
		return &(*list)[len(*list)-1], gone
	}
	// The latest is the last, so that of those with one path the oldest goes.
	gone = (*list)[fewest].paths
	*list = append(slices.Delete(*list, fewest, fewest+1), answerCount{answer: a})
	return &(*list)[len(*list)-1], gone
}

func (b *baseline) distinct() int {
	n := b.others.n
	for i := range b.answers {
		n += b.answers[i].paths.n
	}
	return n
}

// learned are the answers that were.
func (b *baseline) learned() []answer {
	var list []answer
	for _, counts := range [][]answerCount{b.answers, b.echoes} {
		for i := range counts {
			if counts[i].learned {
				list = append(list, counts[i].answer)
			}
		}
	}
	return list
}

// texts spells what was learned.
func (b *baseline) texts() []string {
	texts := []string{}
	for _, a := range b.learned() {
		texts = append(texts, a.String())
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
