package haproxy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wsrig/testbed"
)

// ringPoints is how many points a server has on the ring of "hash-type consistent"
// for each unit of its weight (BE_WEIGHT_SCALE of HAProxy's sources). With the
// default weight of 1 that makes shares which differ by a quarter of the mean.
const ringPoints = 16

// Balance tells how cfg chooses a server for path, by "balance", "hash-type" and
// "server ... weight" of HAProxy's configuration manual. Servers that are disabled
// get nothing, and backup servers nothing as long as there are others. Where names
// the line in the user's file or the shipped variant.
func (Driver) Balance(cfg testbed.Config, path string) (testbed.Balance, error) {
	f, err := parseForReaders(cfg)
	if err != nil {
		return testbed.Balance{}, err
	}
	front, err := f.clientFacing(choice(cfg.Source))
	if err != nil {
		return testbed.Balance{}, err
	}
	path, _, _ = strings.Cut(path, "?")
	back, hops, why := f.pool(front, handshake{path})
	if why != "" {
		return testbed.Balance{Algorithm: testbed.BalanceUnknown, Where: f.name, Why: why}, nil
	}
	b := f.algorithm(back)
	if hops > 1 && b.Algorithm == testbed.BalanceSourceHash {
		b.Algorithm = testbed.BalanceUnknown
		b.Why = back.title() + " is reached through another frontend of this file and hashes that one's address, not the client's"
	}
	names, err := nodeNames(cfg)
	if err != nil {
		return testbed.Balance{}, err
	}
	b.Weights, b.SlowStart, err = f.weights(back, names)
	return b, err
}

// pool follows a handshake to the backend whose servers are nodes. why says what
// keeps it from being told beforehand.
func (f *file) pool(front *section, h handshake) (back *section, hops int, why string) {
	for seen := []*section{}; ; hops++ {
		if slices.Contains(seen, front) {
			return nil, 0, front.title() + " leads back to itself"
		}
		seen = append(seen, front)
		routes := f.routes(front, h)
		if len(routes) == 0 {
			return nil, 0, fmt.Sprintf("%s sends %s to no backend", front.title(), h.path)
		}
		back = routes[0].to
		for _, r := range routes[1:] {
			if r.to != back {
				return nil, 0, fmt.Sprintf("whether %s goes to %s or %s hangs on a condition that cannot be judged beforehand", h.path, back.title(), r.to.title())
			}
		}
		servers := back.servers()
		next := slices.DeleteFunc(slices.Clone(servers), func(sv server) bool { return f.hop(sv) == nil })
		switch {
		case len(next) == 0:
			return back, hops + 1, ""
		case len(servers) > 1:
			return nil, 0, back.title() + " spreads its clients over more than one way through this file"
		}
		front = f.hop(next[0])
	}
}

// overrides are the lines of a backend that choose a server before "balance" does.
var overrides = [][]string{{"use-server"}, {"stick", "on"}, {"stick", "match"}, {"dispatch"}}

// algorithm reads "balance", which is roundrobin unless it is said.
func (f *file) algorithm(back *section) testbed.Balance {
	for _, words := range overrides {
		if l := back.last(words...); l != nil {
			return testbed.Balance{Algorithm: testbed.BalanceUnknown, Where: f.place(l), Why: strings.Join(words, " ") + " chooses a server before balance does"}
		}
	}
	by := back.last("balance")
	if by == nil {
		return testbed.Balance{Algorithm: testbed.BalanceRoundRobin, Where: "built-in default", Why: "no line of " + back.title() + " says balance"}
	}
	b := testbed.Balance{Where: f.place(by)}
	word, _, _ := strings.Cut(by.arg(1), "(")
	switch word {
	case "roundrobin", "static-rr":
		b.Algorithm, b.Why = testbed.BalanceRoundRobin, "new connections take the servers in turn, by weight; what is open does not count"
	case "leastconn":
		b.Algorithm, b.Why = testbed.BalanceLeastConn, "the server with the fewest connections for its weight, as this process counts them"
	case "random":
		b.Algorithm, b.Why = testbed.BalanceRandom, "the less loaded of servers that are drawn by weight"
	case "source":
		b.Algorithm, b.KeyBits, b.Why = testbed.BalanceSourceHash, 32, "the whole source address is hashed, and the server is the hash modulo the total weight"
		if by := back.last("hash-type"); by != nil && by.arg(1) == "consistent" {
			b.RingPoints = ringPoints
			b.Why = fmt.Sprintf("the whole source address is hashed onto a ring with %d points for each unit of weight", ringPoints)
		}
	case "uri":
		b.Algorithm, b.Why = testbed.BalanceURIHash, "the URI without its query is hashed, so all clients of one path are one key"
	default:
		b.Algorithm, b.Why = testbed.BalanceUnknown, "balance "+word+" hangs on what each request carries"
	}
	return b
}

