package testbed_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wsrig/testbed"
)

// shell is a unit of shell processes, with no probe.
func shell(name, script string) testbed.Unit {
	return testbed.Unit{Name: name, Binary: "sh", Args: []string{"-c", script}, StopGrace: patience}
}

func TestWholeGroupOfShellChildrenEnds(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(testbed.Instance) error{
		"kill of the unit":           func(i testbed.Instance) error { return i.Signal(testbed.SigKill) },
		"stop of the first process":  func(i testbed.Instance) error { return i.Stop(context.Background()) },
		"kill of the first from out": func(i testbed.Instance) error { return syscall.Kill(i.PID(), syscall.SIGKILL) },
	} {
		rt := newRuntime(t)
		inst, err := rt.Start(testContext(t), shell("n1", "sleep 600 & sleep 600 & wait"))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "two sleeps run", func() bool { return len(workers(t, inst)) == 2 })
		if err := end(inst); err != nil {
			t.Fatal(err)
		}
		<-inst.Done()
		// Done comes after the last of them, not only after the first.
		if left := runningIn(t, inst.Dir()); len(left) > 0 {
			t.Errorf("%s: %q are left", how, left)
		}
	}
}

func TestWorkersOfAKilledMasterEnd(t *testing.T) {
	// Nginx workers outlive a master that is killed, and would keep the port.
	t.Parallel()
	need(t, "nginx")
	rt := newRuntime(t)
	port := reserve(t, rt, "nginx", 0)
	inst := startServer(t, rt, "nginx", port)
	if err := syscall.Kill(inst.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-inst.Done()
	if left := runningIn(t, inst.Dir()); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if err := inst.Restart(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestUsageCountsWorkersThatHaveEnded(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	// A worker that uses CPU time, ends, and is waited for, as after a reload.
	inst, err := rt.Start(testContext(t), shell("n1", `(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); touch done; sleep 600`))
	if err != nil {
		t.Fatal(err)
	}
	var last testbed.Usage
	eventually(t, "the worker has ended", func() bool {
		u, err := inst.Usage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU < last.CPU {
			t.Errorf("CPU fell from %v to %v", last.CPU, u.CPU)
		}
		last = u
		_, err = os.Stat(filepath.Join(inst.Dir(), "done"))
		return err == nil
	})
	final, err := inst.Usage(t.Context())
	if err != nil || final.CPU < 20*time.Millisecond {
		t.Errorf("300,000 turns of a shell loop took %v (%v)", final.CPU, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inst.Usage(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestStartOfSomethingThatIsNoProgram(t *testing.T) {
	rt := newRuntime(t)
	path := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(path, []byte("\x7fELF is all there is"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := rt.Start(testContext(t), testbed.Unit{Name: "n1", Binary: path})
	if err == nil || !strings.Contains(err.Error(), "n1") || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = rt.Start(testContext(t), testbed.Unit{Name: "n1", Binary: path})
	var missing *testbed.MissingBinaryError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v", err)
	}
}

// The one thing that must never be shared is a life: two restarts at once would
// leave one of two processes without an owner.
func TestRestartsStopsAndSignalsAtOnce(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	inst, err := rt.Start(testContext(t), shell("n1", "sleep 600 & wait"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 10 {
				// Any of these may lose against another and then fails; what counts
				// is what is left.
				switch i {
				case 0, 1:
					_ = inst.Restart(t.Context())
				case 2:
					_ = inst.Stop(t.Context())
				case 3:
					_ = inst.Signal(testbed.SigKill)
					_, _ = inst.Usage(t.Context())
					_, _, _ = inst.Exit(), inst.PID(), inst.Done()
				}
			}
		})
	}
	wg.Wait()
	if err := inst.Stop(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if left := runningIn(t, inst.Dir()); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

func TestSelfOfARelativePath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sh, "own"); err != nil {
		t.Fatal(err)
	}
	// Units work elsewhere, so the path must not depend on the working directory.
	rt, err := testbed.NewProcessRuntime("./own", "logs")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	inst, err := rt.Start(testContext(t), testbed.Unit{Name: "n1", Binary: testbed.Self, Args: []string{"-c", "echo here"}})
	if err != nil {
		t.Fatal(err)
	}
	<-inst.Done()
	if e := inst.Exit(); e.Status != "exit status 0" || len(e.Tail) != 1 || e.Tail[0] != "here" || e.LogPath != filepath.Join(dir, "logs", "n1.log") {
		t.Errorf("got %+v", e)
	}
}

func TestLogsWithoutAPlaceGoWithTheRuntime(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	rt, err := testbed.NewProcessRuntime("", "")
	if err != nil {
		t.Fatal(err)
	}
	inst, err := rt.Start(testContext(t), testbed.Unit{Name: "n1", Binary: "sh", Args: []string{"-c", "echo here"}})
	if err != nil {
		t.Fatal(err)
	}
	<-inst.Done()
	if text, err := os.ReadFile(inst.LogPath()); string(text) != "here\n" {
		t.Errorf("the log has %q, %v", text, err)
	}
	if err := rt.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestNewProcessRuntimeThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := testbed.NewProcessRuntime("", filepath.Join(file, "logs")); err == nil || !strings.Contains(err.Error(), "log directory") {
		t.Errorf("got %v", err)
	}
	t.Setenv("TMPDIR", filepath.Join(file, "tmp"))
	if _, err := testbed.NewProcessRuntime("", t.TempDir()); err == nil || !strings.Contains(err.Error(), "working directory") {
		t.Errorf("got %v", err)
	}
}
