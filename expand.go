package apiguard

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/apiguard/caddy-api-guard/inventory/spec/remote"
)

// globalPlaceholder is one whose value stands when the configuration is loaded.
// Those of requests, in the keys of limits and in consumers, are left alone.
var globalPlaceholder = regexp.MustCompile(`\{(?:env|file)\.[^{}]+\}`)

// expansion is a placeholder that was replaced by its value.
type expansion struct{ placeholder, value string }

// expand puts the values of {env.*} and {file.*} into every text of the
// configuration, but for what requests expand (keys, consumers), formats, and the
// cluster, which keeps its placeholders and expands them when it connects.
func (app *App) expand() error {
	replacer := caddy.NewReplacer()
	return eachText(reflect.ValueOf(app).Elem(), "", func(at string, text reflect.Value) error {
		was := text.String()
		if !globalPlaceholder.MatchString(was) {
			return nil
		}
		var err error
		now := globalPlaceholder.ReplaceAllStringFunc(was, func(placeholder string) string {
			value, failed := replacer.ReplaceOrErr(placeholder, true, true)
			if failed != nil && err == nil {
				err = wrong(at, "", "%s has no value: set it before Caddy starts", placeholder)
			}
			app.expanded = append(app.expanded, expansion{placeholder, value})
			return value
		})
		if err != nil {
			return err
		}
		if i := strings.IndexByte(was, '{'); strings.Contains(at, ".spec[") && (filepath.IsAbs(now[i:]) || remote.IsURL(now[i:])) && !remote.IsURL(was) {
			// The adapter has put the Caddyfile's folder before it.
			now = now[i:]
		}
		text.SetString(now)
		return nil
	})
}

// eachText visits the texts of a configuration, each with its JSON path.
func eachText(v reflect.Value, at string, visit func(string, reflect.Value) error) error {
	switch v.Kind() {
	case reflect.String:
		return visit(at, v)
	case reflect.Pointer:
		if !v.IsNil() {
			return eachText(v.Elem(), at, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := eachText(v.Index(i), fmt.Sprintf("%s[%d]", at, i), visit); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case !field.IsExported(), slices.Contains([]string{"key", "consumers", "cluster", "source"}, name):
				continue
			case name == "" && field.Anonymous: // its fields stand beside the others
				if err := eachText(v.Field(i), at, visit); err != nil {
					return err
				}
				continue
			}
			if err := eachText(v.Field(i), join(at, name), visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// conceal is an error without the values that placeholders had: they may be secrets.
func (app *App) conceal(err error) error {
	if err == nil {
		return nil
	}
	text := app.concealed(err.Error())
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// concealed is a text without them.
func (app *App) concealed(text string) string {
	for _, e := range app.expanded {
		text = strings.ReplaceAll(text, `"`+e.value+`"`, `"`+e.placeholder+`"`)
		if len(e.value) > 2 { // a shorter one is part of too much else
			text = strings.ReplaceAll(text, e.value, e.placeholder)
		}
	}
	return text
}
