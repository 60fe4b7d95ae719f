package budget

import (
	"path"
	"strings"
)

// group is what this program's control group allows: in a container, often less than
// the machine.
type group struct {
	memory, memoryFree Fact // bytes
	threads            Fact
}

// controlGroup reads the limits of the group that /proc/self/cgroup names, in either
// version (cgroups(7)): of version 2 one line "0::/path", of version 1 one line for
// each controller. A limit at or above the machine's memory is none.
func (f *files) controlGroup(machine Fact) group {
	var g group
	text, _ := f.text("proc/self/cgroup")
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		controllers, at := strings.Split(parts[1], ","), parts[2]
		for _, c := range controllers {
			switch c {
			case "":
				f.unified(&g, at)
			case "memory":
				f.memoryOne(&g, at)
			case "pids":
				g.threads = lesser(g.threads, f.limit(f.find("sys/fs/cgroup/pids", at, "pids.max")))
			}
		}
	}
	total, known := machine.Get()
	if limit, ok := g.memory.Get(); ok && known && limit >= total {
		g.memory, g.memoryFree = Fact{}, Fact{}
	}
	return g
}

// unified reads version 2, where the groups above bound the one below too.
func (f *files) unified(g *group, at string) {
	for dir := path.Join("sys/fs/cgroup", at); strings.HasPrefix(dir, "sys/fs/cgroup"); dir = path.Dir(dir) {
		g.threads = lesser(g.threads, f.limit(path.Join(dir, "pids.max")))
		f.memoryAt(g, path.Join(dir, "memory.max"), path.Join(dir, "memory.current"), path.Join(dir, "memory.stat"), "inactive_file")
	}
}

// memoryOne reads the memory controller of version 1.
func (f *files) memoryOne(g *group, at string) {
	const mount = "sys/fs/cgroup/memory"
	f.memoryAt(g, f.find(mount, at, "memory.limit_in_bytes"), f.find(mount, at, "memory.usage_in_bytes"), f.find(mount, at, "memory.stat"), "total_inactive_file")
}

// memoryAt lowers g to one group's limit. Its free memory counts page cache that the
// kernel gives back when asked, as MemAvailable of proc(5) does.
func (f *files) memoryAt(g *group, limitFile, usedFile, statFile, cacheKey string) {
	limit, ok := f.limit(limitFile).Get()
	if !ok {
		return
	}
	g.memory = lesser(g.memory, Known(limit))
	if used, ok := f.number(usedFile).Get(); ok {
		cache, _ := f.keyed(statFile, cacheKey, 1).Get()
		g.memoryFree = lesser(g.memoryFree, Known(min(limit, max(0, limit-used+cache))))
	}
}

// find is a group's file, or the mount's own: in a container /proc/self/cgroup may
// tell a path that only the host has.
func (f *files) find(mount, at, name string) string {
	inside := path.Join(mount, at, name)
	if _, ok := f.text(inside); ok {
		return inside
	}
	return path.Join(mount, name)
}

// limit is a number, or no limit: "max".
func (f *files) limit(name string) Fact {
	if text, ok := f.text(name); !ok || text == "max" {
		return Fact{}
	}
	return f.number(name)
}
