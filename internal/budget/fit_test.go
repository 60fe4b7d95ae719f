package budget

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// reference is a 2-core Debian 12 machine with 24 GiB, as many have it.
func reference() Machine {
	return Machine{
		Cores: 2, FDSoft: Known(20_000), FDHard: Known(20_000), FDMax: Known(1 << 20),
		FilesMax: Known(2_466_186), FilesOpen: Known(800),
		PortFirst: Known(32_768), PortLast: Known(60_999), PortsReserved: Known(0),
		LoopbackAddrs: 254, MemoryTotal: Known(24 << 30), MemoryAvailable: Known(22 << 30),
		Backlog: Known(4096), TimeWaitMax: Known(131_072), ConntrackMax: Known(262_144), ConntrackCount: Known(100),
		ThreadsMax: Known(190_000),
	}
}

var (
	one  = []string{"127.0.0.1"}
	two  = []string{"127.0.0.1", "127.0.0.2"}
	four = []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"}
)

func TestFit(t *testing.T) {
	for _, tc := range []struct {
		what string
		d    Demand
		want Layout
	}{
		{"a small cell takes one of everything", Demand{Clients: 200, Nodes: 2, Proxy: HAProxy},
			Layout{Workers: 1, SourceAddrs: one, Nodes: 2, ProxyProcesses: 1, MaxConn: 350, NoFile: 800}},
		{"18,000 clients are one worker's share of 20,000 descriptors, and from one address would be slow", Demand{Clients: 18_000, Nodes: 1},
			Layout{Workers: 1, SourceAddrs: two, Nodes: 1}},
		{"one more client takes a second worker", Demand{Clients: 18_001, Nodes: 2},
			Layout{Workers: 2, SourceAddrs: one, Nodes: 2}},
		{"50,000 direct clients fit with three workers, and two addresses since each node is a destination", Demand{Clients: 50_000, Nodes: 3},
			Layout{Workers: 3, SourceAddrs: two, Nodes: 3}},
		{"36,000 clients fit through four HAProxy processes, from four addresses", Demand{Clients: 36_000, Nodes: 2, Proxy: HAProxy, Engine: EngineEpoll},
			Layout{Workers: 2, SourceAddrs: four, Nodes: 2, ProxyProcesses: 4, MaxConn: 9_950, NoFile: 20_000}},
		{"40,000 clients fit through five Nginx workers, from four addresses", Demand{Clients: 40_000, Nodes: 3, Proxy: Nginx},
			Layout{Workers: 3, SourceAddrs: four, Nodes: 3, NginxWorkers: 5, WorkerConnections: 19_900, NoFile: 20_000}},
		{"a configuration of one's own keeps its limits", Demand{Clients: 500, Nodes: 2, Proxy: Nginx, Own: &OwnLimits{Processes: 2, Connections: Known(1024)}},
			Layout{Workers: 1, SourceAddrs: one, Nodes: 2, NginxWorkers: 2}},
		{"five cells at the same time share what is the machine's", Demand{Clients: 10_000, Nodes: 2, Proxy: HAProxy, Testbeds: 5},
			Layout{Workers: 1, SourceAddrs: one, Nodes: 2, ProxyProcesses: 2, MaxConn: 6_600, NoFile: 13_300}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			got, err := Fit(reference(), tc.d)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

func TestCannotFit(t *testing.T) {
	changed := func(change func(*Machine)) Machine {
		m := reference()
		change(&m)
		return m
	}
	for _, tc := range []struct {
		what    string
		m       Machine
		d       Demand
		first   string
		largest int
		fix     string
	}{
		{"two nodes of 20,000 descriptors hold 36,000 clients, so 50,000 need a third", reference(),
			Demand{Clients: 50_000, Nodes: 2}, "descriptors of a node", 36_000, "nodes: 3"},
		{"200,000 proxied clients are two tracked connections each; nodes alone do not help", reference(),
			Demand{Clients: 200_000, Nodes: 16, Proxy: HAProxy}, "connection tracking entries", 117_915, "nf_conntrack_max=444555"},
		{"with few nodes 200,000 clients meet the nodes' descriptors first", reference(),
			Demand{Clients: 200_000, Nodes: 2, Proxy: Nginx}, "descriptors of a node", 36_000, "nodes: 12"},
		{"with many descriptors the ports from the proxy to a node come first", changed(func(m *Machine) { m.FDHard = Known(1 << 20) }),
			Demand{Clients: 60_000, Nodes: 2, Proxy: HAProxy}, "ports from the proxy to a node", 50_818, "nodes: 3, or another source address for each server (source)"},
		{"a small container is out of memory", changed(func(m *Machine) { m.MemoryAvailable = Known(512 << 20) }),
			Demand{Clients: 30_000, Nodes: 2}, "memory", 15_654, "of free memory"},
		{"five cells at once share the tracked connections", reference(),
			Demand{Clients: 30_000, Nodes: 2, Proxy: HAProxy, Testbeds: 5}, "connection tracking entries", 23_583, "parallel: 1"},
		{"a file's maxconn holds, less the tenth in which clients hang", reference(),
			Demand{Clients: 2_000, Nodes: 2, Proxy: HAProxy, Own: &OwnLimits{Processes: 1, Connections: Known(2_000)}}, "maxconn of haproxy.cfg", 1_800, "maxconn 2222"},
		{"a file's worker_connections count both sides", reference(),
			Demand{Clients: 1_000, Nodes: 2, Proxy: Nginx, Own: &OwnLimits{Processes: 1, Connections: Known(768)}}, "worker_connections of nginx.conf", 346, "worker_connections 2222"},
		{"a server line's maxconn holds tunnels back as long as they live", reference(),
			Demand{Clients: 500, Nodes: 2, Proxy: HAProxy, Own: &OwnLimits{Processes: 1, PerNode: Known(100)}}, "maxconn of a server in haproxy.cfg", 180, "maxconn 277 on its server lines"},
		{"Nginx without worker_rlimit_nofile has the soft limit", changed(func(m *Machine) { m.FDSoft = Known(1024) }),
			Demand{Clients: 1_000, Nodes: 2, Proxy: Nginx, Own: &OwnLimits{Processes: 1, Connections: Known(10_000)}}, "descriptors of a nginx process", 461, "worker_rlimit_nofile 2222"},
		{"where only one loopback address is configured its ports bound a proxy's clients", changed(func(m *Machine) { m.LoopbackAddrs = 1 }),
			Demand{Clients: 30_000, Nodes: 2, Proxy: HAProxy}, "source addresses of the clients", 25_409, "ip_local_port_range='1024 65535'"},
		{"a limit of 100 descriptors holds no client at all", changed(func(m *Machine) { m.FDHard = Known(100) }),
			Demand{Clients: 1, Nodes: 1}, "worker processes", 0, "a hard limit of 101 descriptors"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			_, err := Fit(tc.m, tc.d)
			var cannot *CannotFitError
			if !errors.As(err, &cannot) {
				t.Fatalf("error is %v, want a CannotFitError", err)
			}
			if cannot.First.Name != tc.first || cannot.Largest != tc.largest || !strings.Contains(cannot.First.Fix, tc.fix) {
				t.Errorf("got %s at %d, fix %q\nwant %s at %d, fix %q", cannot.First.Name, cannot.Largest, cannot.First.Fix, tc.first, tc.largest, tc.fix)
			}
			for _, part := range []string{tc.first, tc.fix, commas(int64(tc.largest))} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the message does not say %q: %s", part, err)
				}
			}
		})
	}
}

