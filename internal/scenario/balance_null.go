package scenario

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wsrig/internal/result"
	"wsrig/testbed"
)

// leastP is the chance below which a spread is not put down to chance. One run in a
// thousand of a proxy that does nothing wrong is called unfair.
const leastP = 0.001

// leastExpected is how many each node must have to expect for the chi-square
// distribution to be near the truth (Cochran's rule).
const leastExpected = 5

// arrivals are the new clients of a phase and what the proxy could know when they came.
type arrivals struct {
	declared testbed.Balance
	fresh    map[string]int    // new clients by node
	known    map[string]int    // open clients that the proxy has counted, by node
	keys     map[string]string // for hashing: the node of each distinct key
	split    bool              // a key's clients went to more than one node
	stray    int               // clients that the algorithm would not have moved
	down     []string
	healed   bool
	foreign  bool // the nodes are of another make
	unnamed  int  // new clients whose node did not say which it is
	workers  int  // serving processes
}

func (a arrivals) total() int {
	n := 0
	for c := range maps.Values(a.fresh) {
		n += c
	}
	return n
}

// judge compares where new clients went with where the declared algorithm puts them,
// and fills in Null, Expected, Deviation, P, Fair and Why of b. The null hypothesis
// hangs on the algorithm:
//
//   - round robin: each node gets its share by weight of the clients that are new,
//     exactly. That the open ones stay as uneven as they were is no fault of it.
//   - least connections: the new clients level the counts that the serving processes
//     have, as far as they suffice. A node that was just restarted gets all of them.
//     After a reload those counts begin at nothing, so old clients do not count.
//   - random, hashing: the clients, or for hashing the distinct addresses, are drawn
//     from a multinomial distribution with the shares by weight, by Pearson's
//     chi-square. It is one-sided: more even than drawn, as by the better of two draws,
//     is no fault.
//   - consistent hashing: the ring's points are few and lie at random, so the shares
//     themselves are drawn: a Dirichlet-multinomial distribution with as many points
//     as the ring has, by which Pearson's statistic is (N+A)/(1+A) times as large for
//     N addresses and A points in all. An address that comes back goes where it was,
//     or to a node that is new.
//
// The exact ones have a tolerance of one connection, or of one round for a node whose
// weight is above the mean.
func (a arrivals) judge(b *result.Balance) {
	share := shares(a.declared.Weights)
	if why := a.unjudged(share); why != "" {
		b.Why = why
		b.Null = "none: " + why
		return
	}
	switch a.declared.Algorithm {
	case testbed.BalanceRoundRobin:
		b.Null = "each node gets its share by weight of the new clients, within one connection"
		b.Expected = inProportion(a.total(), share)
		a.exact(b, share)
	case testbed.BalanceLeastConn:
		b.Null = "the new clients level the connections that the proxy has counted, within one connection"
		b.Expected = levelled(a.known, a.total(), share)
		a.exact(b, share)
	case testbed.BalanceRandom:
		b.Null = "the new clients are drawn by weight: multinomial chi-square, or more even"
		b.Expected = inProportion(a.total(), share)
		a.drawn(b, a.fresh, "clients", share)
	case testbed.BalanceSourceHash:
		a.hashed(b, share)
	}
}

// stranger is a node that clients are on and the configuration does not have: nodes of
// another make may call themselves anything. "" if there is none.
func (a arrivals) stranger() string {
	if !a.foreign || len(a.declared.Weights) == 0 {
		return ""
	}
	for _, node := range slices.Sorted(maps.Keys(a.fresh)) {
		if _, known := a.declared.Weights[node]; !known {
			return node
		}
	}
	return ""
}

// unjudged says why no null hypothesis fits; "" if one does.
func (a arrivals) unjudged(share map[string]float64) string {
	d := a.declared
	switch {
	case a.unnamed > 0:
		return fmt.Sprintf("%d of the new clients do not know their node, which sent no X-Chat-Node", a.unnamed)
	case a.stranger() != "":
		return fmt.Sprintf("clients are on %q, which is no NODE_NAME that a node was given", a.stranger())
	case a.total() == 0:
		return "no new client connected"
	case len(a.down) > 0:
		return fmt.Sprintf("%s is down, and where its turns go hangs on health checks and retries", strings.Join(a.down, ", "))
	case d.SlowStart && a.healed:
		return "a node that was down has less than its weight while its slow start lasts"
	case d.Algorithm == testbed.BalanceURIHash:
		return "all clients of one path are one key: " + d.Why
	case d.Algorithm == testbed.BalanceUnknown:
		return d.Why
	case d.PerProcess && d.Algorithm == testbed.BalanceLeastConn && len(a.known) > 0:
		return "each serving process counts for itself, and what each has open is not known"
	case len(share) == 0:
		return "no node has a weight above 0"
	}
	return ""
}

