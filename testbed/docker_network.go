package testbed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/moby/moby/api/types/network"
	tcnetwork "github.com/testcontainers/testcontainers-go/network"
)

// subnetTries is how many subnets are tried before the network is given up. Those of
// other testbeds are taken.
const subnetTries = 64

// gatewayKey is the auxiliary address of a bridge network that is its containers'
// gateway instead of the bridge (libnetwork, drivers/bridge, DefaultGatewayV4AuxKey).
const gatewayKey = "DefaultGatewayIPv4"

// makeNetwork makes the private network, with a subnet that nobody has: the daemon
// gives fixed addresses in a subnet that was chosen for it only. Where clients come
// from several addresses, its gateway is one of the network that they are in.
func (r *DockerRuntime) makeNetwork(ctx context.Context) error {
	ctx, cancel := apiContext(ctx)
	defer cancel()
	first := rand.IntN(1 << 16)
	var err error
	for i := range subnetTries {
		r.subnet = subnet(first + i)
		labels := r.docker.labels(r.run, "network")
		ipam := network.IPAMConfig{Subnet: r.subnet}
		if r.sourced != "" {
			ipam.AuxAddress = map[string]netip.Addr{gatewayKey: r.host(gatewayHost)}
		}
		// The generic labels are the library's; without its clean-up they say nothing.
		r.network, err = tcnetwork.New(ctx, tcnetwork.WithDriver("bridge"), tcnetwork.WithLabels(labels),
			tcnetwork.WithIPAM(&network.IPAM{Driver: "default", Config: []network.IPAMConfig{ipam}}))
		if err == nil {
			r.name = r.network.Name
			return nil
		}
		if !strings.Contains(strings.ToLower(err.Error()), "overlap") {
			break
		}
	}
	return &DockerError{"make a private network", err, "see docker network ls; remove what dead runs left with: wsrig down"}
}

// removeNetwork removes it once no container is on it.
func (r *DockerRuntime) removeNetwork(ctx context.Context) error {
	if r.network == nil {
		return nil // it could not be made again
	}
	ctx, cancel := apiContext(ctx)
	defer cancel()
	if err := r.network.Remove(ctx); err != nil {
		return fmt.Errorf("remove the private network: %w; remove it with: wsrig down", err)
	}
	r.network = nil
	return nil
}

// Numbers of hosts in the private network. The bridge has 1.
const (
	firstHost   = 2
	lastHost    = 253
	gatewayHost = 254
)

// host is the n-th address of the private network.
func (r *DockerRuntime) host(n int) netip.Addr {
	b := r.subnet.Addr().As4()
	b[3] = byte(n)
	return netip.AddrFrom4(b)
}

// endpoint is a unit's place in the network.
func (r *DockerRuntime) endpoint(addr netip.Addr) *network.EndpointSettings {
	return &network.EndpointSettings{NetworkID: r.network.ID, IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: addr}}
}

// published are the unit's ports, each on 127.0.0.1 under its own number.
func published(u Unit) (exposed []string, bindings network.PortMap) {
	bindings = network.PortMap{}
	for _, name := range sortedNames(u.Ports) {
		_, inside := splitAddr(u.Ports[name].Listen)
		host, number := splitAddr(u.Ports[name].Host)
		port, ok := network.PortFrom(uint16(inside), network.TCP)
		if !ok {
			continue // splitAddr has seen to it
		}
		exposed = append(exposed, port.String())
		bindings[port] = []network.PortBinding{{HostIP: netip.MustParseAddr(host), HostPort: fmt.Sprint(number)}}
	}
	return exposed, bindings
}
