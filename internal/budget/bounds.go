package budget

import (
	"fmt"

	"wsrig/internal/result"
)

// workerProcesses: each client is a descriptor of its worker, and the plan starts as
// many workers as that takes.
func workerProcesses(m Machine) bound {
	return bound{
		name: "worker processes", unit: "count", limit: Known(maxProcesses),
		needs: m.workers,
		formula: func(n int64) string {
			per, _ := lesser(Known(maxPerWorker), usableFDs(m.FDHard)).Get()
			return said(n, " clients / ", per, " in each worker")
		},
		fix: func(n int64) string {
			if hard, ok := usableFDs(m.FDHard).Get(); ok && hard < maxPerWorker {
				return m.raiseFDs(min(maxPerWorker, ceil(n, maxProcesses)))
			}
			return "a second machine for workers"
		},
	}
}

// raiseFDs is how to let a process have n descriptors for its clients.
func (m Machine) raiseFDs(n int64) string {
	limit := fdLimitFor(n)
	fix := fmt.Sprintf("a hard limit of %d descriptors (ulimit -Hn as root, or LimitNOFILE= of the systemd unit)", limit)
	if most, ok := m.FDMax.Get(); ok && limit > most {
		fix += fmt.Sprintf(", after sysctl fs.nr_open=%d", limit)
	}
	return fix
}

// sourceAddresses: a source address has one port for each connection to one
// destination; clients are spread over 127.0.0.1, 127.0.0.2, ...
func sourceAddresses(m Machine, d Demand) bound {
	ports := usable(m.Ports())
	limit := Known(int64(m.LoopbackAddrs))
	if _, ok := ports.Get(); !ok {
		limit = Fact{}
	}
	return bound{
		name: "source addresses of the clients", unit: "count", limit: limit,
		needs: func(n int64) int64 { return d.sources(m, n) },
		formula: func(n int64) string {
			per, _ := ports.Get()
			if d.Proxy != "" {
				return said(n, " clients / ", per, " ports of an address to the proxy")
			}
			return said(n, " clients / ", d.Nodes, " nodes / ", per, " ports of an address to a node")
		},
		fix: func(int64) string { return m.widenPorts() },
	}
}

// widenPorts is how to get more ports, or none where the range is as wide as it gets.
func (m Machine) widenPorts() string {
	const first, last = 1024, 65535 // below are privileged ports (RFC 6335 section 6)
	if n, ok := m.Ports().Get(); ok && n >= last-first+1 {
		return ""
	}
	return fmt.Sprintf("sysctl net.ipv4.ip_local_port_range='%d %d'", first, last)
}

// nodeDescriptors: each client is a descriptor of its node.
func nodeDescriptors(m Machine, d Demand) bound {
	room := usableFDs(m.FDHard)
	return bound{
		name: "descriptors of a node", unit: "count", limit: room,
		needs:   func(n int64) int64 { return ceil(n, int64(d.Nodes)) },
		formula: func(n int64) string { return said(n, " clients / ", d.Nodes, " nodes") },
		fix: func(n int64) string {
			if per, _ := room.Get(); per > 0 {
				return d.moreNodes(ceil(n, per))
			}
			return m.raiseFDs(ceil(n, int64(d.Nodes)))
		},
	}
}

// moreNodes is how to have that many nodes.
func (d Demand) moreNodes(n int64) string {
	if d.Own != nil {
		return fmt.Sprintf("%d nodes in the proxy's configuration", n)
	}
	return fmt.Sprintf("nodes: %d", n)
}

// proxyPorts: towards a node the proxy's own address is the source, and all of the
// proxy's processes share it.
func proxyPorts(m Machine, d Demand) bound {
	ports := usable(m.Ports())
	return bound{
		name: "ports from the proxy to a node", unit: "count", limit: ports,
		needs:   func(n int64) int64 { return ceil(n, int64(d.Nodes)) },
		formula: func(n int64) string { return said(n, " clients / ", d.Nodes, " nodes") },
		fix: func(n int64) string {
			fix := m.widenPorts()
			if per, _ := ports.Get(); per > 0 {
				fix = d.moreNodes(ceil(n, per))
			}
			if d.Proxy == HAProxy {
				return fix + ", or another source address for each server (source)"
			}
			return fix + ", or more source addresses (proxy_bind)"
		},
	}
}