func TestFitNamesTheNextWall(t *testing.T) {
	_, err := Fit(reference(), Demand{Clients: 200_000, Nodes: 2, Proxy: HAProxy})
	const want = "200,000 clients do not fit, 36,000 would: the first wall is descriptors of a node, which needs 100,000 of 18,000 " +
		"(200,000 clients / 2 nodes); fix: nodes: 12; the next wall is ports from the proxy to a node, at 50,818 clients, " +
		"fix: nodes: 8, or another source address for each server (source)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestFitRefusesBadDemands(t *testing.T) {
	for _, tc := range []struct {
		d    Demand
		want string
	}{
		{Demand{Nodes: 1}, "clients 0: use 1 to 10000000"},
		{Demand{Clients: maxClients + 1, Nodes: 1}, "clients 10000001"},
		{Demand{Clients: -3, Nodes: -1}, "nodes -1"},
		{Demand{Clients: 1, Nodes: 1, Proxy: "hproxy"}, `did you mean "haproxy"`},
		{Demand{Clients: 1, Nodes: 1, Engine: "epol"}, `did you mean "epoll"`},
		{Demand{Clients: 1, Nodes: 1, Testbeds: -1}, "testbeds -1"},
		{Demand{Clients: 1, Nodes: 1, NodeBytes: -1}, "below 0 bytes"},
		{Demand{Clients: 1, Nodes: 1, Own: &OwnLimits{Processes: 1}}, "need a proxy"},
		{Demand{Clients: 1, Nodes: 1, Proxy: Nginx, Own: &OwnLimits{}}, "1 process or more"},
	} {
		_, err := Fit(reference(), tc.d)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: got %v, want %q", tc.d, err, tc.want)
		}
		if walls := Walls(reference(), tc.d); walls != nil {
			t.Errorf("%+v has walls: %v", tc.d, walls)
		}
	}
}

