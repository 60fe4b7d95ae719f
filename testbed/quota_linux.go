package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
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

// quota is a control group that limits one unit's CPU.
type quota struct {
	dir string
	v2  bool
}

// newQuota makes a control group whose processes get so many cores in all.
func newQuota(cores float64) (*quota, error) {
	period, slice, err := bandwidth(cores)
	if err != nil {
		return nil, err
	}
	h, err := cpuHierarchy("/proc/self")
	if err != nil {
		return nil, err
	}
	removeOrphans(h.parent)
	q := &quota{filepath.Join(h.parent, fmt.Sprintf("%s%d-%d", quotaPrefix, os.Getpid(), quotaCount.Add(1))), h.v2}
	if err := h.enable(); err != nil {
		return nil, refused(err)
	}
	if err := os.Mkdir(q.dir, 0o755); err != nil {
		return nil, refused(err)
	}
	for _, f := range h.settings(period, slice) {
		if err := os.WriteFile(filepath.Join(q.dir, f.Name), f.Data, 0o644); err != nil {
			return nil, errors.Join(refused(err), q.remove())
		}
	}
	return q, nil
}

// refused names the fix of a control group that the kernel does not let us have.
func refused(err error) error {
	return fmt.Errorf("a CPU limit needs a control group of its own, which only root may make where the cgroup file system is writable; run as root or leave node_cpu out: %w", err)
}

// start starts cmd in the group from its first instruction on, so that nothing it
// forks escapes. With v2 the kernel puts it there (clone3(2), CLONE_INTO_CGROUP). With
// v1 a process begins in the group of the thread that forks it, so the caller, which
// must be locked to its thread, goes there and back. A nil quota just starts it. After
// an error cmd runs if it has a Process.
func (q *quota) start(cmd *exec.Cmd) error {
	switch {
	case q == nil:
		return cmd.Start()
	case q.v2:
		dir, err := os.Open(q.dir)
		if err != nil {
			return refused(err)
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		return cmd.Start()
	}
	thread := []byte(strconv.Itoa(unix.Gettid()))
	if err := os.WriteFile(filepath.Join(q.dir, "tasks"), thread, 0o644); err != nil {
		return refused(err)
	}
	err := cmd.Start()
	if back := os.WriteFile(filepath.Join(filepath.Dir(q.dir), "tasks"), thread, 0o644); back != nil {
		err = errors.Join(err, fmt.Errorf("leave the control group of the CPU limit: %w", back))
	}
	return err
}

// remove deletes the group, whose processes have ended. The last of them may still
// be on its way out of it.
func (q *quota) remove() error {
	if q == nil {
		return nil
	}
	deadline := time.Now().Add(killTimeout)
	for {
		err := os.Remove(q.dir)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, syscall.EBUSY) || time.Now().After(deadline):
			return fmt.Errorf("remove the control group of the CPU limit: %w; remove it with rmdir when its processes have ended", err)
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

// hierarchy is where control groups that limit CPU can be made.
type hierarchy struct {
	parent string
	v2     bool
}

// settings are the files that set a limit.
func (h hierarchy) settings(period, slice time.Duration) []File {
	p, s := strconv.FormatInt(period.Microseconds(), 10), strconv.FormatInt(slice.Microseconds(), 10)
	if h.v2 {
		return []File{{"cpu.max", []byte(s + " " + p)}}
	}
	return []File{{"cpu.cfs_period_us", []byte(p)}, {"cpu.cfs_quota_us", []byte(s)}}
}

// enable lets children of the parent have the controller; v1 needs nothing.
func (h hierarchy) enable() error {
	if !h.v2 {
		return nil
	}
	control := filepath.Join(h.parent, "cgroup.subtree_control")
	text, err := os.ReadFile(control)
	if err != nil || containsWord(string(text), "cpu") {
		return err
	}
	return os.WriteFile(control, []byte("+cpu"), 0o644)
}

func containsWord(text, word string) bool {
	for w := range strings.FieldsSeq(text) {
		if w == word {
			return true
		}
	}
	return false
}

// cpuHierarchy finds the mounted hierarchy that has the CPU controller, and in it
// the place for new groups: below this process's own group, so that its limits hold
// for them too, or with v2 beside it, since a group with processes in it may not
// have children with controllers there (cgroup-v2.rst, "No Internal Process
// Constraint"). proc is a directory such as /proc/self.
func cpuHierarchy(proc string) (hierarchy, error) {
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
			if containsWord(strings.ReplaceAll(kind[2], ",", " "), "cpu") {
				return hierarchy{parent: within(point, root, ownGroup(string(own), "cpu"))}, nil
			}
		case "cgroup2":
			has, err := os.ReadFile(filepath.Join(point, "cgroup.controllers"))
			if err == nil && containsWord(string(has), "cpu") {
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
	return hierarchy{}, errors.New("a CPU limit needs control groups with the cpu controller, and none is mounted; mount one at /sys/fs/cgroup or leave node_cpu out")
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
