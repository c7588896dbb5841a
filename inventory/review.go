package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxNote is how long the note of a review may be, in bytes.
	MaxNote = 1000
	// maxReviews is how many routes may have one.
	maxReviews = 10_000
)

// What a review says of a route.
const (
	// ReviewOpen: nobody has decided. It takes an earlier review back.
	ReviewOpen = "open"
	// ReviewAccepted: it is meant to be as it is.
	ReviewAccepted = "accepted"
	// ReviewIgnored: it is known and of no interest.
	ReviewIgnored = "ignored"
)

// Review is what an operator says of a route.
type Review struct {
	Review string `json:"review"` // one of the Review constants
	Note   string `json:"note"`   // why, up to MaxNote bytes of text in one line
}

// review is one as it is kept.
type review struct {
	Review
	at      int64
	unsaved bool // the store does not have it
}

// Errors of Inventory.Review beside what is wrong with the review itself.
var (
	ErrNoRoute     = errors.New("there is no route with that id")
	ErrManyReviews = fmt.Errorf("%d routes have a review, which is the most there can be: take some back with %q", maxReviews, ReviewOpen)
)

func (r *Review) check() error {
	if !slices.Contains([]string{ReviewOpen, ReviewAccepted, ReviewIgnored}, r.Review) {
		return fmt.Errorf("unrecognized review %q: write %s, %s or %s", r.Review, ReviewAccepted, ReviewIgnored, ReviewOpen)
	}
	if len(r.Note) > MaxNote {
		return fmt.Errorf("the note has %d bytes: write at most %d", len(r.Note), MaxNote)
	}
	if !utf8.ValidString(r.Note) || strings.ContainsFunc(r.Note, unprintable) {
		return errors.New("the note has characters that cannot be shown: write text in one line")
	}
	return nil
}

// unprintable holds for what could change how the text around it is shown:
// controls, line ends and marks of direction.
func unprintable(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }

// Review records what an operator says of the route with that id, and gives its
// entry. It is kept over configurations, and also while the route is not listed.
func (inv *Inventory) Review(id string, r Review) (RouteEntry, error) {
	if err := r.check(); err != nil {
		return RouteEntry{}, err
	}
	key, ok := parseRouteID(id)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	e := inv.routes[key]
	if !ok || e == nil || !inv.listed(e) {
		return RouteEntry{}, ErrNoRoute
	}
	now := inv.now()
	_, had := inv.reviews[key]
	switch {
	case r.Review == ReviewOpen && r.Note == "" && !inv.fleet.hasJoined():
		// In a fleet the others must hear that it is taken back.
		delete(inv.reviews, key)
		inv.remove(bucketReviews, key[:])
	case !had && len(inv.reviews) >= maxReviews:
		return RouteEntry{}, ErrManyReviews
	default:
		inv.reviews[key] = &review{Review: r, at: now.UnixNano(), unsaved: true}
	}
	inv.sweepFindings(now)
	l := lens{inv: inv, now: now}
	v := l.look(e)
	return l.routeEntry(&v), nil
}

// reviewed reports whether an operator accepted or ignored the route.
func (inv *Inventory) reviewed(e *entry) bool {
	r, ok := inv.reviews[e.id]
	return ok && r.Review.Review != ReviewOpen
}

// reviewOf is the route's review as its entry shows it.
func (inv *Inventory) reviewOf(e *entry) (state, note string, at Time) {
	r, ok := inv.reviews[e.id]
	if !ok {
		return ReviewOpen, "", Time{}
	}
	return r.Review.Review, r.Note, Time{time.Unix(0, r.at).UTC()}
}
