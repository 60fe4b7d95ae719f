package budget

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Read reads this machine's facts. One that the system does not tell is unknown; one
// that it tells in a form that proc(5) does not describe is an error.
func Read() (Machine, error) {
	m, err := readFrom(os.DirFS("/"))
	m.Cores = runtime.NumCPU()
	m.FDSoft, m.FDHard = descriptors()
	return m, err
}

// readFrom reads what the files below /proc and /sys tell.
func readFrom(root fs.FS) (Machine, error) {
	f := &files{root: root}
	// Linux answers on all of 127.0.0.0/8; the last octet alone is enough.
	m := Machine{LoopbackAddrs: 254}
	m.FDMax = f.number("proc/sys/fs/nr_open")
	m.FilesMax = f.number("proc/sys/fs/file-max")
	m.FilesOpen = f.field("proc/sys/fs/file-nr", 0)
	m.PortFirst = f.field("proc/sys/net/ipv4/ip_local_port_range", 0)
	m.PortLast = f.field("proc/sys/net/ipv4/ip_local_port_range", 1)
	m.PortsReserved = f.reserved("proc/sys/net/ipv4/ip_local_reserved_ports", m.PortFirst, m.PortLast)
	m.Backlog = f.number("proc/sys/net/core/somaxconn")
	m.TimeWaitMax = f.number("proc/sys/net/ipv4/tcp_max_tw_buckets")
	m.ConntrackMax = f.number("proc/sys/net/netfilter/nf_conntrack_max")
	m.ConntrackCount = f.number("proc/sys/net/netfilter/nf_conntrack_count")
	m.MemoryTotal = f.keyed("proc/meminfo", "MemTotal:", 1024)
	m.MemoryAvailable = f.keyed("proc/meminfo", "MemAvailable:", 1024)
	m.ThreadsMax = f.number("proc/sys/kernel/threads-max")
	group := f.controlGroup(m.MemoryTotal)
	m.MemoryTotal = lesser(m.MemoryTotal, group.memory)
	m.MemoryAvailable = lesser(m.MemoryAvailable, group.memoryFree)
	m.ThreadsMax = lesser(m.ThreadsMax, group.threads)
	return m, errors.Join(f.errs...)
}

// files reads facts from small files and keeps the mistakes.
type files struct {
	root fs.FS
	errs []error
}

// text is a file's text, and false when there is none that this program may read.
func (f *files) text(name string) (string, bool) {
	b, err := fs.ReadFile(f.root, name)
	return strings.TrimSpace(string(b)), err == nil
}

// parse reads one number. Values beyond an int64, as file-max may have, are as good
// as no limit and stay unknown.
func (f *files) parse(name, word string) Fact {
	n, err := strconv.ParseInt(word, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return Fact{}
	case err != nil || n < 0:
		f.errs = append(f.errs, fmt.Errorf("read the machine's limits: /%s: %q is no count", name, word))
		return Fact{}
	}
	return Known(n)
}

// number is a file that holds one number.
func (f *files) number(name string) Fact { return f.field(name, 0) }

// field is the i-th word of a file.
func (f *files) field(name string, i int) Fact {
	text, ok := f.text(name)
	if !ok {
		return Fact{}
	}
	words := strings.Fields(text)
	if i >= len(words) {
		f.errs = append(f.errs, fmt.Errorf("read the machine's limits: /%s: %d words, want %d or more", name, len(words), i+1))
		return Fact{}
	}
	return f.parse(name, words[i])
}

// keyed is the number behind a key at the start of a line, in units of one.
func (f *files) keyed(name, key string, unit int64) Fact {
	text, _ := f.text(name)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != key {
			continue
		}
		n, ok := f.parse(name, words[1]).Get()
		if !ok {
			return Fact{}
		}
		return Known(n * unit)
	}
	return Fact{}
}

// reserved counts the ports of a list as "8080,9148-9150" that lie from first to last.
func (f *files) reserved(name string, first, last Fact) Fact {
	text, ok := f.text(name)
	from, known1 := first.Get()
	to, known2 := last.Get()
	if !ok || !known1 || !known2 {
		return Fact{}
	}
	n := int64(0)
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		a, ok1 := f.parse(name, low).Get()
		b, ok2 := f.parse(name, high).Get()
		if !ok1 || !ok2 {
			return Fact{}
		}
		n += max(0, min(b, to)-max(a, from)+1)
	}
	return Known(n)
}