// exact compares with Expected itself. Processes that choose each on their own may be
// off by one each.
func (a arrivals) exact(b *result.Balance, share map[string]float64) {
	processes := 1
	if a.declared.PerProcess {
		processes = max(1, a.workers)
		b.Null += fmt.Sprintf(" in each of %d processes", processes)
	}
	fair := true
	for _, node := range nodesOf(a.fresh, b.Expected) {
		off := math.Abs(float64(a.fresh[node]) - b.Expected[node])
		b.Deviation = max(b.Deviation, off)
		const rounding = 1e-9
		if tolerance := float64(processes) * max(1, share[node]*float64(len(share))); off > tolerance+rounding {
			fair = false
			b.Why = appended(b.Why, fmt.Sprintf("%s got %d, expected %s", node, a.fresh[node], result.Format(math.Round(b.Expected[node]*10)/10, "count")))
		}
	}
	b.Fair = &fair
}

// hashed judges distinct keys, not clients: those of one address are one draw.
func (a arrivals) hashed(b *result.Balance, share map[string]float64) {
	b.Null = fmt.Sprintf("the distinct source addresses (their first %d bits) are spread by weight: multinomial chi-square", a.declared.KeyBits)
	if a.declared.RingPoints > 0 {
		b.Null += fmt.Sprintf(", with the unevenness of a ring of %d points for each unit of weight", a.declared.RingPoints)
	}
	b.Null += "; an address comes back to its node"
	byNode := map[string]int{}
	for node := range maps.Values(a.keys) {
		byNode[node]++
	}
	// Expected is of clients, like what it is shown beside.
	b.Expected = inProportion(a.total(), share)
	a.drawn(b, byNode, "distinct source addresses", share)
	strayed := ""
	switch {
	case a.split:
		strayed = "clients of one address went to several nodes"
	case a.stray > 0:
		strayed = fmt.Sprintf("%d clients came back from an address that was on another node, which hashing does not explain", a.stray)
	}
	if strayed == "" {
		return
	}
	unfair := false
	b.Fair = &unfair
	b.Why = appended(b.Why, strayed)
}

// drawn judges draws, which are what the text says, by Pearson's chi-square. With too
// few draws nothing can be told. A draw on a node without a share cannot happen by
// chance.
func (a arrivals) drawn(b *result.Balance, byNode map[string]int, what string, share map[string]float64) {
	n := 0
	for c := range maps.Values(byNode) {
		n += c
	}
	for _, node := range nodesOf(a.fresh, b.Expected) {
		b.Deviation = max(b.Deviation, math.Abs(float64(a.fresh[node])-b.Expected[node]))
	}
	fair := true
	smallest := 1.0
	for s := range maps.Values(share) {
		smallest = min(smallest, s)
	}
	for _, node := range slices.Sorted(maps.Keys(byNode)) {
		if share[node] == 0 {
			fair = false
			b.Why = appended(b.Why, fmt.Sprintf("%s has no weight and got %d", node, byNode[node]))
		}
	}
	if need := int(math.Ceil(leastExpected / smallest)); fair && n < need {
		b.Why = fmt.Sprintf("too few %s to judge %d nodes by: %d, and it takes %d", what, len(share), n, need)
		return
	}
	x := 0.0
	for node, s := range share {
		off := float64(byNode[node]) - s*float64(n)
		x += off * off / (s * float64(n))
	}
	if a.declared.RingPoints > 0 {
		points := 0.0
		for w := range maps.Values(a.declared.Weights) {
			points += w * float64(a.declared.RingPoints)
		}
		x /= (float64(n) + points) / (1 + points)
	}
	p := 1.0
	if len(share) > 1 {
		p = chiSquareTail(x, len(share)-1)
	}
	b.P = &p
	if p < leastP {
		fair = false
		b.Why = appended(b.Why, fmt.Sprintf("so uneven a spread has a chance of %.2g", p))
	}
	b.Fair = &fair
}

// nodesOf are the nodes that either map has.
func nodesOf(counts map[string]int, expected map[string]float64) []string {
	set := map[string]bool{}
	for node := range counts {
		set[node] = true
	}
	for node := range expected {
		set[node] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func appended(text, more string) string {
	if text == "" {
		return more
	}
	return text + "; " + more
}
