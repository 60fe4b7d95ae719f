package testbed

import (
	"context"
	"fmt"
	"io"
	"net/netip"
)

// KeepNetwork keeps the network namespace that this program runs in until ctx ends. args
// are none, or the gateway's address that is to be this namespace's, and a prefix of
// which all addresses are to be local: then programs in here may connect from each of
// them, and whoever has this gateway can answer. That takes the capability
// CAP_NET_ADMIN, and Linux.
func KeepNetwork(ctx context.Context, args []string, out io.Writer) error {
	switch len(args) {
	case 0:
	case 2:
		gateway, err := netip.ParseAddr(args[0])
		if err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
		sources, err := netip.ParsePrefix(args[1])
		if err != nil {
			return fmt.Errorf("source addresses: %w", err)
		}
		if err := claim(gateway, sources); err != nil {
			return fmt.Errorf("make this network the gateway of %s: %w", sources, err)
		}
	default:
		return fmt.Errorf("%d arguments; write GATEWAY PREFIX, or nothing", len(args))
	}
	fmt.Fprintln(out, kept)
	<-ctx.Done()
	return nil
}
