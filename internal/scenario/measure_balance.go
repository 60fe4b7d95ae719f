package scenario

import (
	"math"
	"slices"
	"strconv"

	"wsrig/internal/result"
	"wsrig/loadgen"
	"wsrig/testbed"
)

// measureBalance judges the phases and sums them up.
func (t *trial) measureBalance() {
	clients := byNumber(t.closes)
	back := comebacks{}
	for _, p := range t.balance.phases {
		b := t.judgePhase(p, clients, back)
		t.result.Balance = append(t.result.Balance, b)
		t.setBalance(b.Phase, b)
	}
	t.sumBalance()
}

// byNumber finds the clients that had a 101 by their number.
func byNumber(closes []loadgen.Close) map[int]*loadgen.Close {
	clients := make(map[int]*loadgen.Close, len(closes))
	for i := range closes {
		if n, err := strconv.Atoi(closes[i].Client[1:]); err == nil {
			clients[n] = &closes[i]
		}
	}
	return clients
}

// judgePhase counts a phase's new clients and judges them.
func (t *trial) judgePhase(p balancePhase, clients map[int]*loadgen.Close, back comebacks) result.Balance {
	b := result.Balance{
		Phase: p.name, Step: p.step, Algorithm: p.declared.Algorithm, Where: p.declared.Where, Weights: p.declared.Weights,
		New: map[string]int{}, Open: map[string]int{}, Processes: p.processes,
	}
	if i := slices.IndexFunc(t.views, func(v result.View) bool { return v.Step == p.step }); i >= 0 {
		b.Open = t.views[i].Node
	}
	a := arrivals{
		declared: p.declared, fresh: b.New, known: map[string]int{}, keys: map[string]string{},
		down: p.down, healed: p.healed, foreign: len(t.cell.Testbed.NodeCmd) > 0,
	}
	slices.Sort(a.down)
	for _, w := range p.processes {
		if !w.Old {
			a.workers++
		}
	}
	for n := p.counted; n < p.first; n++ {
		if c := clients[n]; c != nil && (c.Kind == loadgen.EndOpen || c.EndedAt > p.began) {
			a.known[c.Node]++
		}
	}
	arrived := back.begin(p)
	for n := p.first; n < p.first+p.clients; n++ {
		c := clients[n]
		if c == nil {
			continue // its handshake failed, which handshake.failed counts
		}
		if c.Node == "" {
			a.unnamed++
			continue
		}
		b.New[c.Node]++
		arrived.add(sourceKey(n, p.sources, keyBits(p.declared)), c.Node)
	}
	b.Known, b.Moved, b.Stray = arrived.known, arrived.moved, arrived.stray
	a.keys, a.split, a.stray = arrived.node, arrived.split, arrived.stray
	arrived.end()
	a.judge(&b)
	return b
}

// keyBits is how much of an address tells a returning client: all of it, where the
// proxy does not hash addresses.
func keyBits(b testbed.Balance) int {
	if b.KeyBits == 0 {
		return 32
	}
	return b.KeyBits
}

// comebacks are the nodes that each source address has been on.
type comebacks map[string]*comeback

type comeback struct {
	latest string
	nodes  []string
	joined int // how many nodes had been added when it was last here
}

// arriving is one phase's part of comebacks.
type arriving struct {
	phase               balancePhase
	before              comebacks
	node                map[string]string // of each key, its first client's in this phase
	split               bool
	known, moved, stray int
}

func (c comebacks) begin(p balancePhase) *arriving {
	return &arriving{phase: p, before: c, node: map[string]string{}}
}

// add takes in one client that came to a node. It is a stray where hashing would have
// kept it: its address has been on other nodes only, and this one is not new. Without
// a ring, a new node changes the place of any address.
func (a *arriving) add(key, node string) {
	if first, here := a.node[key]; !here {
		a.node[key] = node
	} else if first != node {
		a.split = true
	}
	earlier := a.before[key]
	if earlier == nil {
		return
	}
	a.known++
	if node == earlier.latest {
		return
	}
	a.moved++
	ring := a.phase.declared.RingPoints > 0
	grown := len(a.phase.declared.Weights) > earlier.joined
	explained := slices.Contains(earlier.nodes, node) || grown && (!ring || slices.Contains(a.phase.joined, node))
	if a.phase.declared.KeyBits > 0 && !explained {
		a.stray++
	}
}

// end remembers where this phase's addresses are. What went elsewhere because a node
// was down is not where it belongs.
func (a *arriving) end() {
	if len(a.phase.down) > 0 {
		return
	}
	for key, node := range a.node {
		c := a.before[key]
		if c == nil {
			c = &comeback{}
			a.before[key] = c
		}
		c.latest, c.joined = node, len(a.phase.declared.Weights)
		if !slices.Contains(c.nodes, node) {
			c.nodes = append(c.nodes, node)
		}
	}
}

// setBalance records the metrics of a phase.
func (t *trial) setBalance(phase string, b result.Balance) {
	set := func(name string, value float64, n int) { t.set(result.BalanceMetric(phase, name), value, int64(n)) }
	fresh, open := 0, 0
	for _, n := range b.New {
		fresh += n
	}
	for _, n := range b.Open {
		open += n
	}
	weights := b.Weights
	if len(weights) == 0 { // not told: equal ones
		weights = map[string]float64{}
		for node := range b.Open {
			weights[node] = 1
		}
	}
	if e, ok := evennessOf(b.Open, shares(weights)); ok {
		set("max_over_mean", e.most, open)
		set("min_over_mean", e.least, open)
		set("cv", e.cv, open)
		set("jain", e.jain, open)
	}
	// Where an algorithm does not look at addresses, coming back to one's node is chance.
	if b.Known > 0 && b.Algorithm == testbed.BalanceSourceHash {
		set("moved", float64(b.Moved)/float64(b.Known), b.Known)
	}
	if b.Expected != nil {
		set("deviation", b.Deviation, fresh)
	}
	if b.P != nil {
		set("p", *b.P, fresh)
	}
	if b.Fair != nil {
		set("fair", oneIf(*b.Fair), fresh)
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// sumBalance records what holds of the whole trial: evenness at its end, and of the
// rest the worst of its phases. It is unfair with one unfair phase, and otherwise not
// judged when a phase was not.
func (t *trial) sumBalance() {
	all := t.result.Balance
	if len(all) == 0 {
		return
	}
	whole := all[len(all)-1]
	whole.P, whole.Fair, whole.Known, whole.Moved, whole.Deviation, whole.Expected = nil, nil, 0, 0, 0, nil
	judged, fair := true, true
	for i := range all {
		b := &all[i]
		whole.Known += b.Known
		whole.Moved += b.Moved
		whole.Deviation = math.Max(whole.Deviation, b.Deviation)
		if b.Expected != nil {
			whole.Expected = b.Expected
		}
		if b.P != nil && (whole.P == nil || *b.P < *whole.P) {
			whole.P = b.P
		}
		judged = judged && b.Fair != nil
		fair = fair && (b.Fair == nil || *b.Fair)
	}
	if judged || !fair {
		whole.Fair = &fair
	}
	t.setBalance("", whole)
}
