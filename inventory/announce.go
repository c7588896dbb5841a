package inventory

import "time"

// announceRoute queues what the feed should say after an observation of e. before
// is its evidence until then, known says that it was announced then. Refused and
// scanned routes are not announced: they are what any name on the internet gets,
// and the hourly record of the host sums them up.
func (inv *Inventory) announceRoute(e *entry, before rank, known bool, now time.Time) {
	if e == inv.overflow || e.covered || e.seen.best < rankProbable {
		return
	}
	better := e.rank() > before
	kind := EventRoute
	switch {
	case !known:
		if !better {
			return
		}
	case better:
		kind = EventState
	case !powerOfTen(e.seen.count()):
		return
	}
	l := lens{inv: inv, now: now}
	v := l.look(e)
	inv.outbox = append(inv.outbox, pending{
		event: Event{
			Event: kind, Time: Time{now.UTC()},
			API: e.key.api, Version: e.key.version, Host: e.key.host, Method: e.key.method, Path: e.key.path,
			State: string(v.state), Evidence: evidenceOf[v.best], Reasons: l.reasons(&v), Count: v.count,
		},
		urgent: better && e.rank() == rankConfirmed,
	})
}

func (inv *Inventory) announceHost(h *hostRecord, n uint64, now time.Time) {
	inv.outbox = append(inv.outbox, pending{event: Event{
		Event: EventHost, Time: Time{now.UTC()}, Host: h.name,
		State: string(StateShadow), Evidence: evidenceOf[h.seen.best], Reasons: []string{ReasonHost}, Count: n,
	}})
}

func (inv *Inventory) announceScan(h *hostRecord, n uint64, now time.Time) {
	inv.outbox = append(inv.outbox, pending{event: Event{
		Event: EventScan, Time: Time{now.UTC()}, Host: h.name,
		Evidence: EvidenceScan, Reasons: []string{}, Count: n,
	}})
}

// watchDates announces versions whose state is another than at the last look:
// their date has come, or a configuration gave them another one. The first look
// at a version only remembers.
func (inv *Inventory) watchDates(now time.Time) {
	if inv.active == nil {
		return
	}
	for _, api := range inv.active.cat.APIs {
		for _, version := range api.Versions {
			state := version.StateAt(now).String()
			record := inv.version(versionKey{api.Name, version.Name})
			before := record.state
			record.state = state
			if before == "" || before == state {
				continue
			}
			inv.outbox = append(inv.outbox, pending{event: Event{
				Event: EventState, Time: Time{now.UTC()}, API: api.Name, Version: version.Name,
				State: state, Evidence: EvidenceNone, Reasons: []string{"was-" + before}, Count: record.seen.count(),
			}})
		}
	}
}
