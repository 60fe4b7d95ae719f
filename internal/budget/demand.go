package budget

import (
	"errors"
	"fmt"

	"wsrig/internal/result"
)

// Proxies that a demand may name; "" is direct.
const (
	HAProxy = "haproxy"
	Nginx   = "nginx"
)

// Engines of a worker's clients.
const (
	EngineEpoll    = "epoll"
	EnginePortable = "portable"
)

// Demand is what a machine shall carry.
type Demand struct {
	Clients int    `json:"clients"` // open at once in one testbed
	Nodes   int    `json:"nodes"`
	Proxy   string `json:"proxy"` // HAProxy, Nginx, or "" for direct
	// Own are the limits of a user's own configuration, which the rig leaves as they
	// are; nil for a shipped one, which it sizes itself.
	Own *OwnLimits `json:"own,omitempty"`
	// Testbeds is how many of these run at the same time; 0 is one.
	Testbeds int `json:"testbeds,omitempty"`
	// Engine of the workers; EnginePortable, which needs more, if "".
	Engine string `json:"engine,omitempty"`
	// WorkerBytes, NodeBytes and ProxyBytes are what a client takes there; 0 stands for
	// what was measured.
	WorkerBytes int64 `json:"worker_bytes,omitempty"`
	NodeBytes   int64 `json:"node_bytes,omitempty"`
	ProxyBytes  int64 `json:"proxy_bytes,omitempty"`
}

// OwnLimits are what a user's own proxy configuration sets. Unknown is not set: the
// program's default, or no limit, holds.
type OwnLimits struct {
	// Processes that serve: 1 for HAProxy, worker_processes for Nginx.
	Processes int `json:"processes"`
	// Connections of one process: HAProxy's global maxconn, which counts clients, or
	// Nginx's worker_connections, which counts both sides of the proxy.
	Connections Fact `json:"connections"`
	// PerNode are the connections to one node, of all processes that count together:
	// maxconn of a server in HAProxy, max_conns in Nginx. A tunnel counts all its life.
	PerNode Fact `json:"per_node"`
	// NoFile is a process's descriptors: HAProxy's ulimit-n, Nginx's worker_rlimit_nofile.
	NoFile Fact `json:"nofile"`
}

// Memory of one idle client, in bytes, as measured on Linux with messages of 128
// bytes. They judge whether a demand fits, with a tenth of the memory kept back.
const (
	workerEpollBytes    = 1 << 10  // the bound that the engine is held to
	workerPortableBytes = 10 << 10 // gorilla/websocket, 512 byte buffers
	nodeBytes           = 10_000
	haproxyBytes        = 4_800
	nginxBytes          = 18_200 // with its default proxy buffers
	// kernelBytes is one loopback connection, both of its sockets.
	kernelBytes    = 6_350
	conntrackBytes = 256 // one entry of the connection tracking table
	// processBytes is what a node, worker or proxy takes before its first client.
	processBytes = 20 << 20
)

// maxPerWorker bounds the clients of one worker: nine tenths of 20,000 descriptors,
// the most that a worker's figures were measured with.
const maxPerWorker = 18_000

// maxProcesses bounds workers, and proxy processes, on one machine: beyond it they
// compete for the cores more than they measure or serve.
const maxProcesses = 64

// maxClients is the most that is reckoned with; the load generator opens no more.
const maxClients = 10_000_000

// check returns every mistake in a demand at once.
func (d Demand) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if d.Clients < 1 || d.Clients > maxClients {
		bad("clients %d: use 1 to %d", d.Clients, maxClients)
	}
	if d.Nodes < 1 {
		bad("nodes %d: use 1 or more", d.Nodes)
	}
	if d.Testbeds < 0 {
		bad("testbeds %d: use 1 or more", d.Testbeds)
	}
	if known := []string{HAProxy, Nginx}; d.Proxy != "" && d.Proxy != HAProxy && d.Proxy != Nginx {
		bad("unknown proxy %q%s", d.Proxy, result.DidYouMean(d.Proxy, known))
	}
	if known := []string{EngineEpoll, EnginePortable}; d.Engine != "" && d.Engine != EngineEpoll && d.Engine != EnginePortable {
		bad("unknown engine %q%s", d.Engine, result.DidYouMean(d.Engine, known))
	}
	if d.WorkerBytes < 0 || d.NodeBytes < 0 || d.ProxyBytes < 0 {
		bad("a client's memory is below 0 bytes")
	}
	if d.Own != nil && (d.Proxy == "" || d.Own.Processes < 1) {
		bad("limits of an own configuration need a proxy and 1 process or more, not %q and %d", d.Proxy, d.Own.Processes)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("demand: %w", err)
	}
	return nil
}

// filled is the demand with its defaults written out.
func (d Demand) filled() Demand {
	set := func(n *int64, to int64) {
		if *n == 0 {
			*n = to
		}
	}
	if d.Engine == EngineEpoll {
		set(&d.WorkerBytes, workerEpollBytes)
	}
	set(&d.WorkerBytes, workerPortableBytes)
	set(&d.NodeBytes, nodeBytes)
	switch d.Proxy {
	case HAProxy:
		set(&d.ProxyBytes, haproxyBytes)
	case Nginx:
		set(&d.ProxyBytes, nginxBytes)
	}
	d.Testbeds = max(1, d.Testbeds)
	return d
}

// legs is how many connections a client makes on the machine: one, or one on either
// side of a proxy.
func (d Demand) legs() int64 {
	if d.Proxy == "" {
		return 1
	}
	return 2
}