// proxyProcesses: a proxy has two descriptors for each client, and a shipped
// configuration is started as often as that takes.
func proxyProcesses(m Machine, d Demand) bound {
	return bound{
		name: d.Proxy + " processes", unit: "count", limit: Known(maxProcesses),
		needs: func(n int64) int64 { return d.processes(m, n) },
		formula: func(n int64) string {
			room, known := usableFDs(m.FDHard).Get()
			if !known {
				return "one, since the limit of descriptors is unknown"
			}
			return said("2 x ", n, " clients / ", room, " descriptors in each, fuller ones included")
		},
		fix: func(n int64) string { return m.raiseFDs(2 * uneven(n, maxProcesses)) },
	}
}

// memory: what clients take in worker, node, proxy and kernel, and every process
// before its first.
func memory(m Machine, d Demand) bound {
	each := d.WorkerBytes + d.NodeBytes + d.ProxyBytes + d.legs()*kernelBytes
	if _, tracked := m.ConntrackMax.Get(); tracked {
		each += d.legs() * conntrackBytes
	}
	count := func(n int64) int64 { return m.workers(n) + d.processes(m, n) + int64(d.Nodes) }
	return bound{
		name: "memory", unit: "bytes", limit: usable(m.MemoryAvailable),
		needs: func(n int64) int64 { return int64(d.Testbeds) * (n*each + count(n)*processBytes) },
		formula: func(n int64) string {
			return d.times() + said(n, " clients x ", each, " bytes + ", count(n), " processes x ", result.Format(processBytes, "bytes"))
		},
		fix: d.atOnce(func(n int64) string {
			return result.Format(float64(limitFor(n*each+count(n)*processBytes)), "bytes") + " of free memory"
		}),
	}
}

// conntrack: the kernel counts loopback connections too, one entry for each.
func conntrack(m Machine, d Demand) bound {
	per := int64(d.Testbeds) * d.legs()
	used, _ := m.ConntrackCount.Get()
	return bound{
		name: "connection tracking entries", unit: "count", limit: free(m.ConntrackMax, m.ConntrackCount),
		needs:   func(n int64) int64 { return per * n },
		formula: func(n int64) string { return d.times() + said(n, " clients x ", d.legs()) },
		fix: d.atOnce(func(n int64) string {
			return fmt.Sprintf("sysctl net.netfilter.nf_conntrack_max=%d", limitFor(d.legs()*n+used))
		}),
	}
}

// openFiles: every end of every connection is an open file of the system.
func openFiles(m Machine, d Demand) bound {
	per := 2 * d.legs()
	used, _ := m.FilesOpen.Get()
	return bound{
		name: "open files of the system", unit: "count", limit: free(m.FilesMax, m.FilesOpen),
		needs:   func(n int64) int64 { return int64(d.Testbeds) * per * n },
		formula: func(n int64) string { return d.times() + said(n, " clients x ", per) },
		fix: d.atOnce(func(n int64) string {
			return fmt.Sprintf("sysctl fs.file-max=%d", limitFor(per*n+used))
		}),
	}
}

// times begins a formula of what all testbeds share.
func (d Demand) times() string {
	if d.Testbeds == 1 {
		return ""
	}
	return said(d.Testbeds, " testbeds x ")
}

// atOnce is the fix of a wall that all testbeds run into together.
func (d Demand) atOnce(one func(n int64) string) func(n int64) string {
	return func(n int64) string {
		if d.Testbeds == 1 {
			return one(n)
		}
		return "fewer cells at the same time (parallel: 1), or " + one(int64(d.Testbeds)*n)
	}
}
