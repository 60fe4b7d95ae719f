package budget

// Machine is what the system lets its programs have. Counts unless the comment says
// otherwise.
type Machine struct {
	Cores int `json:"cores"` // that this program may use
	// FDSoft and FDHard are a process's descriptors, RLIMIT_NOFILE of getrlimit(2):
	// soft as a program gets it that is started from here, hard as far as it may
	// raise it by itself. Nodes and workers do, as every Go program; so do HAProxy
	// (maxconn) and Nginx (worker_rlimit_nofile).
	FDSoft Fact `json:"fd_soft"`
	FDHard Fact `json:"fd_hard"`
	FDMax  Fact `json:"fd_max"` // as far as root may raise the hard limit: fs.nr_open
	// FilesMax and FilesOpen are open files of the whole system: fs.file-max, and how
	// many there are now.
	FilesMax  Fact `json:"files_max"`
	FilesOpen Fact `json:"files_open"`
	// PortFirst to PortLast are the ports that connect(2) chooses from, less
	// PortsReserved of them: net.ipv4.ip_local_port_range and ip_local_reserved_ports.
	PortFirst     Fact `json:"port_first"`
	PortLast      Fact `json:"port_last"`
	PortsReserved Fact `json:"ports_reserved"`
	// LoopbackAddrs are the addresses from 127.0.0.1 on that a client may connect from.
	LoopbackAddrs int `json:"loopback_addrs"`
	// Memory in bytes, of the machine or, where it is less, of this program's control
	// group.
	MemoryTotal     Fact `json:"memory_total_bytes"`
	MemoryAvailable Fact `json:"memory_available_bytes"`
	Backlog         Fact `json:"backlog"`       // longest accept queue: net.core.somaxconn
	TimeWaitMax     Fact `json:"time_wait_max"` // net.ipv4.tcp_max_tw_buckets
	// ConntrackMax and ConntrackCount are entries of the connection tracking table;
	// unknown where the kernel tracks none.
	ConntrackMax   Fact `json:"conntrack_max"`
	ConntrackCount Fact `json:"conntrack_count"`
	ThreadsMax     Fact `json:"threads_max"` // threads of all processes together
}

// Ports is how many connections one source address can have to one destination
// address and port: the kernel tells connections apart by both addresses and both
// ports (RFC 9293 section 3.3), and the destination's are given.
func (m Machine) Ports() Fact {
	first, ok1 := m.PortFirst.Get()
	last, ok2 := m.PortLast.Get()
	if !ok1 || !ok2 {
		return Fact{}
	}
	reserved, _ := m.PortsReserved.Get() // a kernel without the setting reserves none
	return Known(max(0, last-first+1-reserved))
}

// keepBack is the part of every limit that no plan uses, one tenth: a proxy at its
// limit does not refuse clients but leaves them hanging (HAProxy's manual, maxconn),
// connect(2) searches long among the last free ports, and other programs are on the
// machine too.
const keepBack = 10

// reserveFDs are descriptors of a process that are not its clients': listening
// sockets, logs, event queues, statistics, Redis. HAProxy takes most: of 20,000
// descriptors it has 9,950 times two for clients.
const reserveFDs = 100

// usable is what a plan may use of a limit.
func usable(limit Fact) Fact {
	if n, ok := limit.Get(); ok {
		return Known(n - n/keepBack)
	}
	return Fact{}
}

// usableFDs is how many of a process's descriptors may be its clients'.
func usableFDs(limit Fact) Fact {
	if n, ok := limit.Get(); ok {
		return Known(max(0, n-max(n/keepBack, reserveFDs)))
	}
	return Fact{}
}

// limitFor is the smallest limit of which n are usable.
func limitFor(n int64) int64 { return n + (n-1)/(keepBack-1) }

// fdLimitFor is the smallest limit of descriptors of which n are usable.
func fdLimitFor(n int64) int64 { return max(n+reserveFDs, limitFor(n)) }

// free is what is left of a shared limit's usable part beside what is used now.
func free(limit, used Fact) Fact {
	n, ok := usable(limit).Get()
	if !ok {
		return Fact{}
	}
	now, _ := used.Get() // unknown use cannot be taken off
	return Known(max(0, n-now))
}
