package apiguard

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/apiguard/caddy-api-guard/inventory"
)

// A table that breaks off must not be taken for a whole one.
func TestATableThatFailsHalfwayIsCut(t *testing.T) {
	app := mustProvision(t, smallApp(t))
	for name, tt := range map[string]struct {
		failsAt int
		status  int
		cut     bool
	}{
		"nowhere":          {9, 200, false},
		"at the first":     {1, 400, false},
		"after the first":  {2, 200, true},
		"at the last page": {3, 200, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				e := exporter{app: app, w: w, r: r, format: mediaTypeLines}
				pages := 0
				err := exportList(&e, 0, nil, func(int, string) (inventory.List[inventory.HostEntry], error) {
					if pages++; pages == tt.failsAt {
						return inventory.List[inventory.HostEntry]{}, errors.New("no more")
					}
					list := inventory.List[inventory.HostEntry]{Items: make([]inventory.HostEntry, 50), Complete: true, Next: "on"}
					if pages == 3 {
						list.Next = ""
					}
					return list, nil
				})
				if err != nil {
					w.WriteHeader(http.StatusBadRequest)
				}
			}))
			defer server.Close()
			resp, err := http.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			_, err = io.ReadAll(resp.Body)
			if resp.StatusCode != tt.status || (err != nil) != tt.cut {
				t.Errorf("the client got %d and read to %v", resp.StatusCode, err)
			}
		})
	}
}
