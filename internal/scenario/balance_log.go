package scenario

import (
	"context"
	"maps"

	"wsrig/internal/result"
	"wsrig/internal/wire"
	"wsrig/testbed"
)

// balanceLog is what a trial notes on the way for the judgement of its balance.
type balanceLog struct {
	phases []balancePhase
	since  string          // verb of the last fault since the last connect
	fresh  int             // number of the first client that the proxy has counted; see balancePhase
	down   map[string]bool // nodes that are killed or frozen
	healed bool            // a node was down before
	joined []string        // nodes added since the last connect
}

// balancePhase is a connect step and what was done to the testbed since the one
// before it.
type balancePhase struct {
	name     string // one of result.Phases
	step     int
	first    int      // number of its first client
	clients  int      // how many
	sources  []string // addresses that they take in turn, by number; nil is one
	began    int64    // wire time
	declared testbed.Balance
	// counted is the number of the first client that the proxy may know of: a reload
	// or a restart gives it processes that begin to count at nothing.
	counted   int
	down      []string
	healed    bool
	joined    []string
	processes []result.ProcessOpen
}

// noteFault notes what a fault that was done means for the balance. Those of one step
// may be done at the same time.
func (t *trial) noteFault(verb, unit string, thawed bool) {
	t.marking.Lock()
	defer t.marking.Unlock()
	l := &t.balance
	if l.down == nil {
		l.down = map[string]bool{}
	}
	l.since = verb
	switch {
	case verb == Add: // which reloads the proxy
		l.joined = append(l.joined, unit)
		l.fresh = t.clients
	case unit == "proxy" && (verb == Reload || verb == Restart || verb == Kill):
		l.fresh = t.clients
	case !isNodeName(unit):
	case lasts(verb) && thawed:
		l.healed = true
	case verb == Kill || lasts(verb):
		l.down[unit] = true
	case verb == Continue || verb == Restart || verb == Reconnect:
		l.healed = l.healed || l.down[unit]
		delete(l.down, unit)
	}
}

// beginPhase notes how things stand when the clients of a connect step come.
func (t *trial) beginPhase(s *Connect, sources []string) error {
	l := &t.balance
	declared, err := t.tb.Balance(s.Path)
	if err != nil {
		return err
	}
	p := balancePhase{
		name: l.since, step: t.step, first: t.clients, clients: int(s.Clients), sources: sources, began: wire.Now(),
		declared: declared, counted: l.fresh, healed: l.healed, joined: l.joined,
	}
	switch {
	case len(l.phases) == 0:
		p.name = "start"
	case p.name == "":
		p.name = "more"
	}
	for node := range maps.Keys(l.down) {
		p.down = append(p.down, node)
	}
	l.phases = append(l.phases, p)
	l.since, l.joined = "", nil
	return nil
}

// endPhase counts the connections of the proxy's processes.
func (t *trial) endPhase(ctx context.Context) error {
	if t.tb.Offline(testbed.ProxyName(0)) {
		return nil
	}
	workers, err := t.tb.WorkerProcesses(ctx)
	if err != nil {
		return err
	}
	p := &t.balance.phases[len(t.balance.phases)-1]
	for _, w := range workers {
		p.processes = append(p.processes, result.ProcessOpen{PID: w.PID, Old: w.Old, Open: w.Open})
	}
	return nil
}
