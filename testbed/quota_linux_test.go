package testbed

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quotaGroups are the control groups of this process.
func quotaGroups(t *testing.T) []string {
	t.Helper()
	h, err := findHierarchy("/proc/self", "cpu")
	if err != nil {
		return nil
	}
	groups, err := filepath.Glob(filepath.Join(h.parent, quotaPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestABusyUnitKeepsToItsQuota(t *testing.T) {
	rt, err := NewProcessRuntime("", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	defer func() {
		if err := rt.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
		for _, g := range quotaGroups(t) {
			if strings.HasPrefix(filepath.Base(g), quotaPrefix+strconv.Itoa(os.Getpid())+"-") {
				t.Errorf("the control group %s is left", g)
			}
		}
	}()
	// Two loops, so that one core's worth is not the limit.
	busy := Unit{Name: "n1", Binary: "sh", Args: []string{"-c", "while :; do :; done & while :; do :; done"}, Limits: UnitLimits{CPU: 0.2}}
	inst, err := rt.Start(ctx, busy)
	if err != nil {
		skipWithoutQuota(t, err)
	}
	for _, life := range []string{"first", "restarted"} {
		used, took := useOver(ctx, t, inst, 2*time.Second)
		if cores := used.Seconds() / took.Seconds(); cores > 0.3 || cores < 0.02 {
			t.Errorf("%s: it used %.2f cores of a limit of 0.2", life, cores)
		}
		if life == "first" {
			if err := inst.Restart(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func useOver(ctx context.Context, t *testing.T, inst Instance, length time.Duration) (used, took time.Duration) {
	t.Helper()
	before, err := inst.Usage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	select {
	case <-time.After(length):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	after, err := inst.Usage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return after.CPU - before.CPU, time.Since(begin)
}

// skipWithoutQuota skips where the kernel does not let this user have a quota, once
// the refusal is known to name the fix.
func skipWithoutQuota(t *testing.T, err error) {
	t.Helper()
	if !strings.Contains(err.Error(), "leave node_cpu out") {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 && os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

func TestBandwidthFitsTheKernelsLimits(t *testing.T) {
	for _, row := range []struct {
		sentence      string
		cores         float64
		period, slice time.Duration
	}{
		{"a fifth of a core", 0.2, 10 * time.Millisecond, 2 * time.Millisecond},
		{"two and a half cores", 2.5, 10 * time.Millisecond, 25 * time.Millisecond},
		{"a share whose slice would be below the least", 0.05, 20 * time.Millisecond, time.Millisecond},
		{"the least share", LeastCPU, time.Second, time.Millisecond},
	} {
		period, slice, err := bandwidth(row.cores)
		if err != nil || period != row.period || slice != row.slice {
			t.Errorf("%s: %s in %s, error %v; want %s in %s", row.sentence, slice, period, err, row.slice, row.period)
		}
	}
	for _, cores := range []float64{-1, 0, LeastCPU / 2, 1e9} {
		if _, _, err := bandwidth(cores); err == nil || !strings.Contains(err.Error(), "out of range") {
			t.Errorf("%g cores: error %v, want out of range", cores, err)
		}
	}
}

func TestTheCPUHierarchyIsFoundInBothVersions(t *testing.T) {
	const v1 = "30 23 0:26 / %/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
	const v2 = "31 23 0:27 / % rw,relatime - cgroup2 cgroup2 rw\n"
	for _, row := range []struct {
		sentence, mounts, own, want string
		v2, none                    bool
	}{
		{"v1, in a group: below it", v1, "1:cpu,cpuacct:/job\n", "cpu/job", false, false},
		{"v1, in a group that the mount does not show: at its root", v1, "1:cpu,cpuacct:/elsewhere\n", "cpu", false, false},
		{"v2, in a group: beside it", v2, "0::/job\n", "", true, false},
		{"v2, in the root: below it", v2, "0::/\n", "", true, false},
		{"neither", "", "0::/\n", "", false, true},
	} {
		dir := t.TempDir()
		for _, d := range []string{"job", "cpu/job"} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range map[string]string{"mountinfo": strings.ReplaceAll(row.mounts, "%", dir), "cgroup": row.own, "cgroup.controllers": "cpuset cpu io\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		h, err := findHierarchy(dir, "cpu")
		if row.none {
			if err == nil || !strings.Contains(err.Error(), "leave node_cpu out") {
				t.Errorf("%s: error %v", row.sentence, err)
			}
			continue
		}
		if err != nil || h.parent != filepath.Join(dir, row.want) || h.v2 != row.v2 {
			t.Errorf("%s: %+v, error %v; want %s", row.sentence, h, err, filepath.Join(dir, row.want))
		}
	}
}

func TestGroupsOfDeadRunsAreRemoved(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	orphan := filepath.Join(dir, quotaPrefix+strconv.Itoa(dead.Process.Pid)+"-1")
	mine := filepath.Join(dir, quotaPrefix+strconv.Itoa(os.Getpid())+"-1")
	foreign := filepath.Join(dir, quotaPrefix+"x-1")
	for _, d := range []string{orphan, mine, foreign} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	removeOrphans(dir)
	if _, err := os.Stat(orphan); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group of a dead run is still there: %v", err)
	}
	for _, d := range []string{mine, foreign} {
		if _, err := os.Stat(d); err != nil {
			t.Errorf("%s was removed: %v", d, err)
		}
	}
}
