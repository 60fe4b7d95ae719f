package testbed

import (
	"fmt"
	"os"
	"path/filepath"
)

// workingBelow lists the processes of a group that work in dir or below.
func workingBelow(pgid int, dir string) []int {
	members, err := groupStats(pgid)
	if err != nil {
		return nil
	}
	var pids []int
	for _, m := range members {
		cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", m.pid))
		if err != nil {
			continue
		}
		if rel, err := filepath.Rel(dir, cwd); err == nil && filepath.IsLocal(rel) {
			pids = append(pids, m.pid)
		}
	}
	return pids
}

// removeDeadQuotas deletes the control groups of rigs that are dead.
func removeDeadQuotas() {
	for _, controller := range []string{"cpu", "memory"} {
		if h, err := findHierarchy("/proc/self", controller); err == nil {
			removeOrphans(h.parent)
		}
	}
}
