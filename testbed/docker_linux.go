package testbed

import (
	"os"
	"strconv"
	"strings"
)

// hostPID is pid if it is the container's first process as seen from here, else 0: a
// daemon in another namespace of processes numbers them otherwise. The name of the
// control group holds the container's id.
func hostPID(id string, pid int) int {
	if pid <= 0 {
		return 0
	}
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil || !strings.Contains(string(groups), id) {
		return 0
	}
	return pid
}

// namespaceUsage adds up what the processes use that are in the namespace of pid, but
// for CPU. ok is false when they cannot be seen.
func namespaceUsage(pid int) (u Usage, ok bool) {
	if pid == 0 {
		return Usage{}, false
	}
	space, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/pid")
	if err != nil {
		return Usage{}, false
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return Usage{}, false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return Usage{}, false
	}
	for _, name := range names {
		member, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if in, err := os.Readlink("/proc/" + name + "/ns/pid"); err != nil || in != space {
			continue
		}
		if s, ok := readStat(member, name); ok && !s.over() {
			fds, sockets := descriptors(member)
			u.RSS += s.rss
			u.FDs += fds
			u.Sockets += sockets
			u.Procs++
		}
	}
	return u, u.Procs > 0
}
