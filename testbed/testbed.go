package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Testbed is a running system: what Up built.
type Testbed struct {
	Spec    Spec
	Config  *Config // nil for direct
	Redis   Instance
	Nodes   []Instance
	Proxy   Instance // the first of Proxies; nil for direct
	Proxies []Instance
	Workers []Instance
	// Sources are the addresses that clients may connect from, as many as Spec.Size says;
	// none where the kernel chooses.
	Sources []string

	adding  sync.Mutex      // held by AddNode
	mu      sync.Mutex      // guards Nodes, which AddNode makes longer while units are sampled, and offline
	offline map[string]bool // units that are disconnected
	runtime Runtime
	died    chan *ExitError
	watch   sync.WaitGroup
	closing chan struct{}
	once    sync.Once
}

// startTimeout is how long all units together may take to serve. Containers take a
// second each on a busy machine.
const startTimeout = 60 * time.Second

// Up starts a testbed on rt: Redis, nodes, proxy, workers, each ready before the
// next kind. On error nothing is left running. A configuration that the proxy or
// its driver refuses is a *ConfigError; the caller closes rt in any case.
func Up(ctx context.Context, rt Runtime, spec Spec) (tb *Testbed, err error) {
	if !slices.Contains([]string{BusRedis, BusMiniredis, BusNone}, spec.Bus) {
		return nil, fmt.Errorf("unknown bus %q; use %s, %s or %s", spec.Bus, BusRedis, BusMiniredis, BusNone)
	}
	if len(spec.NodeCmd) > 0 && (spec.NodePing > 0 || len(spec.NodeArgs) > 0) {
		return nil, fmt.Errorf("%s takes no options of wsrig chatnode, pings included", spec.NodeCmd[0])
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("the testbed was not up within %s", startTimeout))
	defer cancel()
	tb = &Testbed{Spec: spec, runtime: rt, died: make(chan *ExitError, 64), closing: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, tb.Close(context.WithoutCancel(ctx)))
			tb = nil
		}
	}()
	plan, err := prepare(ctx, rt, spec)
	if err != nil {
		return tb, err
	}
	tb.Config, tb.Sources = plan.config, plan.sources
	if plan.redis != nil {
		if tb.Redis, err = tb.start(ctx, *plan.redis); err != nil {
			return tb, err
		}
	}
	if tb.Nodes, err = tb.startAll(ctx, plan.nodes); err != nil {
		return tb, explain(spec.NodeCmd, err)
	}
	if tb.Proxies, err = tb.startAll(ctx, plan.proxies); err != nil {
		return tb, err
	}
	if len(tb.Proxies) > 0 {
		tb.Proxy = tb.Proxies[0]
	}
	tb.Workers, err = tb.startAll(ctx, plan.workers)
	return tb, err
}

func (tb *Testbed) start(ctx context.Context, u Unit) (Instance, error) {
	inst, err := tb.runtime.Start(ctx, u)
	if err != nil {
		return nil, err
	}
	tb.guard(inst)
	return inst, nil
}

// startAll starts equal units side by side.
func (tb *Testbed) startAll(ctx context.Context, units []Unit) ([]Instance, error) {
	instances := make([]Instance, len(units))
	g, ctx := errgroup.WithContext(ctx)
	for i, u := range units {
		g.Go(func() (err error) {
			instances[i], err = tb.start(ctx, u)
			return err
		})
	}
	return instances, g.Wait()
}

// guard reports the unit's end on Died unless somebody asked for it.
func (tb *Testbed) guard(inst Instance) {
	done := inst.Done()
	tb.watch.Go(func() {
		select {
		case <-done:
			if e := inst.Exit(); e != nil && !e.Asked {
				select {
				case tb.died <- e:
				default: // enough deaths are known already
				}
			}
		case <-tb.closing:
		}
	})
}

// Died delivers units that ended although nobody asked them to.
func (tb *Testbed) Died() <-chan *ExitError { return tb.died }

// Units lists what runs, in the order it was started.
func (tb *Testbed) Units() []Instance {
	var all []Instance
	if tb.Redis != nil {
		all = append(all, tb.Redis)
	}
	tb.mu.Lock()
	nodes := tb.Nodes
	tb.mu.Unlock()
	for _, inst := range slices.Concat(nodes, tb.Proxies, tb.Workers) {
		if inst != nil { // not all of a kind were started
			all = append(all, inst)
		}
	}
	return all
}

// Find returns a unit by name.
func (tb *Testbed) Find(name string) (Instance, error) {
	for _, u := range tb.Units() {
		if u.Unit().Name == name {
			return u, nil
		}
	}
	return nil, fmt.Errorf("the testbed has no unit %q", name)
}

// Targets are the addresses clients connect to: the proxy's, or for direct every
// node's, which the clients then take in turn.
func (tb *Testbed) Targets() []string {
	if tb.Proxy != nil {
		return []string{tb.Proxy.Unit().Ports["ws"].Peer}
	}
	var addrs []string
	for _, n := range tb.Nodes {
		addrs = append(addrs, n.Unit().Ports["http"].Peer)
	}
	return addrs
}

