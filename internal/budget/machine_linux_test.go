package budget

import (
	"encoding/json"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a file system of small files.
func tree(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

// debian is what a Debian 12 machine tells.
func debian() map[string]string {
	return map[string]string{
		"proc/sys/fs/nr_open":                         "1048576\n",
		"proc/sys/fs/file-max":                        "9223372036854775807\n",
		"proc/sys/fs/file-nr":                         "781\t0\t9223372036854775807\n",
		"proc/sys/net/ipv4/ip_local_port_range":       "32768\t60999\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports":   "8080,40000-40009,60990-61010\n",
		"proc/sys/net/core/somaxconn":                 "4096\n",
		"proc/sys/net/ipv4/tcp_max_tw_buckets":        "131072\n",
		"proc/sys/net/netfilter/nf_conntrack_max":     "262144\n",
		"proc/sys/net/netfilter/nf_conntrack_count":   "17\n",
		"proc/sys/kernel/threads-max":                 "192730\n",
		"proc/meminfo":                                "MemTotal:       24684092 kB\nMemFree:        20604904 kB\nMemAvailable:   23956672 kB\n",
		"proc/self/cgroup":                            "0::/\n",
		"sys/fs/cgroup/cgroup.controllers":            "memory pids\n",
		"sys/fs/cgroup/memory/memory.limit_in_bytes":  "9223372036854771712\n",
		"sys/fs/cgroup/memory/memory.usage_in_bytes":  "700\n",
		"sys/fs/cgroup/pids/pids.max":                 "max\n",
		"sys/fs/cgroup/system.slice/other/memory.max": "1\n",
	}
}

func TestReadFrom(t *testing.T) {
	whole := Machine{
		FDMax: Known(1_048_576), FilesMax: Known(1<<63 - 1), FilesOpen: Known(781),
		PortFirst: Known(32_768), PortLast: Known(60_999), PortsReserved: Known(20), LoopbackAddrs: 254,
		MemoryTotal: Known(24_684_092 << 10), MemoryAvailable: Known(23_956_672 << 10),
		Backlog: Known(4096), TimeWaitMax: Known(131_072), ConntrackMax: Known(262_144), ConntrackCount: Known(17),
		ThreadsMax: Known(192_730),
	}
	for _, tc := range []struct {
		what   string
		change map[string]string // "" takes the file away
		want   func(*Machine)
	}{
		{"a whole machine; of reserved ports only those in the range count", nil, func(*Machine) {}},
		{"without connection tracking its figures are unknown, not 0",
			map[string]string{"proc/sys/net/netfilter/nf_conntrack_max": "", "proc/sys/net/netfilter/nf_conntrack_count": ""},
			func(m *Machine) { m.ConntrackMax, m.ConntrackCount = Fact{}, Fact{} }},
		{"no reserved ports are 0 of them", map[string]string{"proc/sys/net/ipv4/ip_local_reserved_ports": "\n"},
			func(m *Machine) { m.PortsReserved = Known(0) }},
		{"a file-max beyond all counting is unknown", map[string]string{"proc/sys/fs/file-max": "18446744073709551615\n"},
			func(m *Machine) { m.FilesMax = Fact{} }},
		{"a container of version 2 has its own memory, page cache counted as free, and bounds from the group above",
			map[string]string{
				"proc/self/cgroup":                     "0::/a/b\n",
				"sys/fs/cgroup/a/memory.max":           "2000000\n",
				"sys/fs/cgroup/a/memory.current":       "1500000\n",
				"sys/fs/cgroup/a/memory.stat":          "anon 1\ninactive_file 200000\n",
				"sys/fs/cgroup/a/b/memory.max":         "max\n",
				"sys/fs/cgroup/a/b/pids.max":           "512\n",
				"sys/fs/cgroup/a/pids.max":             "1024\n",
				"sys/fs/cgroup/a/b/cgroup.controllers": "memory pids\n",
			},
			func(m *Machine) {
				m.MemoryTotal, m.MemoryAvailable, m.ThreadsMax = Known(2_000_000), Known(700_000), Known(512)
			}},
		{"a container of version 1 sees its limits at the mount when the path is the host's",
			map[string]string{
				"proc/self/cgroup":                           "8:pids:/docker/x\n4:memory:/docker/x\n2:cpu,cpuacct:/\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
				"sys/fs/cgroup/memory/memory.usage_in_bytes": "400000\n",
				"sys/fs/cgroup/memory/memory.stat":           "inactive_file 5\ntotal_inactive_file 100\n",
				"sys/fs/cgroup/pids/pids.max":                "100\n",
			},
			func(m *Machine) {
				m.MemoryTotal, m.MemoryAvailable, m.ThreadsMax = Known(1_000_000), Known(600_100), Known(100)
			}},
		{"version 1's way to say no limit is none",
			map[string]string{"proc/self/cgroup": "4:memory:/\n"}, func(*Machine) {}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			files := debian()
			for name, text := range tc.change {
				if files[name] = text; text == "" {
					delete(files, name)
				}
			}
			got, err := readFrom(tree(files))
			if err != nil {
				t.Fatal(err)
			}
			want := whole
			tc.want(&want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestReadFromNothing(t *testing.T) {
	got, err := readFrom(tree(nil))
	if want := (Machine{LoopbackAddrs: 254}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestReadFromSaysWhatIsMalformed(t *testing.T) {
	for name, text := range map[string]string{
		"proc/sys/fs/nr_open":                       "many\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports": "80-\n",
		"proc/meminfo":                              "MemTotal: -5 kB\n",
		"proc/sys/net/core/somaxconn":               "\n",
	} {
		files := debian()
		files[name] = text
		if _, err := readFrom(tree(files)); err == nil || !strings.Contains(err.Error(), "/"+name) {
			t.Errorf("%s %q: got %v, want an error that names the file", name, text, err)
		}
	}
}

func TestReadThisMachine(t *testing.T) {
	m, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	hard, ok := m.FDHard.Get()
	if soft, known := m.FDSoft.Get(); !ok || known && soft > hard {
		t.Errorf("descriptors %s soft, %s hard", m.FDSoft, m.FDHard)
	}
	total, ok1 := m.MemoryTotal.Get()
	available, ok2 := m.MemoryAvailable.Get()
	if !ok1 || !ok2 || available <= 0 || available > total {
		t.Errorf("memory %s, of which %s is available", m.MemoryTotal, m.MemoryAvailable)
	}
	if n, ok := m.Ports().Get(); !ok || n < 1 || n > 65_535 {
		t.Errorf("%s ports", m.Ports())
	}
	if m.Cores < 1 {
		t.Errorf("%d cores", m.Cores)
	}
}

func TestFactsKeepUnknownInJSON(t *testing.T) {
	in := Machine{Cores: 2, FDHard: Known(0)}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.Contains(s, `"fd_hard":0`) || !strings.Contains(s, `"fd_soft":null`) {
		t.Errorf("JSON is %s", s)
	}
	var out Machine
	if err := json.Unmarshal(text, &out); err != nil || out != in {
		t.Errorf("got %+v, %v; want %+v", out, err, in)
	}
	if got := (Fact{}).String() + " " + Known(7).String(); got != "unknown 7" {
		t.Errorf("facts as text: %s", got)
	}
}
