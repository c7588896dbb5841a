package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// maxExpansions is how many servers one entry with enumerated variables may
// stand for.
const maxExpansions = 64

// expandServers turns the entries of a `servers` array into hosts and base paths.
// An entry that cannot be used is a Problem and the others stay in force.
func expandServers(where string, entries openapi3.Servers) ([]Server, []Problem) {
	var servers []Server
	var problems []Problem
	known := make(map[Server]bool)
	for i, entry := range entries {
		at := fmt.Sprintf("%s/servers/%d", where, i)
		if entry == nil {
			problems = append(problems, Problem{Where: at, Reason: "the entry is null"})
			continue
		}
		urls, err := expandURL(entry)
		if err != nil {
			problems = append(problems, Problem{Where: at, Reason: err.Error()})
			continue
		}
		for _, u := range urls {
			s, err := u.server()
			if err != nil {
				problems = append(problems, Problem{Where: at, Reason: err.Error()})
				continue
			}
			if !known[s] {
				known[s] = true
				servers = append(servers, s)
			}
		}
	}
	return servers, problems
}

// serverURL is a server's URL with its enumerated variables filled in: literals
// and the variables that remain, in turn.
type serverURL []urlPart

type urlPart struct {
	literal  string
	variable string // name; the literal is empty
	fallback string // the variable's default
}

func expandURL(entry *openapi3.Server) ([]serverURL, error) {
	expanded := []serverURL{nil}
	add := func(p urlPart) {
		for i := range expanded {
			expanded[i] = append(expanded[i], p)
		}
	}
	for rest := entry.URL; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			add(urlPart{literal: before})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed || name == "" {
			return nil, fmt.Errorf("the URL %q has a brace without its partner", entry.URL)
		}
		rest = tail
		variable := entry.Variables[name]
		switch {
		case variable == nil:
			add(urlPart{variable: name})
		case len(variable.Enum) == 0:
			// A default with a delimiter cannot stand for one segment or label.
			if strings.ContainsAny(variable.Default, "/:?#") {
				add(urlPart{literal: variable.Default})
			} else {
				add(urlPart{variable: name, fallback: variable.Default})
			}
		default:
			if len(expanded)*len(variable.Enum) > maxExpansions {
				return nil, fmt.Errorf("the URL %q stands for more than %d servers; enumerate fewer values or name the hosts and the path in the configuration", entry.URL, maxExpansions)
			}
			next := make([]serverURL, 0, len(expanded)*len(variable.Enum))
			for _, u := range expanded {
				for _, value := range variable.Enum {
					next = append(next, append(slices.Clip(slices.Clone(u)), urlPart{literal: value}))
				}
			}
			expanded = next
		}
	}
	return expanded, nil
}

// Marks of a variable that remains in the text being cut. A document cannot
// bring them in: literals, names and defaults with control characters are refused first.
const (
	markOpen  = '\x01'
	markClose = '\x02'
)

func (u serverURL) server() (Server, error) {
	var b strings.Builder
	fallbacks := make(map[string]string)
	for _, p := range u {
		if p.variable == "" {
			if strings.ContainsFunc(p.literal, isControl) {
				return Server{}, errors.New("the URL has a control character")
			}
			b.WriteString(p.literal)
			continue
		}
		// A delimiter in the name would be taken for one of the URL's own.
		if strings.ContainsAny(p.variable, "/?#") || strings.ContainsFunc(p.variable, isControl) {
			return Server{}, fmt.Errorf("the variable %q has a name that cannot stand in a URL: give it one without /, ? and #", p.variable)
		}
		if strings.ContainsFunc(p.fallback, isControl) {
			return Server{}, fmt.Errorf("the default of the variable {%s} has a control character", p.variable)
		}
		fallbacks[p.variable] = p.fallback
		b.WriteByte(markOpen)
		b.WriteString(p.variable)
		b.WriteByte(markClose)
	}
	text := b.String()
	if i := strings.IndexAny(text, "?#"); i >= 0 {
		text = text[:i]
	}
	authority, path, err := splitURL(text, fallbacks)
	if err != nil {
		return Server{}, err
	}
	var s Server
	if authority != "" {
		if s.Host, err = serverHost(authority, fallbacks); err != nil {
			return Server{}, err
		}
	}
	s.Base, err = serverBase(path, fallbacks)
	return s, err
}

