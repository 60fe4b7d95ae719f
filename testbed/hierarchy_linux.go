package testbed

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hierarchy is where control groups with a controller can be made.
type hierarchy struct {
	parent string
	v2     bool
}

// cpuSettings are the files that set a limit of CPU.
func (h hierarchy) cpuSettings(period, slice time.Duration) []File {
	p, s := strconv.FormatInt(period.Microseconds(), 10), strconv.FormatInt(slice.Microseconds(), 10)
	if h.v2 {
		return []File{{"cpu.max", []byte(s + " " + p)}}
	}
	return []File{{"cpu.cfs_period_us", []byte(p)}, {"cpu.cfs_quota_us", []byte(s)}}
}

// memorySettings are the files that set a limit of memory, without swap on top. v1 has
// the file for swap only where the kernel accounts for it.
func (h hierarchy) memorySettings(dir string, bytes uint64) []File {
	n := []byte(strconv.FormatUint(bytes, 10))
	if h.v2 {
		return []File{{"memory.max", n}, {"memory.swap.max", []byte("0")}}
	}
	files := []File{{"memory.limit_in_bytes", n}}
	const swap = "memory.memsw.limit_in_bytes"
	if _, err := os.Stat(filepath.Join(dir, swap)); err == nil {
		files = append(files, File{swap, n})
	}
	return files
}

// enable lets children of the parent have the controller; v1 needs nothing.
func (h hierarchy) enable(controller string) error {
	if !h.v2 {
		return nil
	}
	control := filepath.Join(h.parent, "cgroup.subtree_control")
	text, err := os.ReadFile(control)
	if err != nil || containsWord(string(text), controller) {
		return err
	}
	return os.WriteFile(control, []byte("+"+controller), 0o644)
}

func containsWord(text, word string) bool {
	for w := range strings.FieldsSeq(text) {
		if w == word {
			return true
		}
	}
	return false
}

// findHierarchy finds the mounted hierarchy that has a controller, and in it
// the place for new groups: below this process's own group, so that its limits hold
// for them too, or with v2 beside it, since a group with processes in it may not
// have children with controllers there (cgroup-v2.rst, "No Internal Process
// Constraint"). proc is a directory such as /proc/self.
func findHierarchy(proc, controller string) (hierarchy, error) {
	mounts, err := os.Open(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return hierarchy{}, fmt.Errorf("find the control groups: %w", err)
	}
	defer mounts.Close()
	own, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return hierarchy{}, fmt.Errorf("find the control groups: %w", err)
	}
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		// proc_pid_mountinfo(5): number parent dev root point options... - type source super
		head, tail, _ := strings.Cut(lines.Text(), " - ")
		fields, kind := strings.Fields(head), strings.Fields(tail)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		root, point := fields[3], fields[4]
		switch kind[0] {
		case "cgroup":
			if containsWord(strings.ReplaceAll(kind[2], ",", " "), controller) {
				return hierarchy{parent: within(point, root, ownGroup(string(own), controller))}, nil
			}
		case "cgroup2":
			has, err := os.ReadFile(filepath.Join(point, "cgroup.controllers"))
			if err == nil && containsWord(string(has), controller) {
				dir := within(point, root, ownGroup(string(own), ""))
				if dir != point {
					dir = filepath.Dir(dir)
				}
				return hierarchy{dir, true}, nil
			}
		}
	}
	if err := lines.Err(); err != nil {
		return hierarchy{}, fmt.Errorf("find the control groups: %w", err)
	}
	return hierarchy{}, fmt.Errorf("a limit needs control groups with the %s controller, and none is mounted; mount one at /sys/fs/cgroup, use --runtime docker, or leave node_%[1]s out, and proxy_%[1]s", controller)
}

// ownGroup is this process's group in the hierarchy of a controller, "" for v2's, by
// the text of /proc/self/cgroup (cgroups(7)).
func ownGroup(text, controller string) string {
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && (parts[1] == controller || controller != "" && containsWord(strings.ReplaceAll(parts[1], ",", " "), controller)) {
			return parts[2]
		}
	}
	return "/"
}

// within is the directory of a group below a mount that shows root at point; the
// mount itself where the group is outside of what it shows.
func within(point, root, group string) string {
	rel, err := filepath.Rel(root, group)
	if err != nil || !filepath.IsLocal(rel) {
		return point
	}
	dir := filepath.Join(point, rel)
	if _, err := os.Stat(dir); err != nil {
		return point
	}
	return dir
}
