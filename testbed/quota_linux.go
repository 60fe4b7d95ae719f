package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// quotaPrefix begins the names of this program's control groups; the process number
// behind it tells whose they are.
const quotaPrefix = "wsrig-"

var quotaCount atomic.Int64

// quota is the control groups that limit one unit: one in each hierarchy that has a
// controller of a limit.
type quota struct{ groups []group }

// group is a control group.
type group struct {
	dir    string
	v2     bool
	memory bool // it has the unit's memory limit
}

// newQuota makes control groups for whose processes the limits hold together; nil
// without a limit.
func newQuota(l UnitLimits) (*quota, error) {
	q := &quota{}
	name := fmt.Sprintf("%s%d-%d", quotaPrefix, os.Getpid(), quotaCount.Add(1))
	if l.CPU != 0 {
		period, slice, err := bandwidth(l.CPU)
		if err != nil {
			return nil, err
		}
		if err := q.add(name, "cpu", func(h hierarchy, _ string) []File { return h.cpuSettings(period, slice) }); err != nil {
			return nil, errors.Join(err, q.remove())
		}
	}
	if l.Memory != 0 {
		if err := q.add(name, "memory", func(h hierarchy, dir string) []File { return h.memorySettings(dir, l.Memory) }); err != nil {
			return nil, errors.Join(err, q.remove())
		}
	}
	if len(q.groups) == 0 {
		return nil, nil
	}
	return q, nil
}

// add limits one controller, in a group of that name in its hierarchy. With v2, and
// where v1 mounts them together, the controllers have one group.
func (q *quota) add(name, controller string, settings func(h hierarchy, dir string) []File) error {
	h, err := findHierarchy("/proc/self", controller)
	if err != nil {
		return err
	}
	removeOrphans(h.parent)
	dir := filepath.Join(h.parent, name)
	if err := h.enable(controller); err != nil {
		return refused(err)
	}
	if i := slices.IndexFunc(q.groups, func(g group) bool { return g.dir == dir }); i >= 0 {
		q.groups[i].memory = q.groups[i].memory || controller == "memory"
	} else {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return refused(err)
		}
		q.groups = append(q.groups, group{dir, h.v2, controller == "memory"})
	}
	for _, f := range settings(h, dir) {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
			return refused(err)
		}
	}
	return nil
}

// refused names the fix of a control group that the kernel does not let us have.
func refused(err error) error {
	return fmt.Errorf("a limit of CPU or memory needs a control group of its own, which only root may make where the cgroup file system is writable; run as root, use --runtime docker, or leave node_cpu out, and node_memory, proxy_cpu and proxy_memory: %w", err)
}

// start starts cmd in the group from its first instruction on, so that nothing it
// forks escapes. With v2 the kernel puts it there (clone3(2), CLONE_INTO_CGROUP). With
// v1 a process begins in the group of the thread that forks it, so the caller, which
// must be locked to its thread, goes there and back. A nil quota just starts it. After
// an error cmd runs if it has a Process.
func (q *quota) start(cmd *exec.Cmd) error {
	if q == nil {
		return cmd.Start()
	}
	if g := q.groups[0]; g.v2 {
		dir, err := os.Open(g.dir)
		if err != nil {
			return refused(err)
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		return cmd.Start()
	}
	thread := []byte(strconv.Itoa(unix.Gettid()))
	var err error
	entered := 0
	for _, g := range q.groups {
		if err = os.WriteFile(filepath.Join(g.dir, "tasks"), thread, 0o644); err != nil {
			err = refused(err)
			break
		}
		entered++
	}
	if err == nil {
		err = cmd.Start()
	}
	for _, g := range q.groups[:entered] {
		if back := os.WriteFile(filepath.Join(filepath.Dir(g.dir), "tasks"), thread, 0o644); back != nil {
			err = errors.Join(err, fmt.Errorf("leave the control group of a limit: %w", back))
		}
	}
	return err
}

// ranOut tells whether the kernel killed a process of the unit for its memory limit
// (cgroup v1: memory.rst, oom_control; v2: cgroup-v2.rst, memory.events).
func (q *quota) ranOut() bool {
	if q == nil {
		return false
	}
	for _, g := range q.groups {
		name := "memory.oom_control"
		if g.v2 {
			name = "memory.events"
		}
		text, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil || !g.memory {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok && n != "0" {
				return true
			}
		}
	}
	return false
}

// remove deletes the groups, whose processes have ended. The last of them may still
// be on its way out.
func (q *quota) remove() error {
	if q == nil {
		return nil
	}
	var errs []error
	for _, g := range q.groups {
		errs = append(errs, removeGroup(g.dir))
	}
	return errors.Join(errs...)
}

func removeGroup(dir string) error {
	deadline := time.Now().Add(killTimeout)
	for {
		err := os.Remove(dir)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline):
			return fmt.Errorf("remove the control group of a limit: %w; remove it with rmdir when its processes have ended", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// removeOrphans deletes the groups of runs that were killed before they could. A
// group with processes in it cannot be deleted, so nothing that runs is touched.
func removeOrphans(parent string) {
	groups, err := filepath.Glob(filepath.Join(parent, quotaPrefix+"*-*"))
	if err != nil {
		return
	}
	for _, dir := range groups {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), quotaPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.Remove(dir)
		}
	}
}

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