// Close ends all units, last started first. It may be called more than once.
func (tb *Testbed) Close(ctx context.Context) error {
	var errs []error
	tb.once.Do(func() {
		close(tb.closing)
		units := tb.Units()
		for _, u := range units {
			u.Expect()
		}
		for _, u := range slices.Backward(units) {
			errs = append(errs, u.Stop(ctx))
		}
		tb.watch.Wait()
	})
	return errors.Join(errs...)
}

// prepare reserves every port and describes every unit, so that a mistake in the
// configuration is found before anything starts.
func prepare(ctx context.Context, rt Runtime, spec Spec) (*prepared, error) {
	p := &prepared{}
	// Workers with several addresses have them all, so that a client has its address
	// whichever worker opens it.
	workers := ""
	if spec.Size.Sources > 1 {
		workers = networkOfWorkers
		var err error
		if p.sources, err = rt.Sources(ctx, workers, spec.Size.Sources); err != nil {
			return nil, err
		}
	}
	if spec.Bus != BusNone {
		ports, err := rt.Reserve(ctx, "redis", map[string]int{"redis": 0})
		if err != nil {
			return nil, err
		}
		u := redisUnit(spec.Bus, ports["redis"])
		p.redis = &u
	}
	for i := 1; i <= spec.Nodes; i++ {
		name := NodeName(i)
		ports, err := rt.Reserve(ctx, name, map[string]int{"http": 0})
		if err != nil {
			return nil, err
		}
		u := nodeUnit(spec, name, ports["http"], p.redis)
		if err := rt.Lookup(ctx, u); err != nil {
			return nil, explain(spec.NodeCmd, err)
		}
		p.nodes = append(p.nodes, u)
	}
	if spec.Proxy != nil {
		for i := range max(1, spec.Size.Limits.Units) {
			if err := p.prepareProxy(ctx, rt, spec, i); err != nil {
				return nil, err
			}
		}
	}
	for i := 1; i <= spec.Size.Workers; i++ {
		name := fmt.Sprintf("worker%d", i)
		ports, err := rt.Reserve(ctx, cmp.Or(workers, name), map[string]int{"control": 0})
		if err != nil {
			return nil, err
		}
		p.workers = append(p.workers, workerUnit(spec, name, workers, ports["control"]))
	}
	return p, nil
}

// ProxyName is the name of the i-th proxy unit, from 0. There is more than one only
// where a plan was fitted to a machine that way.
func ProxyName(i int) string {
	if i == 0 {
		return "proxy"
	}
	return fmt.Sprintf("proxy%d", i+1)
}

// prepareProxy renders the configuration of the i-th proxy unit and has the proxy
// check it. All units get clients on the port of the first: each binds it with
// SO_REUSEPORT, and the kernel deals the connections out (socket(7)).
func (p *prepared) prepareProxy(ctx context.Context, rt Runtime, spec Spec, i int) error {
	name := ProxyName(i)
	names, err := spec.Proxy.Ports(spec.Source)
	if err != nil {
		return &ConfigError{err}
	}
	want := make(map[string]int, len(names))
	for _, n := range names {
		want[n] = 0
	}
	if want["ws"] = spec.Port; i > 0 {
		delete(want, "ws")
	}
	shared := "" // the port is one only within one network
	if spec.Size.Limits.Units > 1 {
		shared = networkOfProxies
	}
	ports, err := rt.Reserve(ctx, cmp.Or(shared, name), want)
	if err != nil {
		return err
	}
	if i > 0 {
		ports["ws"] = p.proxies[0].Ports["ws"]
	}
	dir, err := rt.Dir(name)
	if err != nil {
		return err
	}
	in := RenderInput{Ports: ports, MaxClients: spec.Clients, Limits: spec.Size.Limits, Dir: dir}
	for _, n := range p.nodes {
		in.Nodes = append(in.Nodes, NodeAddr{Name: n.Name, Addr: n.Ports["http"].Peer})
	}
	cfg, err := spec.Proxy.Render(spec.Source, in)
	if err != nil {
		return &ConfigError{err}
	}
	u := spec.Proxy.Unit(cfg)
	u.Name, u.Role, u.Network, u.Ports, u.Limits = name, RoleProxy, shared, ports, spec.ProxyLimits
	u = spec.Program.of(u)
	if u.Reads, err = spec.Source.reads(); err != nil {
		return &ConfigError{err}
	}
	if err := rt.Lookup(ctx, u); err != nil {
		return err
	}
	if err := spec.Proxy.Check(ctx, runner(rt, u), cfg, in.Dir); err != nil {
		return &ConfigError{err}
	}
	if p.proxies = append(p.proxies, u); i == 0 {
		p.config = &cfg
	}
	return nil
}