// An unknown limit is no limit, and not a limit of 0.
func TestUnknownFactsBoundNothing(t *testing.T) {
	got, err := Fit(Machine{LoopbackAddrs: 1}, Demand{Clients: 40_000, Nodes: 1, Proxy: HAProxy})
	want := Layout{Workers: 3, SourceAddrs: one, Nodes: 1, ProxyProcesses: 1, MaxConn: 50_100, NoFile: 100_300}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

// A fix that is a number of nodes moves the wall that it is for.
func TestMoreNodesMoveTheWall(t *testing.T) {
	for _, d := range []Demand{{Clients: 50_000, Nodes: 2}, {Clients: 100_000, Nodes: 1, Proxy: HAProxy}, {Clients: 70_000, Nodes: 3, Proxy: Nginx}} {
		var cannot *CannotFitError
		if _, err := Fit(reference(), d); !errors.As(err, &cannot) {
			t.Fatalf("%+v: error is %v, want a CannotFitError", d, err)
		}
		var n int
		if err := json.Unmarshal([]byte(strings.TrimPrefix(cannot.First.Fix, "nodes: ")), &n); err != nil {
			t.Fatalf("%+v: the fix %q is no number of nodes", d, cannot.First.Fix)
		}
		d.Nodes = n
		if _, err := Fit(reference(), d); err != nil {
			t.Errorf("%+v: still does not fit: %v", d, err)
		}
		d.Nodes--
		if _, err := Fit(reference(), d); err == nil {
			t.Errorf("%+v: one node fewer fits too, so the fix asks for too much", d)
		}
	}
}

func TestWallsAreSortedAndSay(t *testing.T) {
	walls := Walls(reference(), Demand{Clients: 36_000, Nodes: 2, Proxy: HAProxy})
	if len(walls) < 6 {
		t.Fatalf("only %d walls", len(walls))
	}
	for i, w := range walls {
		if w.Name == "" || w.Fix == "" || w.Formula == "" || w.Limit <= 0 || w.Needs <= 0 {
			t.Errorf("%+v says too little", w)
		}
		if i > 0 && w.MaxClients < walls[i-1].MaxClients {
			t.Errorf("%s (%d clients) stands after %s (%d)", w.Name, w.MaxClients, walls[i-1].Name, walls[i-1].MaxClients)
		}
	}
	if first := walls[0]; first.Name != "descriptors of a node" || first.MaxClients != 36_000 || first.Fix != "nodes: 4" {
		t.Errorf("the first wall is %+v", first)
	}
}
