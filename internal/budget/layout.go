package budget

import (
	"fmt"
	"math"
)

// Layout is how a demand is spread over processes and addresses.
type Layout struct {
	Workers int `json:"workers"`
	// SourceAddrs are what the clients connect from, in turn.
	SourceAddrs []string `json:"source_addrs"`
	Nodes       int      `json:"nodes"` // as asked for
	// ProxyProcesses is how many HAProxy processes share the port. The kernel deals
	// connections out to those that bound it with SO_REUSEPORT (socket(7)).
	ProxyProcesses int `json:"proxy_processes,omitempty"`
	// NginxWorkers is the least worker_processes. With more than one, "listen" needs
	// "reuseport": else the workers race for clients and nothing evens them out.
	NginxWorkers int `json:"nginx_workers,omitempty"`
	// MaxConn is global maxconn of each HAProxy process.
	MaxConn int `json:"maxconn,omitempty"`
	// WorkerConnections of each Nginx worker, both sides counted.
	WorkerConnections int `json:"worker_connections,omitempty"`
	// NoFile is the descriptors of each proxy process: ulimit-n, worker_rlimit_nofile.
	NoFile int `json:"nofile,omitempty"`
}

// CannotFitError is a demand beyond a machine's first wall.
type CannotFitError struct {
	Clients int  `json:"clients"` // asked for
	Largest int  `json:"largest"` // number of clients that fits, all else as asked for
	First   Wall `json:"first"`
	// Next is the wall behind the first that the demand runs into as well; nil if none.
	Next *Wall `json:"next,omitempty"`
}

// Error names the first wall, its figures, the number that fits, and the fix.
func (e *CannotFitError) Error() string {
	s := fmt.Sprintf("%s clients do not fit, %s would: the first wall is %s, which needs %s of %s (%s)",
		commas(int64(e.Clients)), commas(int64(e.Largest)), e.First.Name,
		e.First.amount(e.First.Needs), e.First.amount(e.First.Limit), e.First.Formula)
	if e.First.Fix != "" {
		s += "; fix: " + e.First.Fix
	}
	if e.Next != nil {
		s += fmt.Sprintf("; the next wall is %s, at %s clients", e.Next.Name, commas(int64(e.Next.MaxClients)))
		if e.Next.Fix != "" && e.Next.Fix != e.First.Fix {
			s += ", fix: " + e.Next.Fix
		}
	}
	return s
}

// Fit returns the smallest layout that carries, without slow ports, a demand on a machine, or a
// *CannotFitError. Nodes stay as asked for: they are what is tested. It takes for
// granted that the proxy spreads clients over the nodes evenly; what is kept back of
// every limit covers small differences, but not a hash of few source addresses.
func Fit(m Machine, d Demand) (Layout, error) {
	if err := d.check(); err != nil {
		return Layout{}, err
	}
	d = d.filled()
	var hit []Wall
	for _, w := range Walls(m, d) {
		if w.Needs > w.Limit {
			hit = append(hit, w)
		}
	}
	if len(hit) == 0 {
		return d.layout(m), nil
	}
	e := &CannotFitError{Clients: d.Clients, Largest: hit[0].MaxClients, First: hit[0]}
	if len(hit) > 1 {
		e.Next = &hit[1]
	}
	return Layout{}, e
}

// tooMany stands for a number of parts when one part holds nothing.
const tooMany = math.MaxInt32

// parts is how many parts n needs when each holds at most the fact; one when that is
// unknown.
func parts(n int64, each Fact) int64 {
	switch per, ok := each.Get(); {
	case !ok:
		return 1
	case per < 1:
		return tooMany
	default:
		return min(tooMany, ceil(n, per))
	}
}

func ceil(n, d int64) int64 { return (n + d - 1) / d }

// workers is how many worker processes n clients need.
func (m Machine) workers(n int64) int64 {
	return parts(n, lesser(Known(maxPerWorker), usableFDs(m.FDHard)))
}

// sources is how many addresses n clients must come from. Behind a proxy all go to
// one destination; direct, each node is one.
func (d Demand) sources(m Machine, n int64) int64 {
	if d.Proxy == "" {
		n = ceil(n, int64(d.Nodes))
	}
	return parts(n, usable(m.Ports()))
}

// quickShare of the usable ports of a source address are handed out quickly: connect(2)
// first tries all of one parity (inet_hash_connect in the kernel), so from half of
// them on each connection searches the taken half in vain, for up to a millisecond.
const quickShare = 0.8 * 0.5

// addresses is how many addresses n clients come from where there are enough: more
// than sources, so that none runs into its slow half.
func (d Demand) addresses(m Machine, n int64) int64 {
	if d.Proxy == "" {
		n = ceil(n, int64(d.Nodes))
	}
	ports, ok := usable(m.Ports()).Get()
	if !ok {
		return 1
	}
	quick := Known(max(1, int64(float64(ports)*quickShare)))
	return max(d.sources(m, n), min(int64(m.LoopbackAddrs), parts(n, quick)))
}

// uneven is the most clients that one of k processes gets of n when the kernel deals
// them out by a hash of their addresses: the mean and four standard deviations of a
// binomial, which one run in thousands exceeds.
func uneven(n, k int64) int64 {
	if k == 1 {
		return n
	}
	mean := float64(n) / float64(k)
	return min(n, int64(math.Ceil(mean+4*math.Sqrt(mean*(1-1/float64(k))))))
}

// holds tells whether each of k proxy processes has the descriptors for its share of
// n clients, two for each: on average within the usable part, at worst within all
// but the process's own.
func holds(fds Fact, n, k int64) bool {
	hard, ok := fds.Get()
	if !ok {
		return true
	}
	room, _ := usableFDs(fds).Get()
	return 2*ceil(n, k) <= room && 2*uneven(n, k) <= hard-reserveFDs
}

// processes is how many proxy processes n clients need; 0 for direct. An own
// configuration has as many as it says.
func (d Demand) processes(m Machine, n int64) int64 {
	switch {
	case d.Proxy == "":
		return 0
	case d.Own != nil:
		return int64(d.Own.Processes)
	}
	for k := int64(1); k <= maxProcesses; k++ {
		if holds(m.FDHard, n, k) {
			return k
		}
	}
	return tooMany
}

// layout is the demand's layout on a machine where it fits.
func (d Demand) layout(m Machine) Layout {
	n := int64(d.Clients)
	l := Layout{Workers: int(m.workers(n)), Nodes: d.Nodes}
	for i := range d.addresses(m, n) {
		l.SourceAddrs = append(l.SourceAddrs, fmt.Sprintf("127.0.0.%d", i+1))
	}
	k := d.processes(m, n)
	switch d.Proxy {
	case HAProxy:
		l.ProxyProcesses = int(k)
	case Nginx:
		l.NginxWorkers = int(k)
	}
	if d.Proxy != "" && d.Own == nil {
		d.size(&l, m, uneven(n, k))
	}
	return l
}

// size sets what one process of a shipped configuration is allowed for its share of
// clients: a quarter more, as far as descriptors reach.
func (d Demand) size(l *Layout, m Machine, share int64) {
	wide := share + share/4
	connections := 2*wide + 2*reserveFDs
	if hard, ok := m.FDHard.Get(); ok {
		connections = min(connections, hard-reserveFDs)
	}
	if d.Proxy == Nginx {
		l.WorkerConnections = int(connections)
	} else {
		l.MaxConn = int(connections / 2)
	}
	l.NoFile = int(connections + reserveFDs)
}
