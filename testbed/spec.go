package testbed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wsrig/internal/result"
)

// Spec is a testbed as it is asked for.
type Spec struct {
	Bus      string // redis, miniredis or none
	Nodes    int
	NodePing time.Duration // nodes ping their clients this often; 0 never
	NodeArgs []string      // more options for wsrig chatnode
	// NodeBinary is the program that plays the nodes; "" is this one. Its first argument
	// is chatnode.
	NodeBinary string
	NodeCmd    []string // what runs instead of wsrig chatnode; see ParseNodeCommand
	Proxy      Proxy    // nil for direct
	Program    Program  // what runs the proxy
	Source     Source   // the proxy's configuration
	Port       int      // fixed port of the proxy; 0 takes a free one
	Clients    int      // how many clients at once it must carry
	Size       Size     // how it is spread over processes and addresses
	Token      string   // secret of the workers' control API

	NodeLimits  UnitLimits // of each node
	ProxyLimits UnitLimits // of each proxy unit
}

// Program is which version of a proxy to run. The zero Program is the runtime's own:
// the one in PATH, or its default image.
type Program struct {
	Binary string `json:"binary,omitempty"` // path of a program on this machine
	Image  string `json:"image,omitempty"`  // container image that has the driver's Binary in its PATH
}

// of is u run by the program.
func (p Program) of(u Unit) Unit {
	if p.Binary != "" {
		u.Binary = p.Binary
	}
	u.Image = p.Image
	return u
}

// Unit is a unit that the program runs, for Lookup, Provide and Run.
func (p Program) Unit(proxy Proxy) Unit {
	return p.of(Unit{Name: "proxy", Role: RoleProxy, Binary: proxy.Binary()})
}

// Version asks the program of a proxy for its version.
func (p Program) Version(ctx context.Context, where Programs, proxy Proxy) (string, error) {
	return proxy.Version(ctx, runner(where, p.Unit(proxy)))
}

// runner runs the program of u.
func runner(where Programs, u Unit) Run {
	return func(ctx context.Context, dir string, args ...string) (string, error) {
		u.Args = args
		return where.Run(ctx, u, dir)
	}
}

// Size is how a testbed is spread over processes and addresses, so that its clients
// fit on a machine. The zero Size has one proxy unit, and the kernel chooses addresses.
type Size struct {
	Workers int    `json:"workers,omitempty"` // load workers; 0 is none
	Sources int    `json:"sources,omitempty"` // addresses that clients connect from, in turn; of 1 or fewer the kernel chooses
	Limits  Limits `json:"limits,omitzero"`   // of the proxy
}

// Buses that a Spec may name. miniredis is Redis in memory inside this program,
// for machines without redis-server; its runs are never compared with real ones.
const (
	BusRedis     = "redis"
	BusMiniredis = "miniredis"
	BusNone      = "none"
)

// ConfigError is a proxy configuration that cannot be used: the caller's mistake,
// not the testbed's.
type ConfigError struct{ Err error }

// Error is the cause's text.
func (e *ConfigError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// prepared is a Spec with its ports reserved and its units described.
type prepared struct {
	redis   *Unit
	nodes   []Unit
	proxies []Unit
	workers []Unit
	config  *Config
	sources []string // addresses that clients may connect from
}

// Networks that units share; see Unit.Network.
const (
	networkOfProxies = "proxies"
	networkOfWorkers = "workers"
)

const startGrace = 5 * time.Second

func redisUnit(bus string, port Port) Unit {
	u := Unit{
		Name: "redis", Role: RoleRedis, Binary: "redis-server",
		Ports: map[string]Port{"redis": port},
		Ready: redisReady, StopSignal: SigTerm, StopGrace: startGrace,
	}
	host, number := splitAddr(port.Listen)
	if bus == BusMiniredis {
		u.Binary, u.Args = Self, []string{"miniredis", "--listen", port.Listen}
		return u
	}
	// No file is ever written: nothing to load at a restart, nothing to leave.
	u.Args = []string{"--bind", host, "--port", strconv.Itoa(number), "--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no"}
	return u
}

func nodeUnit(spec Spec, name string, port Port, redis *Unit) Unit {
	if len(spec.NodeCmd) > 0 {
		return commandUnit(spec, name, port, redis)
	}
	args := []string{"chatnode", "--name", name, "--listen", port.Listen}
	if redis != nil {
		args = append(args, "--bus", "redis", "--redis", "redis://"+redis.Ports["redis"].Peer)
	} else {
		args = append(args, "--bus", "none")
	}
	if spec.NodePing > 0 {
		args = append(args, "--ping-interval", spec.NodePing.String())
	}
	return Unit{
		Name: name, Role: RoleNode, Binary: cmp.Or(spec.NodeBinary, Self), Args: append(args, spec.NodeArgs...),
		Ports: map[string]Port{"http": port},
		Ready: httpReady("http", "/readyz"), StopSignal: SigTerm, StopGrace: startGrace,
		Limits: spec.NodeLimits,
	}
}

func workerUnit(spec Spec, name, network string, port Port) Unit {
	return Unit{
		Name: name, Role: RoleWorker, Binary: Self, Network: network,
		Args:  []string{"loadgen", "--worker", "--listen", port.Listen},
		Env:   []string{"WSRIG_TOKEN=" + spec.Token},
		Ports: map[string]Port{"control": port},
		Ready: httpReady("control", "/healthz"), StopSignal: SigTerm, StopGrace: startGrace,
	}
}

// NodeName is the name of the i-th node, from 1.
func NodeName(i int) string { return fmt.Sprintf("n%d", i) }

// Declared is what the spec's proxy configuration grants an idle tunnel on path;
// nil for direct.
func (c *Config) Declared(p Proxy, path string) (*result.Declared, error) {
	if p == nil || c == nil {
		return nil, nil
	}
	d, err := p.Declared(*c, path)
	if err != nil {
		return nil, &ConfigError{err}
	}
	return &d, nil
}

// sortedNames lists a map's keys in order.
func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
