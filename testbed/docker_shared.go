package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"

	"github.com/moby/moby/client"
)

// sharedNet is a network that units share: one network namespace with one address. A
// container of its own keeps it, its keeper, which does nothing else: a namespace is
// gone with the container that it was made for, and a unit must be able to end without
// taking the network of the others along.
type sharedNet struct {
	mu     sync.Mutex
	ports  []Port     // reserved under its name
	keeper *container // nil before the first unit
}

// KeepNetworkCommand is the subcommand of Self that runs KeepNetwork.
const KeepNetworkCommand = "keep-network"

// kept is what a keeper prints once its network is ready.
const kept = "the network is ready"

// share is what belongs to a name that ports are reserved under, a unit's or a shared
// network's.
func (r *DockerRuntime) share(name string) *sharedNet {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.shared[name]
	if n == nil {
		n = &sharedNet{}
		r.shared[name] = n
	}
	return n
}

// keeper starts the keeper of the unit's network unless it runs; nil if the unit has a
// network of its own. All ports of the network must be reserved by then: they are
// published by the keeper, once and for all.
func (r *DockerRuntime) keeper(ctx context.Context, u Unit) (*container, error) {
	if u.Network == "" {
		return nil, nil
	}
	n := r.share(u.Network)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.keeper != nil {
		return n.keeper, nil
	}
	k := Unit{
		Name: u.Network, Binary: Self, Args: []string{KeepNetworkCommand}, Ports: map[string]Port{},
		Ready: saysKept, StopSignal: SigTerm, StopGrace: startGrace,
	}
	if r.sourcedNetwork() == u.Network {
		k.Args = append(k.Args, r.host(gatewayHost).String(), containerSources.String())
	}
	for i, p := range n.ports {
		k.Ports[strconv.Itoa(i)] = p
	}
	inst, err := r.Start(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("%s: its network: %w", u.Name, err)
	}
	n.keeper = inst.(*container) // as Start made it
	go r.guard(n.keeper)
	return n.keeper, nil
}

// guard ends the units of a network whose keeper ended unasked, as the log of each then
// says: they go on without a network, which would look like the proxy's doing. It
// returns when the keeper has ended, which Close sees to.
func (r *DockerRuntime) guard(keeper *container) {
	<-keeper.Done()
	exit := keeper.Exit()
	if exit.Asked {
		return
	}
	r.mu.Lock()
	all := slices.Clone(r.instances)
	r.mu.Unlock()
	for _, c := range all {
		if c.keeper != keeper || !c.runs() {
			continue
		}
		// Each is best effort: who cannot be told or ended has ended meanwhile.
		if log, err := os.OpenFile(c.logPath, os.O_APPEND|os.O_WRONLY, 0o644); err == nil {
			fmt.Fprintf(log, "the network of %s is gone: %s ended: %s\n", c.unit.Name, keeper.unit.Name, exit.Status)
			log.Close()
		}
		_ = c.Signal(SigKill)
	}
}

// saysKept probes whether a keeper is ready.
func saysKept(_ context.Context, inst Instance) error {
	text, err := os.ReadFile(inst.LogPath())
	if err == nil && !bytes.Contains(text, []byte(kept)) {
		err = errors.New("the network is not ready yet")
	}
	return err
}

// Sources implements Runtime. The addresses are outside of the private network, whose
// gateway the named network becomes, so that answers find their way: were they in the
// private network itself, a proxy would need a neighbour entry for each, and the kernel
// has 1,024 of those for all namespaces together (arp(7), gc_thresh3).
func (r *DockerRuntime) Sources(ctx context.Context, network string, n int) ([]string, error) {
	addresses, err := sourceAddresses(containerSources, n)
	if err != nil || len(addresses) == 0 {
		return nil, err
	}
	r.gate.Lock()
	defer r.gate.Unlock()
	if r.shut {
		return nil, errClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.addrs) > 0 {
		return nil, errors.New("source addresses must be asked for before any port: they take another private network")
	}
	if err := r.removeNetwork(ctx); err != nil {
		return nil, err
	}
	r.sourced = network
	return addresses, r.makeNetwork(ctx)
}

func (r *DockerRuntime) sourcedNetwork() string {
	r.gate.RLock()
	defer r.gate.RUnlock()
	return r.sourced
}

// cable is the container that is on the private network for this one.
func (c *container) cable() *container {
	if c.keeper != nil {
		return c.keeper
	}
	return c
}

// Disconnect takes the unit off the network, with all units that share it: they are
// disconnected one after the other, and their cable is pulled once.
func (c *container) Disconnect(ctx context.Context) error {
	end := c.cable()
	if !end.flip(&end.unplugged, true) {
		return nil
	}
	_, err := c.runtime.docker.api.NetworkDisconnect(ctx, c.runtime.network.ID, client.NetworkDisconnectOptions{Container: end.box.ID})
	if err != nil {
		end.flip(&end.unplugged, false)
		return fmt.Errorf("%s: disconnect from the network: %w", c.unit.Name, err)
	}
	return nil
}

// Reconnect brings the unit back, with the address it had.
func (c *container) Reconnect(ctx context.Context) error {
	end := c.cable()
	if !end.flip(&end.unplugged, false) {
		return nil
	}
	_, err := c.runtime.docker.api.NetworkConnect(ctx, c.runtime.network.ID, client.NetworkConnectOptions{
		Container: end.box.ID, EndpointConfig: c.runtime.endpoint(end.addr),
	})
	if err != nil {
		end.flip(&end.unplugged, true)
		return fmt.Errorf("%s: connect to the network again: %w", c.unit.Name, err)
	}
	return nil
}
