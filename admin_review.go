package apiguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// maxReviewBody is room for the longest note, each byte of it escaped, and what
// stands around it.
const maxReviewBody = 6*inventory.MaxNote + 256

// reviewed is the id in routes/{id}/review.
func reviewed(name string) (id string, ok bool) {
	id, ok = strings.CutPrefix(name, "routes/")
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, "/review")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// review records what an operator says of a route, and answers with its entry.
// The media type is asked for because a browser cannot send it to another origin
// without asking first.
func (app *App) review(id string, r *http.Request) (any, error) {
	if r.Method != http.MethodPost {
		return nil, apiError(http.StatusMethodNotAllowed, "a review takes POST only; GET the route to read it")
	}
	if r.URL.RawQuery != "" {
		return nil, apiError(http.StatusBadRequest, "a review takes no query parameters")
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return nil, apiError(http.StatusUnsupportedMediaType, "a review is JSON: send Content-Type: application/json")
	}
	review, err := readReview(r.Body)
	if err != nil {
		return nil, err
	}
	entry, err := app.shared.inventory.Review(id, review)
	switch {
	case err == nil:
		return entry, nil
	case errors.Is(err, inventory.ErrNoRoute):
		return nil, apiError(http.StatusNotFound, fmt.Sprintf("there is no route with the id %q", id))
	case errors.Is(err, inventory.ErrManyReviews):
		return nil, apiError(http.StatusConflict, err.Error())
	default:
		return nil, apiError(http.StatusBadRequest, "reading the review: "+err.Error())
	}
}

func readReview(body io.Reader) (inventory.Review, error) {
	var review inventory.Review
	text, err := io.ReadAll(io.LimitReader(body, maxReviewBody+1))
	if err != nil {
		return review, apiError(http.StatusBadRequest, "reading the review: "+err.Error())
	}
	if len(text) > maxReviewBody {
		return review, apiError(http.StatusRequestEntityTooLarge, fmt.Sprintf("a review has at most %d bytes, its note at most %d", maxReviewBody, inventory.MaxNote))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&review); err != nil {
		return review, apiError(http.StatusBadRequest, `reading the review: `+err.Error()+`: write {"review":"accepted","note":"why"}`)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return review, apiError(http.StatusBadRequest, "reading the review: something follows the object: send one")
	}
	return review, nil
}
