package scenario

import (
	"fmt"
	"strings"
)

// maxSources is how many addresses sourceAddresses has to give.
const maxSources = 254 * 254 * 254

// sourceAddresses are n different addresses of 127.0.0.0/8, all of which are local
// on Linux. The third octet turns fastest, then the second, then the last: a proxy
// that hashes only the network of a client must see different networks. A single one
// is left to the system: no address at all.
func sourceAddresses(n int) []string {
	if n <= 1 {
		return nil
	}
	const octets = 254 // 1 to 254
	addresses := make([]string, n)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("127.%d.%d.%d", 1+i/octets%octets, 1+i%octets, 1+i/octets/octets%octets)
	}
	return addresses
}

// sourceKey is what of a client's source address a proxy hashes: all of it or, of an
// IPv4 address, its first 24 bits. Without a list all clients have one address.
func sourceKey(client int, sources []string, bits int) string {
	if len(sources) == 0 {
		return ""
	}
	address := sources[client%len(sources)]
	if bits <= 24 {
		return address[:strings.LastIndexByte(address, '.')+1]
	}
	return address
}

// addedNodes counts the nodes that the cell's steps add.
func (c *CellPlan) addedNodes() int {
	n := 0
	for _, s := range c.Steps {
		switch s := s.(type) {
		case *Fault:
			n += adds(s)
		case *Publish:
			for _, f := range s.During {
				n += adds(&f.Fault)
			}
		}
	}
	return n
}

// adds is how many nodes a fault adds.
func adds(f *Fault) int {
	if f.Add != "" {
		return 1
	}
	return 0
}
