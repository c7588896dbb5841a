package inventory

import (
	"encoding/json"
	"maps"
	"slices"
)

// Buckets of templates. Their keys are hashes of the scope and the template.
const (
	bucketFolds = "folds"
	bucketPins  = "pins"
)

// savedTemplate is a fold or a pin as the store has it.
type savedTemplate struct {
	API     string   `json:"api,omitempty"`
	Version string   `json:"version,omitempty"`
	Host    string   `json:"host,omitempty"`
	Path    string   `json:"path"`
	Names   bool     `json:"names,omitempty"`
	Keep    []string `json:"keep,omitempty"`
}

func pinKey(sc scope, path string) []byte {
	k := routeKey{api: sc.api, version: sc.version, host: sc.host, path: path}
	id := k.id()
	return id[:]
}

func (s *savedTemplate) scope() scope { return scope{s.API, s.Version, s.Host} }

func (inv *Inventory) saveFolds(all bool, put func(key, value []byte)) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for sc, folds := range inv.templates.folds {
		for path, f := range folds {
			if all || f.unsaved {
				f.unsaved = false
				put(pinKey(sc, path), saved(savedTemplate{sc.api, sc.version, sc.host, path, f.names, slices.Sorted(maps.Keys(f.keep))}))
			}
		}
	}
}

func (inv *Inventory) loadFold(key, value []byte) error {
	s, err := loadTemplate(key, value)
	if err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	t := &inv.templates
	if t.folds[s.scope()] == nil {
		t.folds[s.scope()] = make(map[string]*fold)
	}
	if t.folds[s.scope()][s.Path] != nil || t.count >= maxFolds {
		return nil
	}
	f := &fold{names: s.Names, keep: make(map[string]bool, len(s.Keep))}
	for _, name := range s.Keep[:min(len(s.Keep), maxKept)] {
		f.keep[name] = true
	}
	t.folds[s.scope()][s.Path] = f
	t.count++
	return nil
}

func (inv *Inventory) savePins(all bool, put func(key, value []byte)) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for sc, pins := range inv.templates.pins {
		for _, p := range pins {
			if all || p.unsaved {
				p.unsaved = false
				put(pinKey(sc, p.path), saved(savedTemplate{API: sc.api, Version: sc.version, Host: sc.host, Path: p.path}))
			}
		}
	}
}

func (inv *Inventory) loadPin(key, value []byte) error {
	s, err := loadTemplate(key, value)
	if err != nil {
		return err
	}
	if err := checkPin(s.Path, s.Path); err != nil {
		return err
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	t := &inv.templates
	if !t.isPin(s.scope(), s.Path) && t.pinCount() < maxPins {
		t.pins[s.scope()] = append(t.pins[s.scope()], &pin{path: s.Path})
	}
	return nil
}

func loadTemplate(key, value []byte) (*savedTemplate, error) {
	var s savedTemplate
	if err := json.Unmarshal(value, &s); err != nil {
		return nil, err
	}
	if string(pinKey(s.scope(), s.Path)) != string(key) {
		return nil, errKey
	}
	return &s, nil
}
