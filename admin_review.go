package apiguard

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// maxStatement is room for the longest note or template, each byte of it escaped,
// and what stands around it.
const maxStatement = 6*inventory.MaxTemplate + 256

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
func (app *App) review(id string, r *http.Request) (any, error) {
	var review inventory.Review
	if err := readStatement(r, "a review", `{"review":"accepted","note":"why"}`, maxStatement, &review); err != nil {
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

// readStatement reads what an operator says: what is its name, such as "a review",
// example how to write it, and most how many bytes it may have. The media type is asked for because a
// browser cannot send it to another origin without asking first.
func readStatement(r *http.Request, what, example string, most int64, into any) error {
	_, name, _ := strings.Cut(what, " ")
	if r.Method != http.MethodPost {
		return methodError{http.MethodPost, what + " takes POST only; GET the route to read it"}
	}
	if r.URL.RawQuery != "" {
		return apiError(http.StatusBadRequest, what+" takes no query parameters")
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return apiError(http.StatusUnsupportedMediaType, what+" is JSON: send Content-Type: application/json")
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return apiError(http.StatusBadRequest, "reading the "+name+": "+err.Error())
	}
	if int64(len(text)) > most {
		return apiError(http.StatusRequestEntityTooLarge, fmt.Sprintf("%s has at most %d bytes", what, most))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		said := err.Error()
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			said = fmt.Sprintf("%s cannot be a JSON %s", cmp.Or(wrong.Field, "it"), wrong.Value)
		}
		return apiError(http.StatusBadRequest, "reading the "+name+": "+said+": write "+example)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return apiError(http.StatusBadRequest, "reading the "+name+": something follows the object: send one")
	}
	// encoding/json takes the last of several members, and puts U+FFFD for what is no text.
	switch _, err := jsontext.NewDecoder(bytes.NewReader(text)).ReadValue(); {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return apiError(http.StatusBadRequest, "reading the "+name+": a name stands twice in it: write each once")
	case err != nil:
		return apiError(http.StatusBadRequest, "reading the "+name+": a text in it is no valid UTF-8")
	}
	return nil
}
