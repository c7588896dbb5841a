package caddytest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// guardBlocks are the blocks of the global option, by their name, with what stands around
// a line of theirs.
var guardBlocks = map[string]string{
	"api_guard": "%s", "inventory": "inventory {\n%s\n}", "cluster": "cluster redis://127.0.0.1 {\n%s\n}",
	"integration": "integration a {\n%s\n}", "passthrough": "passthrough a {\n%s\n}",
	"policy": "policy {\n%s\n}", "request": "policy {\nrequest enforce {\n%s\n}\n}", "response": "policy {\nresponse monitor {\n%s\n}\n}",
	"limit": "policy {\nlimit a {\n%s\n}\n}", "api": "api a {\n%s\n}", "version": "api a {\nversion a {\n%s\n}\n}",
	"exception": "api a {\nversion a {\nexception a {\n%s\n}\n}\n}",
}

// unrecognized is what the parser says of a line that a block does not have, before it
// lists the options that it has, and the list.
func unrecognized(t *testing.T, block, line string) (says string, options []string) {
	t.Helper()
	text := "{\napi_guard {\n" + fmt.Sprintf(guardBlocks[block], line) + "\n}\n}\n"
	_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err == nil {
		t.Fatalf("%s is taken by %s", line, text)
	}
	says, list, ok := strings.Cut(err.Error(), ": there are ")
	if !ok {
		t.Fatalf("%s: %v", text, err)
	}
	list, _, _ = strings.Cut(list, ", at ")
	return says, strings.Split(list, ", ")
}

// Whoever writes an option where it is none is told where it belongs, and all places
// of it: the list is held against what each block really takes.
func TestAnOptionInAWrongPlaceIsToldWhereItBelongs(t *testing.T) {
	t.Parallel()
	takes := map[string][]string{} // an option's blocks
	of := map[string][]string{}
	for _, block := range slices.Sorted(maps.Keys(guardBlocks)) {
		says, options := unrecognized(t, block, "nonsense")
		if strings.Contains(says, "belongs") || strings.Contains(says, "mean") {
			t.Errorf("nonsense belongs nowhere, and is like nothing: %s", says)
		}
		of[block] = options
		for _, option := range options {
			takes[option] = append(takes[option], block)
		}
	}
	if len(takes) < 60 {
		t.Fatalf("only %d options were found", len(takes))
	}
	for option, right := range takes {
		for block := range guardBlocks {
			if slices.Contains(of[block], option) {
				continue
			}
			says, _ := unrecognized(t, block, option)
			_, list, ok := strings.Cut(says, fmt.Sprintf("%q, which belongs into ", option))
			told := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
			told = slices.DeleteFunc(told, func(word string) bool { return word == "or" })
			slices.Sort(told)
			if !ok || !slices.Equal(told, right) {
				t.Errorf("%s in %s: told %q, it is one of %q", option, block, says, right)
			}
		}
	}
}

// A typing error is told what it is nearly: a letter twice, one left out, - for _.
func TestAMisspeltOptionIsToldTheNearest(t *testing.T) {
	t.Parallel()
	for block := range guardBlocks {
		_, options := unrecognized(t, block, "nonsense")
		for _, option := range options {
			for _, typed := range []string{option[:2] + option[1:], option[:len(option)-1], strings.ToUpper(option), strings.ReplaceAll(option, "_", "-")} {
				if slices.Contains(options, typed) {
					continue
				}
				says, _ := unrecognized(t, block, typed)
				if strings.Contains(says, ", which belongs into ") {
					continue // consumer is an option of another block
				}
				if !strings.HasSuffix(says, fmt.Sprintf("%q (did you mean %s?)", typed, option)) {
					t.Errorf("%s for %s in %s: told %q", typed, option, block, says)
				}
			}
		}
	}
}

// A host that nobody declared belongs to no API, and so does the rule about it.
func TestTheRuleAboutUnknownHostsIsNoOptionOfAnAPI(t *testing.T) {
	t.Parallel()
	for _, block := range []string{"api", "version"} {
		says, options := unrecognized(t, block, "unknown_host enforce")
		if slices.Contains(options, "unknown_host") || !slices.Contains(options, "unknown_route") || !strings.HasSuffix(says, "which belongs into policy") {
			t.Errorf("in %s: %s: there are %q", block, says, options)
		}
	}
	if _, options := unrecognized(t, "policy", "nonsense"); !slices.Contains(options, "unknown_host") {
		t.Errorf("policy has %q", options)
	}
}
