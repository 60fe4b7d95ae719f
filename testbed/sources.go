package testbed

import (
	"fmt"
	"net/netip"
)

// MaxSources is how many addresses Runtime.Sources can give.
const MaxSources = octets * octets * octets

const octets = 254 // 1 to 254

// Where clients' addresses are from.
var (
	loopbackSources = netip.MustParsePrefix("127.0.0.0/8")
	// containerSources are of the range that is reserved for future use (RFC 1112,
	// section 4): no network that anybody is in has them, and Linux treats them as any.
	containerSources = netip.MustParsePrefix("240.0.0.0/8")
)

// sourceAddresses are n different addresses of a /8. The third octet turns fastest,
// then the second, then the last: a proxy that hashes only the network of a client must
// see different networks. A single one is left to the system: no address at all.
func sourceAddresses(of netip.Prefix, n int) ([]string, error) {
	if n > MaxSources {
		return nil, fmt.Errorf("%d source addresses are above the limit of %d", n, MaxSources)
	}
	if n <= 1 {
		return nil, nil
	}
	addresses := make([]string, n)
	for i := range addresses {
		b := [4]byte{of.Addr().As4()[0], byte(1 + i/octets%octets), byte(1 + i%octets), byte(1 + i/octets/octets%octets)}
		addresses[i] = netip.AddrFrom4(b).String()
	}
	return addresses, nil
}
