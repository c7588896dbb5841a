package inventory

import "encoding/json"

// bucketLearned is what samples show, by the id of the route.
const bucketLearned = "learned"

func (inv *Inventory) saveLearned(all bool, put func(key, value []byte)) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	for id, d := range inv.learned {
		if all || d.unsaved {
			d.unsaved = false
			put(id[:], saved(d))
		}
	}
}

func (inv *Inventory) loadLearned(key, value []byte) error {
	d := new(learned)
	if err := json.Unmarshal(value, d); err != nil {
		return err
	}
	if len(key) != len(routeID{}) {
		return errKey
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if id := routeID(key); inv.learned[id] == nil && len(inv.learned) < maxLearned {
		inv.learned[id] = d
		inv.nodes += d.nodes()
	}
	return nil
}

// unlearn forgets what samples of a route showed.
func (inv *Inventory) unlearn(id routeID) {
	if d := inv.learned[id]; d != nil {
		inv.nodes -= d.nodes()
		delete(inv.learned, id)
		inv.remove(bucketLearned, id[:])
	}
}
