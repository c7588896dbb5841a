package browser

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// shop is what the manual's picture shows: an API as one would find it.
const shop = `
		policy {
			limit new_orders {
				operations createOrder
				rate 30/1m
			}
		}
		api orders {
			owner team-checkout
			purpose "create and track orders"
			version v0 {
				hosts legacy.localhost
				path /v0
				deprecated 2025-01-01
				sunset 2026-01-01
				successor v2
			}
			version v1 {
				hosts old.localhost
				path /v1
				spec orders.yaml
				deprecated 2026-01-01
				sunset 2027-06-30
				successor v2
				brownout 2027-03-15T14:00Z 2h
			}
			version v2 {
				hosts api.localhost
				path /v2
				spec orders.yaml
			}
			version v3 {
				hosts beta.localhost
				path /v3
				spec orders.yaml
				state beta
				environment staging
			}
		}
		api catalogue {
			owner team-shop
			purpose "products and prices"
			version 2026-03 {
				hosts products.localhost
				spec orders.yaml
			}
		}
`

// The picture of the manual is one of the page as it is: with API_GUARD_PICTURE set
// to a path it is written there.
//
//	API_GUARD_PICTURE=../../docs/page.png go test -run ThePictureOfTheManual
func TestThePictureOfTheManualIsOneOfThePage(t *testing.T) {
	v := lookAt(t, shop, func(v *viewer) {
		v.call(40, "api.localhost", "/v2/orders")
		for i := range 12 {
			v.call(1, "api.localhost", fmt.Sprintf("/v2/orders/%d", 100+i))
		}
		v.call(9, "old.localhost", "/v1/orders")
		v.call(3, "legacy.localhost", "/v0/orders")
		v.call(6, "beta.localhost", "/v3/orders/7")
		v.call(17, "products.localhost", "/orders")
		v.call(4, "api.localhost", "/v2/debug/vars")
		v.call(2, "beta.localhost", "/v3/internal/metrics")
		v.call(1, "stray.localhost", "/")
		v.settle("/", 2)
	})
	v.do(chromedp.EmulateViewport(1280, 860))
	v.open("")
	v.quiet("the picture")
	picture, err := chromedp.Run(v.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if len(picture) < 10<<10 || len(picture) > 150<<10 {
		t.Errorf("the picture has %d bytes", len(picture))
	}
	if path := os.Getenv("API_GUARD_PICTURE"); path != "" {
		if err := os.WriteFile(path, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
