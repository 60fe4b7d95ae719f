package testbed

import (
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
