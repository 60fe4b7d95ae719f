package nginx

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"wsrig/testbed"
)

// ringPoints is how many points a server has on the ring of "hash ... consistent" for
// each unit of its weight (ngx_http_upstream_hash_module's sources, after Ketama).
const ringPoints = 160

// Balance tells how cfg chooses a server for path, by the directives of an upstream
// block (manual of ngx_http_upstream_module). Servers that are down get nothing, and
// backup servers nothing as long as there are others. Without "zone" every worker
// process keeps its own turn and its own counts. Where names the line in the user's
// file or the shipped variant.
func (Driver) Balance(cfg testbed.Config, path string) (testbed.Balance, error) {
	f, err := parseForReaders(cfg)
	if err != nil {
		return testbed.Balance{}, err
	}
	server, err := f.clientFacing(choice(cfg.Source))
	if err != nil {
		return testbed.Balance{}, err
	}
	path, _, _ = strings.Cut(path, "?")
	pass, hops, why, err := f.pool(server, path)
	if err != nil {
		return testbed.Balance{}, err
	}
	if why != "" {
		return testbed.Balance{Algorithm: testbed.BalanceUnknown, Where: f.main.in.name, Why: why}, nil
	}
	upstream, _, err := f.target(pass)
	if err != nil {
		return testbed.Balance{}, err
	}
	b := testbed.Balance{Algorithm: testbed.BalanceRoundRobin, Where: place(pass), Why: "proxy_pass names one node"}
	if upstream != nil {
		b = algorithm(upstream)
		stateful := b.Algorithm != testbed.BalanceSourceHash && b.Algorithm != testbed.BalanceURIHash
		b.PerProcess = stateful && len(upstream.named("zone")) == 0 && f.workerProcesses() > 1
	}
	if hops > 1 && b.Algorithm == testbed.BalanceSourceHash {
		b.Algorithm = testbed.BalanceUnknown
		b.Why = upstream.title() + " is reached through another server block of this file and hashes that one's address, not the client's"
	}
	names, err := nodeNames(cfg)
	if err != nil {
		return testbed.Balance{}, err
	}
	b.Weights, b.SlowStart, err = f.weights(pass, names)
	return b, err
}

// pool follows a handshake to the proxy_pass whose addresses are nodes. why says what
// keeps it from being told beforehand.
func (f *file) pool(server *directive, path string) (pass *directive, hops int, why string, err error) {
	for seen := []*directive{}; ; hops++ {
		if slices.Contains(seen, server) {
			return nil, 0, "a server block passes requests back to itself", nil
		}
		seen = append(seen, server)
		location, err := locate(server, path)
		if err != nil {
			return nil, 0, "", err
		}
		if location == nil {
			return nil, 0, "no location of the server block is for " + path, nil
		}
		passes := proxyPasses(location)
		if len(passes) != 1 {
			return nil, 0, fmt.Sprintf("%s has %d proxy_pass directives", location.title(), len(passes)), nil
		}
		members, err := f.members(passes[0])
		if err != nil {
			return nil, 0, "", err
		}
		next := slices.DeleteFunc(slices.Clone(members), func(a address) bool { return f.hop(a) == nil })
		switch {
		case len(next) == 0:
			return passes[0], hops + 1, "", nil
		case len(members) > 1:
			return nil, 0, passes[0].title() + " spreads its clients over more than one way through this file", nil
		}
		server = f.hop(next[0])
	}
}

// algorithm reads the method of an upstream block, which is round robin unless it is
// said.
func algorithm(upstream *directive) testbed.Balance {
	methods := upstream.named("least_conn", "ip_hash", "hash", "random", "least_time", "sticky")
	if len(methods) == 0 {
		return testbed.Balance{
			Algorithm: testbed.BalanceRoundRobin, Where: place(upstream),
			Why: "no method is named, so new connections take the servers in turn, by weight; what is open does not count",
		}
	}
	by := methods[len(methods)-1]
	b := testbed.Balance{Where: place(by)}
	switch by.name {
	case "least_conn":
		b.Algorithm, b.Why = testbed.BalanceLeastConn, "the server with the fewest connections for its weight, as the upstream's zone counts them"
	case "random":
		b.Algorithm, b.Why = testbed.BalanceRandom, "servers are drawn by weight"
	case "ip_hash":
		b.Algorithm, b.KeyBits, b.Why = testbed.BalanceSourceHash, 24, "the first three octets of the source address are hashed, so a /24 network is one key"
	case "hash":
		b = hashed(by, b)
	default:
		b.Algorithm, b.Why = testbed.BalanceUnknown, by.name+" hangs on what each request carries, or on the nodes' answers"
	}
	return b
}

// hashed reads a hash directive.
func hashed(by *directive, b testbed.Balance) testbed.Balance {
	key := strings.Trim(by.arg(0), "{}")
	switch {
	case key == "$remote_addr" || key == "$binary_remote_addr":
		b.Algorithm, b.KeyBits, b.Why = testbed.BalanceSourceHash, 32, "the whole source address is hashed, and the server is the hash modulo the total weight"
	case strings.Contains(key, "$request_uri") || strings.Contains(key, "$uri"):
		b.Algorithm, b.Why = testbed.BalanceURIHash, "the URI is hashed"
		return b
	default:
		b.Algorithm, b.Why = testbed.BalanceUnknown, "hash "+key+" hangs on what each request carries"
		return b
	}
	if hasArg(by, "consistent") {
		b.RingPoints = ringPoints
		b.Why = fmt.Sprintf("the whole source address is hashed onto a ring with %d points for each unit of weight", ringPoints)
	}
	return b
}

// workerProcesses is how many workers serve clients: 1 unless it is said, and one for
// each core with auto (manual of ngx_core_module).
func (f *file) workerProcesses() int {
	set := f.main.named("worker_processes")
	if len(set) == 0 {
		return 1
	}
	if n, err := strconv.Atoi(set[0].arg(0)); err == nil {
		return n
	}
	return runtime.NumCPU()
}

// place is where a directive stands, for people.
func place(d *directive) string {
	in := d.title()
	if outer := d.outer(); outer != nil && d.body == 0 {
		in = outer.title()
	}
	return fmt.Sprintf("%s:%d (%s)", d.in.name, d.line, in)
}

// weights adds up the weights behind a proxy_pass by node.
func (f *file) weights(pass *directive, names map[string]string) (byNode map[string]float64, slowStart bool, err error) {
	members, err := f.members(pass)
	if err != nil {
		return nil, false, err
	}
	active := slices.ContainsFunc(members, func(a address) bool { return !hasArg(a.by, "backup") && !hasArg(a.by, "down") })
	byNode = map[string]float64{}
	for _, a := range members {
		node, ok := names[a.text]
		if !ok {
			return nil, false, fmt.Errorf("%s:%d: %s is no node of the testbed", a.by.in.name, a.by.line, a.text)
		}
		weight := 1.0
		for _, arg := range a.by.args {
			slowStart = slowStart || strings.HasPrefix(arg.text, "slow_start=")
			if text, ok := strings.CutPrefix(arg.text, "weight="); ok {
				w, err := strconv.ParseUint(text, 10, 31)
				if err != nil || w == 0 {
					return nil, false, fmt.Errorf("%s:%d: weight %q is no number from 1 up", a.by.in.name, a.by.line, text)
				}
				weight = float64(w)
			}
		}
		if hasArg(a.by, "down") || hasArg(a.by, "backup") && active {
			weight = 0
		}
		byNode[node] += weight
	}
	return byNode, slowStart, nil
}

// nodeNames is the node behind each upstream address, as parseForReaders shows them.
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
