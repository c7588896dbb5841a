// Package shorten keeps what others wrote from filling a message.
package shorten

import "strings"

// Text is the first bytes of a text, most of them, with a mark where there were more. No
// character is cut in two.
func Text(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}
