package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// CanonicalHost is a declared host name as requests are compared with it: lower
// case, without scheme, port, brackets and final dot. A label may be "*". Labels that
// are not ASCII become what browsers send of them (UTS 46): "bücher" is
// "xn--bcher-kva". An invalid name is an error that says what is wrong with it.
func CanonicalHost(declared string) (string, error) {
	name := declared
	if _, after, ok := strings.Cut(name, "://"); ok {
		name = strings.TrimSuffix(after, "/")
	}
	name, err := stripPort(name)
	if err != nil {
		return "", fmt.Errorf("reading host %q: %w", declared, err)
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" {
			return "", fmt.Errorf("reading host %q: an address with a zone is no host of a public request", declared)
		}
		return addr.String(), nil
	}
	if name, err = asciiName(name); err != nil {
		return "", fmt.Errorf("reading host %q: %w", declared, err)
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("reading host %q: %w", declared, err)
	}
	return name, nil
}

func stripPort(name string) (string, error) {
	port := ""
	switch {
	case strings.HasPrefix(name, "["):
		inner, after, ok := strings.Cut(name[1:], "]")
		if !ok {
			return "", errors.New("the bracket is not closed")
		}
		if addr, err := netip.ParseAddr(inner); err != nil || !addr.Is6() {
			return "", errors.New("only an IPv6 address stands in brackets")
		}
		if after != "" && after[0] != ':' {
			return "", errors.New("only a port may follow the bracket")
		}
		name, port = inner, after
	case strings.Count(name, ":") == 1:
		i := strings.IndexByte(name, ':')
		name, port = name[:i], name[i:]
	}
	if port != "" {
		if strings.Contains(port, "/") {
			return "", errors.New("it is more than a name: leave out the path, which the option path has")
		}
		if n, err := strconv.ParseUint(port[1:], 10, 16); err != nil || n == 0 {
			return "", errors.New("the port is not a number from 1 to 65535")
		}
	}
	return name, nil
}

// asciiName writes the labels that are not ASCII in their xn-- form. The others are
// left to [checkName], which lets more pass than IDNA does.
func asciiName(name string) (string, error) {
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if strings.IndexFunc(label, func(r rune) bool { return r >= 0x80 }) < 0 {
			continue
		}
		ascii, err := idna.Lookup.ToASCII(label)
		if !utf8.ValidString(label) {
			err = errors.New("it is not UTF-8")
		}
		if err != nil {
			return "", fmt.Errorf("%q is no label of an international name (%w); write the xn-- form", label, err)
		}
		labels[i] = ascii
	}
	return strings.Join(labels, "."), nil
}

// checkName applies the limits of RFC 1035 2.3.4. Underscores pass: they are no
// host name of RFC 952, but people use them.
func checkName(name string) error {
	if name == "" {
		return errors.New("it is empty")
	}
	if len(name) > 253 {
		return errors.New("it is longer than 253 characters")
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return errors.New("it has an empty label")
		case len(label) > 63:
			return errors.New("it has a label of more than 63 characters")
		case label == "*":
			continue
		}
		for i := range len(label) {
			c := label[i]
			if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
				continue
			}
			return fmt.Errorf("%q is not allowed in a host name: write names such as api.example.com or *.example.com alone, with blanks between them, and what comes behind a slash as path", string(rune(c)))
		}
	}
	return nil
}
