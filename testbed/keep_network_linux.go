package testbed

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// claim gives the gateway's address to the interface that it is reached by, and makes
// all addresses of sources local with a single route (ip-route(8), type local), as
// those of 127.0.0.0/8 are.
func claim(gateway netip.Addr, sources netip.Prefix) error {
	routes, err := netlink.RouteGet(gateway.AsSlice())
	if err != nil {
		return fmt.Errorf("route to %s: %w", gateway, err)
	}
	if len(routes) == 0 {
		return fmt.Errorf("no route to %s", gateway)
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return fmt.Errorf("interface towards %s: %w", gateway, err)
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(gateway, gateway.BitLen()))}); err != nil {
		return fmt.Errorf("add the address %s to %s: %w", gateway, link.Attrs().Name, needsRight(err))
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	err = netlink.RouteAdd(&netlink.Route{
		LinkIndex: loopback.Attrs().Index, Dst: ipNet(sources),
		Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST,
	})
	if err != nil {
		return fmt.Errorf("make %s local: %w", sources, needsRight(err))
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// needsRight names what is missing.
func needsRight(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w; it takes CAP_NET_ADMIN, which the docker daemon must be allowed to give", err)
	}
	return err
}