// splitURL drops the scheme. A URL that begins with a variable which is no
// scheme ("{server}/v1") has it filled with its default.
func splitURL(text string, fallbacks map[string]string) (authority, path string, err error) {
	if _, after, ok := strings.Cut(text, "://"); ok {
		text = after
	} else if strings.HasPrefix(text, "//") {
		text = text[2:]
	} else if text != "" && text[0] == markOpen {
		i := strings.IndexByte(text, markClose)
		fallback := fallbacks[text[1:i]]
		if fallback == "" {
			return "", "", fmt.Errorf("the variable {%s} begins the URL and has no default", text[1:i])
		}
		return splitURL(fallback+text[i+1:], fallbacks)
	} else {
		// Relative to the document's own place, which we take for the root.
		if rest, ok := strings.CutPrefix(text, "./"); ok || text == "." {
			return "", "/" + strings.TrimPrefix(rest, "."), nil
		}
		if !strings.HasPrefix(text, "/") {
			text = "/" + text
		}
		return "", text, nil
	}
	i := strings.IndexByte(text, '/')
	if i < 0 {
		i = len(text)
	}
	if i == 0 {
		return "", "", errors.New("the URL has no host")
	}
	return text[:i], text[i:], nil
}

func serverHost(authority string, fallbacks map[string]string) (string, error) {
	if strings.IndexByte(authority, '@') >= 0 {
		return "", errors.New("the URL has a user name")
	}
	// A port given by a variable says nothing about the host.
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && strings.IndexByte(authority[i:], markOpen) >= 0 {
		authority = authority[:i]
	}
	labels := strings.Split(authority, ".")
	for i, label := range labels {
		name, whole := wholeVariable(label)
		if whole && len(labels) > 1 && !strings.Contains(fallbacks[name], ".") {
			labels[i] = "*"
			continue
		}
		// A variable that is the whole host would declare every host there is.
		filled, err := fill(label, fallbacks)
		if err != nil {
			return "", err
		}
		labels[i] = filled
	}
	return CanonicalHost(strings.Join(labels, "."))
}

func serverBase(path string, fallbacks map[string]string) (string, error) {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "", nil
	}
	var b strings.Builder
	for segment := range strings.SplitSeq(path[1:], "/") {
		b.WriteByte('/')
		if name, whole := wholeVariable(segment); whole {
			b.WriteString("{" + name + "}")
			continue
		}
		filled, err := fill(segment, fallbacks)
		if err != nil {
			return "", err
		}
		literal, err := CanonicalSegment(filled)
		if err != nil {
			return "", err
		}
		if literal == "" || literal == "." || literal == ".." {
			return "", errors.New("the URL's path has an empty segment or a dot segment, which no canonical request has")
		}
		b.WriteString(literal)
	}
	return b.String(), nil
}

func wholeVariable(text string) (name string, ok bool) {
	if len(text) < 3 || text[0] != markOpen || strings.IndexByte(text, markClose) != len(text)-1 {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// fill replaces the variables of a text by their defaults.
func fill(text string, fallbacks map[string]string) (string, error) {
	for {
		open := strings.IndexByte(text, markOpen)
		if open < 0 {
			return text, nil
		}
		length := strings.IndexByte(text[open:], markClose)
		if length < 0 {
			return "", errors.New("a variable has its end in another part of the URL")
		}
		end := open + length
		name := text[open+1 : end]
		if fallbacks[name] == "" {
			return "", fmt.Errorf("the variable {%s} fills a part of the URL and has neither enum nor default", name)
		}
		text = text[:open] + fallbacks[name] + text[end+1:]
	}
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
