package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/apiguard/caddy-api-guard/policy/target"
)

// parseMixedKey reads text that has placeholders and more. Each of them counts as it
// would alone, so that no spelling of a value buys a bucket beside other text.
func parseMixedKey(s string) (KeyPart, error) {
	k := KeyPart{kind: keyMixed, name: s}
	if strings.Contains(s, `\{`) || strings.Contains(s, `\}`) {
		return KeyPart{}, fmt.Errorf("reading key %q: in a key a brace stands for a placeholder alone: leave it and its backslash out", s)
	}
	for s != "" {
		end := strings.IndexByte(s, '{')
		if end == 0 {
			end = strings.IndexByte(s, '}') + 1
		} else if end < 0 {
			end = len(s)
		}
		part, err := ParseKeyPart(s[:end])
		if err != nil {
			return KeyPart{}, err
		}
		k.parts, s = append(k.parts, part), s[end:]
	}
	return k, nil
}

// mix is the whole text, with the plain values of the placeholders; empty when one of
// them is missing.
func (k KeyPart) mix(value func(i int) string) string {
	var b strings.Builder
	for i, part := range k.parts {
		text := part.name
		if part.kind != keyConstant {
			if text = value(i); text == "" {
				return ""
			}
			if part.kind != keyHost {
				text = plainAddress(text)
			}
		}
		b.WriteString(text)
	}
	return b.String()
}

// plainAddress is an address as addValue counts it, and other text as it is.
func plainAddress(text string) string {
	addr, ok := address(text)
	switch {
	case !ok:
		return text
	case addr.Unmap().Is4():
		return addr.Unmap().String()
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().Addr().String()
}

// mixText is the whole text as an operator writes it, as requests have it. What is
// constant in it says where the values end.
func (k KeyPart) mixText(text string) (string, error) {
	var pattern strings.Builder
	var groups []int // by part
	n := 0
	for _, part := range k.parts {
		if part.kind == keyConstant {
			pattern.WriteString(regexp.QuoteMeta(part.name))
		} else {
			pattern.WriteString("(.+?)")
			n++
		}
		groups = append(groups, n)
	}
	whole, err := regexp.Compile("(?s)^" + pattern.String() + "$")
	if err != nil { // of text that is not UTF-8, or very long
		return "", fmt.Errorf("key %s: %w", k, err)
	}
	found := whole.FindStringSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("key %s: write the whole text, with what is constant in it", k)
	}
	return k.mix(func(i int) string { return k.parts[i].plainText(found[groups[i]]) }), nil
}

// plainText is the plain value of what an operator writes.
func (k KeyPart) plainText(text string) string {
	if k.kind != keyHost {
		return k.plain(text)
	}
	if host := target.Lenient(target.Input{Host: text}).Host; host != "" {
		return host
	}
	return strings.ToLower(text) // an IPv6 address without its brackets
}
