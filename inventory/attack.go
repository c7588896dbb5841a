package inventory

import (
	"net/url"
	"strings"
)

// attackSigns are classes of what requests carry that looks for a weakness. A sign
// is no proof: texts about SQL have it too.
const numAttackSigns = 7

var attackNames = [numAttackSigns]string{
	"sql-injection", "cross-site-scripting", "path-traversal", "command-injection", "template-injection", "jndi-lookup", "header-injection",
}

// attackMarks are what gives an attack away, in lower case and decoded. All of the
// texts of a mark must be there.
var attackMarks = [numAttackSigns][][]string{
	{{"' or '"}, {"' or 1=1"}, {"\" or \"1\"=\"1"}, {" union select "}, {"union all select"}, {"; drop table"}, {"'; --"}, {"' --"}, {"sleep(", "'"}, {"pg_sleep("}, {"waitfor delay"}, {"information_schema."}, {"benchmark(", "md5("}, {"' and 1=1"}},
	{{"<script"}, {"javascript:", "("}, {"onerror="}, {"onload=", "<"}, {"<svg", "on"}, {"<iframe"}, {"document.cookie"}},
	{{"../../"}, {"..\\..\\"}, {"/etc/passwd"}, {"/proc/self/"}, {"c:\\windows\\"}, {"file:///"}},
	{{"; cat /"}, {"| cat /"}, {"$(", "curl "}, {"`", "wget "}, {"; wget "}, {"; curl "}, {"&& whoami"}, {"; id;"}, {"| nc "}, {"/bin/sh -"}, {"/bin/bash -"}, {"powershell -"}},
	{{"{{7*7}}"}, {"${7*7}"}, {"#{7*7}"}, {"<%= "}, {"{{config"}, {"{{self."}, {"__class__", "__mro__"}, {"t(java.lang."}},
	{{"${jndi:"}, {"${${", "jndi"}, {"${lower:", "jndi"}},
	{{"\r\nset-cookie:"}, {"\r\nlocation:"}, {"\r\n\r\n<"}},
}

// maxAttackText is how much of a text is looked at, in bytes.
const maxAttackText = 16 << 10

// signsIn are the signs in a text, a bit each.
func signsIn(text string) uint8 {
	text = text[:min(len(text), maxAttackText)]
	if !strings.ContainsAny(text, "'\"<>(){}$\\;|`/\n") {
		return 0
	}
	text = strings.ToLower(text)
	var signs uint8
	for i, marks := range attackMarks {
		for _, mark := range marks {
			all := true
			for _, part := range mark {
				all = all && strings.Contains(text, part)
			}
			if all {
				signs |= 1 << i
				break
			}
		}
	}
	return signs
}

// attackSigns are the signs in a sampled request.
func (s *Sample) attackSigns() uint8 {
	signs := signsIn(s.Path)
	if text, err := url.QueryUnescape(s.Query); err == nil {
		signs |= signsIn(text)
	}
	body := string(s.Request.Body[:min(len(s.Request.Body), maxAttackText)])
	if s.Request.MediaType == "application/x-www-form-urlencoded" {
		if text, err := url.QueryUnescape(body); err == nil {
			body = text
		}
	}
	return signs | signsIn(body)
}

func attackSigns(counts *[numAttackSigns]uint64) map[string]uint64 {
	m := make(map[string]uint64)
	for i, n := range counts {
		if n > 0 {
			m[attackNames[i]] = n
		}
	}
	return m
}
