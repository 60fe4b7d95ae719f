package main

import (
	"maps"
	"slices"

	"wsrig/haproxy"
	"wsrig/nginx"
	"wsrig/testbed"
)

// proxies is the one table of load balancers. To add one, add its folder and a line.
var proxies = map[string]testbed.Proxy{
	"haproxy": haproxy.Driver{},
	"nginx":   nginx.Driver{},
}

// catalog tells the scenario language which proxies there are.
type catalog struct{}

func (catalog) Drivers() []string { return slices.Sorted(maps.Keys(proxies)) }

func (catalog) Variants(driver string) []string {
	p, ok := proxies[driver]
	if !ok {
		return nil
	}
	return slices.Sorted(maps.Keys(p.Variants()))
}
