package apiguard

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strconv"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// export answers a list as a table when Accept asks for one: text/csv or
// application/x-ndjson. It holds all that match, page after page, or `limit` of them.
func (app *App) export(name string, w http.ResponseWriter, r *http.Request) (done bool, err error) {
	format := ""
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return false, nil
	case accepts(r, mediaTypeCSV):
		format = mediaTypeCSV
	case accepts(r, mediaTypeLines):
		format = mediaTypeLines
	default:
		return false, nil
	}
	view, query := app.shared.inventory, r.URL.Query()
	e := exporter{app: app, w: w, r: r, format: format}
	switch name {
	case "routes":
		q, err := inventory.ParseRouteQuery(query)
		return true, exportList(&e, q.Limit, err, func(limit int, cursor string) (inventory.List[inventory.RouteEntry], error) {
			q.Limit, q.Cursor = limit, orCursor(cursor, q.Cursor)
			return view.Routes(q)
		})
	case "hosts":
		q, err := inventory.ParseHostQuery(query)
		return true, exportList(&e, q.Limit, err, func(limit int, cursor string) (inventory.List[inventory.HostEntry], error) {
			q.Limit, q.Cursor = limit, orCursor(cursor, q.Cursor)
			return view.Hosts(q)
		})
	case "consumers":
		q, err := inventory.ParseConsumerQuery(query)
		return true, exportList(&e, q.Limit, err, func(limit int, cursor string) (inventory.List[inventory.ConsumerEntry], error) {
			q.Limit, q.Cursor = limit, orCursor(cursor, q.Cursor)
			return view.Consumers(q)
		})
	case "findings":
		q, err := inventory.ParseFindingQuery(query)
		return true, exportList(&e, q.Limit, err, func(limit int, cursor string) (inventory.List[inventory.FindingEntry], error) {
			q.Limit, q.Cursor = limit, orCursor(cursor, q.Cursor)
			return view.Findings(q)
		})
	}
	return false, nil
}

func orCursor(next, first string) string {
	if next != "" {
		return next
	}
	return first
}

// exporter writes a table.
type exporter struct {
	app    *App
	w      http.ResponseWriter
	r      *http.Request
	format string
}

// exportPage is how many items are asked for at once.
const exportPage = 1000

func exportList[T any](e *exporter, limit int, err error, page func(limit int, cursor string) (inventory.List[T], error)) error {
	if err != nil {
		return apiError(http.StatusBadRequest, err.Error())
	}
	var text bytes.Buffer
	table := csv.NewWriter(&text)
	table.UseCRLF = true // RFC 4180, 2
	for cursor, first := "", true; ; first = false {
		size := exportPage
		if limit > 0 {
			size = limit
		}
		list, err := page(size, cursor)
		switch {
		case err != nil && first:
			return badRequest(err)
		case err != nil:
			// A message at the end would be taken for rows, and the table for whole.
			panic(http.ErrAbortHandler)
		}
		settle(e.r.Context(), e.app.shared.inventory)
		if first {
			h := e.w.Header()
			h.Set("Content-Type", e.format+"; charset=utf-8")
			h.Set("Cache-Control", "no-store")
			h.Set("Vary", "Accept")
			h.Set("X-Complete", strconv.FormatBool(list.Complete))
			if e.r.Method == http.MethodHead {
				return nil
			}
			if e.format == mediaTypeCSV {
				_ = table.Write(inventory.Columns[T]())
			}
		}
		for _, item := range list.Items {
			if e.format == mediaTypeCSV {
				_ = table.Write(inventory.Cells(item))
			} else {
				writeJSON(&text, item)
			}
		}
		table.Flush() // into memory: it cannot fail
		if _, err := e.w.Write(text.Bytes()); err != nil {
			return nil // nobody reads on
		}
		text.Reset()
		if cursor = list.Next; cursor == "" || limit > 0 {
			return nil
		}
	}
}