// place is where a line stands, for people.
func (f *file) place(l *line) string {
	return fmt.Sprintf("%s:%d (%s)", f.name, l.num, l.in.title())
}

// member is what a server line says about its part of the traffic.
type member struct {
	weight         float64
	backup, unused bool
	slowStart      bool
}

// weights adds up the weights of a backend's servers by node.
func (f *file) weights(back *section, names map[string]string) (byNode map[string]float64, slowStart bool, err error) {
	byNode = map[string]float64{}
	type named struct {
		node string
		member
	}
	var members []named
	active := false
	for _, sv := range back.servers() {
		node, ok := names[sv.addr]
		if !ok {
			return nil, false, fmt.Errorf("%s:%d: server %s at %s is no node of the testbed", f.name, sv.by.num, sv.name, sv.addr)
		}
		m := member{weight: 1}
		for _, l := range append(back.serverDefaults(sv.by), sv.by) {
			if err := m.read(l); err != nil {
				return nil, false, fmt.Errorf("%s:%d: %w", f.name, l.num, err)
			}
		}
		active = active || !m.backup && !m.unused
		members = append(members, named{node, m})
	}
	for _, m := range members {
		slowStart = slowStart || m.slowStart
		if m.unused || m.backup && active {
			m.weight = 0
		}
		byNode[m.node] += m.weight
	}
	return byNode, slowStart, nil
}

// serverDefaults lists the default-server lines that hold for a server line, the
// weakest first: those of the defaults sections, then those above it in its own.
func (s *section) serverDefaults(of *line) []*line {
	var chain []*section
	for b := s; b != nil; b = b.base {
		chain = append(chain, b)
	}
	var found []*line
	for _, b := range slices.Backward(chain) {
		for _, l := range b.lines {
			if l.starts("default-server") && (b != s || l.num <= of.num) {
				found = append(found, l)
			}
		}
	}
	return found
}

// read takes over what a server or default-server line sets.
func (m *member) read(l *line) error {
	for i := range l.words {
		switch l.arg(i) {
		case "weight":
			w, err := strconv.ParseUint(l.arg(i+1), 10, 16)
			if err != nil || w > 256 {
				return fmt.Errorf("weight %q is none of 0 to 256", l.arg(i+1))
			}
			m.weight = float64(w)
		case "backup":
			m.backup = true
		case "non-backup":
			m.backup = false
		case "disabled":
			m.unused = true
		case "enabled":
			m.unused = false
		case "slowstart":
			m.slowStart = true
		}
	}
	return nil
}

// nodeNames is the node behind each server address, as parseForReaders shows them.
func nodeNames(cfg testbed.Config) (map[string]string, error) {
	names := map[string]string{}
	if !cfg.Source.Own {
		for _, n := range cfg.Input.Nodes {
			names[n.Addr] = n.Name
		}
		return names, nil
	}
	m, err := planMove(cfg.Source)
	if err != nil {
		return nil, err
	}
	for i, addr := range m.nodes {
		if i < len(cfg.Input.Nodes) {
			names[addr] = cfg.Input.Nodes[i].Name
		}
	}
	return names, nil
}
