package apiguard

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// templated is the id in routes/{id}/template.
func templated(name string) (id string, ok bool) {
	id, ok = strings.CutPrefix(name, "routes/")
	if !ok {
		return "", false
	}
	id, ok = strings.CutSuffix(id, "/template")
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// pin makes a template of an undocumented route stick, or takes it back, and
// answers with the entry that it stands for.
func (app *App) pin(id string, r *http.Request) (any, error) {
	var pin inventory.Pin
	if err := readStatement(r, "a template", `{"template":"/v2/users/{user}","pinned":true}`, maxStatement, &pin); err != nil {
		return nil, err
	}
	entry, err := app.shared.inventory.Pin(id, pin)
	switch {
	case err == nil:
		return entry, nil
	case errors.Is(err, inventory.ErrNoRoute):
		return nil, apiError(http.StatusNotFound, fmt.Sprintf("there is no route with the id %q", id))
	case errors.Is(err, inventory.ErrManyPins), errors.Is(err, inventory.ErrDocumented):
		return nil, apiError(http.StatusConflict, err.Error())
	default:
		return nil, apiError(http.StatusBadRequest, "reading the template: "+err.Error())
	}
}
