package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"time"
)

//go:embed assets templates
var files embed.FS

var templates = template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/*.html"))

// assets are the style and the script, under names that change with their content,
// so that browsers may keep them for good.
var assets, assetNames = readAssets()

func readAssets() (content map[string][]byte, names map[string]string) {
	content, names = make(map[string][]byte), make(map[string]string)
	for name, kind := range map[string]string{"page.css": ".css", "page.js": ".js"} {
		text, err := files.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // embedded: only a broken build lacks it
		}
		sum := sha256.Sum256(text)
		names[name] = hex.EncodeToString(sum[:6]) + kind
		content[names[name]] = text
	}
	return content, names
}

func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	text, ok := assets[name]
	if !ok {
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}
