package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// interrupted is a scenario with every kind of step that lasts, so that a signal can
// fall into each.
const interrupted = `name: interrupted
summary: Something to interrupt.
testbed: {nodes: 2, bus: redis}
proxies: [PROXY]
steps:
  - connect: {clients: 40, rate: 20/s}
  - idle: {for: 60s}
  - publish: {rate: 50/s, for: 60s}
`

// TestASignalLeavesNothing sends SIGINT and SIGTERM to wsrig run in each phase and
// wants the exit code 130 and no process, temporary folder or socket left.
func TestASignalLeavesNothing(t *testing.T) {
	for _, row := range []struct {
		name   string
		proxy  string
		signal syscall.Signal
		// until is what wsrig has printed when the signal is sent, or which units run:
		// start (Redis) or units (all).
		until string
		// drop is a step to leave out, so that the next is reached.
		drop []string
	}{
		{"SIGINT while the testbed starts", "haproxy:round-robin", syscall.SIGINT, "start", nil},
		{"SIGTERM while clients connect", "nginx:round-robin", syscall.SIGTERM, "units", nil},
		{"SIGINT while clients idle behind HAProxy", "haproxy:round-robin", syscall.SIGINT, "connect", nil},
		{"SIGTERM while clients idle behind Nginx", "nginx:round-robin", syscall.SIGTERM, "connect", nil},
		{"SIGTERM while clients publish, direct", "direct", syscall.SIGTERM, "connect", []string{"idle"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			needProxy(t, row.proxy)
			dir := t.TempDir()
			text := strings.Replace(interrupted, "PROXY", row.proxy, 1)
			for _, d := range row.drop {
				text = dropLine(text, "- "+d)
			}
			tmp := filepath.Join(dir, "tmp")
			if err := os.MkdirAll(tmp, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "interrupted.yaml"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			run := startRun(t, dir, append(os.Environ(), "TMPDIR="+tmp), wsrigBinary, "run", "./interrupted.yaml")
			switch row.until {
			case "start":
				run.awaitUnits(t, tmp, "redis-server")
			case "units":
				run.awaitUnits(t, tmp, "--worker")
			default:
				run.awaitLine(t, row.until)
			}
			if err := run.cmd.Process.Signal(row.signal); err != nil {
				t.Fatal(err)
			}
			if code := run.exitCode(t); code != exitInterrupted {
				t.Errorf("exit code %d, want %d; it printed:\n%s", code, exitInterrupted, run.printed())
			}
			if left := leftBehind(tmp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func needProxy(t *testing.T, ref string) {
	t.Helper()
	driver, _, _ := strings.Cut(ref, ":")
	p, ok := proxies[driver]
	if !ok {
		return
	}
	if _, err := exec.LookPath(p.Binary()); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not installed; run make deps", p.Binary())
		}
		t.Skipf("%s is not installed; run make deps", p.Binary())
	}
}

func dropLine(text, with string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, with) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// testRun is a wsrig run under way.
type testRun struct {
	cmd   *exec.Cmd
	lines chan string
	done  chan error
	seen  []string
}

func startRun(t *testing.T, dir string, env []string, argv ...string) *testRun {
	t.Helper()
	r := &testRun{cmd: exec.Command(argv[0], argv[1:]...), lines: make(chan string, 1000), done: make(chan error, 1)}
	r.cmd.Dir = dir
	r.cmd.Env = env
	out, in := io.Pipe()
	r.cmd.Stdout, r.cmd.Stderr = in, in
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		err := r.cmd.Wait()
		in.Close()
		r.done <- err
	}()
	go func() {
		defer close(r.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = r.cmd.Process.Kill() }) // it has ended unless the test failed
	return r
}

const patience = 30 * time.Second

// awaitLine waits until wsrig prints a line with a text.
func (r *testRun) awaitLine(t *testing.T, with string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				t.Fatalf("it ended before it printed %q:\n%s", with, r.printed())
			}
			r.seen = append(r.seen, line)
			if strings.Contains(line, with) {
				return
			}
		case <-timeout:
			t.Fatalf("it did not print %q within %s:\n%s", with, patience, r.printed())
		}
	}
}

// awaitUnits waits until a unit runs whose command line holds a text.
func (r *testRun) awaitUnits(t *testing.T, tmp, with string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, left := range leftBehind(tmp) {
			if strings.Contains(left, with) {
				return
			}
		}
	}
	t.Fatalf("no %s was started within %s:\n%s", with, patience, r.printed())
}

func (r *testRun) exitCode(t *testing.T) int {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-r.lines:
			if ok {
				r.seen = append(r.seen, line)
				continue
			}
			r.lines = nil
		case err := <-r.done:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return exit.ExitCode()
			}
			return 0
		case <-timeout:
			t.Fatalf("it did not end within %s of the signal:\n%s", patience, r.printed())
		}
	}
}

func (r *testRun) printed() string { return strings.Join(r.seen, "\n") }
