package budget

import "fmt"

// ownDescriptors: as proxyProcesses, for a configuration whose processes are given.
func ownDescriptors(m Machine, d Demand) bound {
	k := int64(d.Own.Processes)
	limit := lesser(m.FDHard, d.Own.NoFile)
	if d.Proxy == Nginx && d.Own.NoFile == (Fact{}) {
		limit = lesser(m.FDHard, m.FDSoft) // Nginx raises it by worker_rlimit_nofile only
	}
	return bound{
		name: "descriptors of a " + d.Proxy + " process", unit: "count", limit: usableFDs(limit),
		needs:   func(n int64) int64 { return 2 * ceil(n, k) },
		formula: func(n int64) string { return said("2 x ", n, " clients / ", k, " processes") },
		fix: func(n int64) string {
			need := 2 * ceil(n, k)
			if d.Proxy == Nginx {
				return fmt.Sprintf("worker_rlimit_nofile %d, or more worker_processes, in nginx.conf, and where it is less %s", fdLimitFor(need), m.raiseFDs(need))
			}
			return m.raiseFDs(need)
		},
	}
}

// ownConnections: an own configuration's cap, beyond which clients hang (HAProxy) or
// are dropped (Nginx).
func ownConnections(d Demand) bound {
	k := int64(d.Own.Processes)
	b := bound{unit: "count", limit: usable(d.Own.Connections)}
	if d.Proxy == HAProxy {
		b.name = "maxconn of haproxy.cfg"
		b.needs = func(n int64) int64 { return ceil(n, k) }
		b.formula = func(n int64) string { return said(n, " clients in one process") }
		b.fix = func(n int64) string { return fmt.Sprintf("maxconn %d in its global section", limitFor(ceil(n, k))) }
		return b
	}
	b.name = "worker_connections of nginx.conf"
	b.needs = func(n int64) int64 { return 2 * ceil(n, k) }
	b.formula = func(n int64) string { return said("2 x ", n, " clients / worker_processes ", k) }
	b.fix = func(n int64) string { return fmt.Sprintf("worker_connections %d", limitFor(2*ceil(n, k))) }
	return b
}

// ownPerNode: beyond a server's own cap HAProxy queues clients and Nginx answers 502.
func ownPerNode(d Demand) bound {
	name, directive := "maxconn of a server in haproxy.cfg", "maxconn %d on its server lines"
	if d.Proxy == Nginx {
		name, directive = "max_conns of a server in nginx.conf", "max_conns=%d on its server lines"
	}
	return bound{
		name: name, unit: "count", limit: usable(d.Own.PerNode),
		needs:   func(n int64) int64 { return ceil(n, int64(d.Nodes)) },
		formula: func(n int64) string { return said(n, " clients / ", d.Nodes, " nodes") },
		fix:     func(n int64) string { return fmt.Sprintf(directive, limitFor(ceil(n, int64(d.Nodes)))) },
	}
}
