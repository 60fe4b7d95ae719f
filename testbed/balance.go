package testbed

import (
	"context"
	"fmt"
)

// Algorithms by which a proxy chooses a node for a new connection. A configuration
// whose choice the rig cannot predict is BalanceUnknown, with the reason.
const (
	BalanceRoundRobin = "round-robin"
	BalanceLeastConn  = "least-connections"
	BalanceSourceHash = "source-hash"
	BalanceRandom     = "random"
	BalanceURIHash    = "uri-hash"
	BalanceUnknown    = "unknown"
)

// Balance is what a configuration declares about the choice of a node.
type Balance struct {
	Algorithm string             // one of the algorithms above
	Weights   map[string]float64 // by node, as configured (3, 1, 1); a node with 0 gets no new connection
	Where     string             // the line that says so, for people; "built-in default" if it is in no file
	Why       string             // what the algorithm does or, for BalanceUnknown, why it cannot be told
	// PerProcess says that each serving process chooses on its own, without a view of
	// what the others have done.
	PerProcess bool
	// RingPoints is how many points a unit of weight has on a consistent-hashing ring;
	// 0 where there is no ring. Few points make uneven shares.
	RingPoints int
	// KeyBits is how many leading bits of a client's IPv4 address are hashed; 0 where
	// the address is not the key.
	KeyBits int
	// SlowStart says that a node which was down gets less than its weight for a while.
	SlowStart bool
}

// WorkerProcess is one process of a proxy that serves clients.
type WorkerProcess struct {
	PID  int
	Old  bool // of an earlier configuration: it takes no new client
	Open int  // client connections it holds
}

// Balance is what the running configuration declares for path; for direct it is the
// clients' own turn-taking among the nodes. A driver's error is a *ConfigError.
func (tb *Testbed) Balance(path string) (Balance, error) {
	if tb.Spec.Proxy == nil || tb.Config == nil {
		b := Balance{
			Algorithm: BalanceRoundRobin, Weights: map[string]float64{}, Where: "no proxy",
			Why: "without a proxy the clients take the nodes in turn",
		}
		for _, n := range tb.Nodes {
			b.Weights[n.Unit().Name] = 1
		}
		return b, nil
	}
	b, err := tb.Spec.Proxy.Balance(*tb.Config, path)
	if err != nil {
		return Balance{}, &ConfigError{err}
	}
	b.PerProcess = b.PerProcess || len(tb.Proxies) > 1
	return b, nil
}

// WorkerProcesses counts the client connections of each process of the proxy, within
// 5 s. There are none for direct.
func (tb *Testbed) WorkerProcesses(ctx context.Context) ([]WorkerProcess, error) {
	if tb.Proxy == nil {
		return nil, nil
	}
	ctx, cancel := viewContext(ctx)
	defer cancel()
	var all []WorkerProcess
	for _, p := range tb.Proxies {
		workers, err := tb.Spec.Proxy.Workers(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: count the connections of its processes: %w", p.Unit().Name, err)
		}
		all = append(all, workers...)
	}
	return all, nil
}
