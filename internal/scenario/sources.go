package scenario

import "strings"

// sources is the most source addresses that any connect step of the cell takes.
func (c *CellPlan) sources() int {
	n := 0
	for _, s := range c.Steps {
		if connect, ok := s.(*Connect); ok {
			n = max(n, connect.sources(c))
		}
	}
	return n
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
