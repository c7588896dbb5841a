// Package ratelimit decides how often a client may do something. It knows
// nothing of HTTP servers, APIs or configuration files: a caller names a [Limit],
// builds a [Key] for who is asking, and calls [Table.Take].
//
//	reset := &ratelimit.Limit{
//		Name: "password_reset", Space: ratelimit.SpaceOf("accounts", "password_reset"),
//		Rate: 5, Window: time.Minute,
//	}
//	table := ratelimit.NewTable(ratelimit.TableConfig{})
//	key := table.Key(reset.Space)
//	key.Addr(client)
//	var out [1]ratelimit.Decision
//	admitted := table.Take([]ratelimit.Charge{{Limit: reset, Key: key.Sum(), Cost: 1}}, out[:])
//
// # What it promises
//
//   - A [Window] limit of N per W admits at most N in any interval of length W,
//     wherever it starts; a [Bucket] limit admits at most Burst + Rate·d/W in any
//     interval of length d.
//   - Several charges of one call are taken all or none, also when other calls
//     want the same cells, and also when two of them name the same cell.
//   - A refusal changes nothing: not the cell that refuses, and no other. It may
//     begin a penalty, where the limit has one.
//   - What is known only later (failures) is held meanwhile as if it counted, and
//     settled by [Table.Settle]; nothing is ever given back.
//   - Memory is fixed when the table is made. Nothing sweeps it: a cell whose
//     debt has run out is free, and says so itself.
//   - What a full table forgets is counted ([Stats.EvictedDebt]), and it is the
//     client with the least to forget, never one that is at its limit while any
//     other could go. A debt that takes a whole slot looks for the slot of which the
//     larger debt is the least, and so spares whoever is at its limit as long as there
//     is a slot without such a client. Limits that say Protect are never forgotten.
//   - Whatever cannot be represented errs towards refusing: merged hashes, clocks
//     that step back, limits that were never validated.
//
// # How it is kept
//
// The table is set-associative: a keyed hash of the client picks one set of eight
// slots, which are cache lines. Three bits of the hash name the one where the client
// most likely is, its home, so that a decision asks for one line of each of its limits,
// of all at once, and waits for memory about once. Mutexes are shared by sets, few enough
// to stay in the processor's cache.
//
// A window is sixteen counters over sub-windows of W/15: the running one and fifteen whole
// ones, so that everything younger than W is counted, and an event is forgotten at most
// W/15 late. As long as they add up to at most 255 they have 8 bits each, and two such
// cells share a slot; whoever uses more has a slot to himself, with 24 bits. A bucket
// is a theoretical arrival time (GCRA) kept exactly, as nanoseconds and a fraction, and
// has a slot to itself, as a quota.
package ratelimit
