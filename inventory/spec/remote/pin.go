// Package remote gets API descriptions that stand behind an https URL, pinned by
// their SHA-256: it fetches one, and keeps a copy for when its host is down. Nothing
// is given out that does not have the hash, wherever it came from.
package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/apiguard/caddy-api-guard/internal/shorten"
)

// HashPrefix stands before the digits of a hash.
const HashPrefix = "sha256:"

// Pin is a document by URL and the hash that its contents must have.
type Pin struct {
	URL string            // as it is written: https, without user and fragment
	Sum [sha256.Size]byte // SHA-256
}

// Parse reads a URL and, behind a blank, "sha256:" with 64 hex digits. The error does
// not repeat the text.
//
// There is no fetching without a hash, and no error tells the whole hash of what was
// found. A hash pins a document that somebody has looked at; one that is pasted from
// an error pins whatever the host, or who stands in its place, chose to send.
func Parse(text string) (Pin, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return Pin{}, errors.New("the URL of the document is missing")
	}
	u, err := url.Parse(words[0])
	switch {
	case err != nil:
		return Pin{}, errors.New("it is no URL: write one such as https://docs.example.com/orders.yaml")
	case u.Scheme == "file":
		return Pin{}, errors.New("name a file by its path alone, without file://")
	case u.Scheme != "https":
		return Pin{}, fmt.Errorf("documents are files, or fetched by https, and not by %s: write https://, or fetch it before Caddy starts and name the file", u.Scheme)
	case u.Hostname() == "":
		return Pin{}, errors.New("the URL names no host: write one such as https://docs.example.com/orders.yaml")
	case u.User != nil:
		return Pin{}, errors.New("the URL has a user or password, and none is sent: fetch the document before Caddy starts, and name the file")
	case u.Fragment != "":
		return Pin{}, errors.New("the URL has a fragment, and a document is fetched whole: leave out what begins with #")
	case len(words) == 1:
		return Pin{}, errors.New("a document by URL needs its hash: write sha256: and 64 hex digits behind the URL; `curl -fsSL URL | sha256sum` tells the hash of what is there now, to be pinned once you have looked at it")
	case len(words) > 2:
		return Pin{}, errors.New("behind the URL stands its hash alone: sha256: and 64 hex digits")
	}
	digits, ok := strings.CutPrefix(words[1], HashPrefix)
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || len(sum) != sha256.Size {
		return Pin{}, errors.New("behind the URL write sha256: and 64 hex digits, the SHA-256 of the document (`curl -fsSL URL | sha256sum`)")
	}
	return Pin{URL: words[0], Sum: [sha256.Size]byte(sum)}, nil
}

// Join puts each hash behind the URL before it, as Parse reads them. Other arguments,
// which are files, stay as they are. loose tells that an argument may turn out to be
// a URL or a hash later.
func Join(args []string, loose func(string) bool) ([]string, error) {
	var out []string
	open := false // the last one may take a hash
	for _, arg := range args {
		isHash := strings.HasPrefix(arg, HashPrefix)
		switch {
		case isHash && !open:
			return nil, fmt.Errorf("%s stands behind no URL: a hash pins the document behind https://…, and files have none", shorten.Text(arg, 24))
		case open && (isHash || IsURL(out[len(out)-1]) && loose(arg)):
			out[len(out)-1] += " " + arg
			open = false
		default:
			out = append(out, arg)
			open = IsURL(arg) || loose(arg)
		}
	}
	return out, nil
}

// IsURL tells a URL, with or without a hash, from the path of a file.
func IsURL(text string) bool { return strings.Contains(text, "://") }
