package policy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apiguard/caddy-api-guard/inventory/catalogue"
	"github.com/apiguard/caddy-api-guard/inventory/spec"
	"github.com/apiguard/caddy-api-guard/ratelimit"
)

// costExtension is what an operation costs of every limit that does not say a cost
// of its own.
const costExtension = "x-api-guard-cost"

// operationCost is what operations cost that some document of an API names. The
// mask is a bit of catalogue.Match.Bound, as of a limit with operations, so that
// an operation costs the same in a version that does not document it.
type operationCost struct {
	mask uint64
	cost uint32
}

// costOf is what a request takes of the limit: what the limit says, else what the
// dearest operation says that it may be meant for, else 1.
func (b *bound) costOf(costs []operationCost, r *Request) uint32 {
	if b.cost != 0 {
		return b.cost
	}
	cost := uint32(1)
	for _, c := range costs {
		if r.Match.Bound&c.mask != 0 {
			cost = max(cost, c.cost)
		}
	}
	return cost
}

// costs binds the operations of an API's documents that have a cost.
func (bs *bindings) costs(api *catalogue.API, limits []bound) ([]operationCost, error) {
	operations := map[uint32][]string{}
	for _, v := range api.Versions {
		for _, d := range v.Documents {
			for _, op := range d.Operations {
				cost, problem := costOf(op)
				if problem != "" {
					bs.problems = append(bs.problems, catalogue.Problem{
						API: api.Name, Version: v.Name, Where: op.Method + " " + op.Template, Reason: problem,
					})
				}
				if cost > 1 {
					operations[cost] = append(operations[cost], op.Method+" "+op.Template)
				}
			}
		}
	}
	var out []operationCost
	for _, cost := range slices.Sorted(maps.Keys(operations)) {
		for i := range limits {
			b := &limits[i]
			if b.mask == 0 && b.cost == 0 && b.arithmetic.Algorithm != ratelimit.Concurrency && int(cost) > capacityOf(&b.arithmetic) {
				return nil, &catalogue.Error{API: api.Name, Limit: b.arithmetic.Name,
					Err: fmt.Errorf("operation %q has %s %d, and the limit holds %d: nobody could call it; lower the one or raise the other",
						operations[cost][0], costExtension, cost, capacityOf(&b.arithmetic))}
			}
		}
		refs := slices.Compact(slices.Sorted(slices.Values(operations[cost])))
		mask, err := bs.add(api, fmt.Sprintf("%s %d", costExtension, cost), refs)
		if err != nil {
			return nil, err
		}
		out = append(out, operationCost{mask: mask, cost: cost})
	}
	return out, nil
}

func capacityOf(l *ratelimit.Limit) int {
	if l.Burst != 0 {
		return l.Burst
	}
	return l.Rate
}

// costOf reads the extension; 0 when there is none.
func costOf(op *spec.Operation) (cost uint32, problem string) {
	value, ok := op.Op.Extensions[costExtension]
	if !ok {
		return 0, ""
	}
	var n float64
	switch value := value.(type) {
	case float64:
		n = value
	case int:
		n = float64(value)
	case int64:
		n = float64(value)
	case uint64:
		n = float64(value)
	}
	if n < 1 || n > ratelimit.MaxRate || n != float64(uint32(n)) {
		return 0, fmt.Sprintf("%s: write a whole number from 1 to %d; it costs 1 until then", costExtension, ratelimit.MaxRate)
	}
	return uint32(n), ""
}
