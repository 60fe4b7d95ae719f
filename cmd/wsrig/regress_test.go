package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inGit makes a repository of dir with all that is in it. The identity is given on the
// command line, so that the machine's own settings do not matter.
func inGit(t *testing.T, dir string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is not installed")
		}
		t.Skip("git is not installed")
	}
	for _, args := range [][]string{
		{"init", "-q", "-b", "main"},
		{"add", "-A"},
		{"-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "commit", "-q", "-m", "first"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
}

// TestASignalRemovesTheTreeOfTheBase: the temporary folder with the base's files is gone
// after a signal too.
func TestASignalRemovesTheTreeOfTheBase(t *testing.T) {
	needProxy(t, "haproxy:round-robin")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir, tmp := t.TempDir(), t.TempDir()
			text := strings.NewReplacer("PROXY", "haproxy:round-robin", "nodes: 2, bus: redis", "nodes: 1, bus: none").Replace(interrupted)
			shipped, err := os.ReadFile("../../haproxy/round-robin.cfg")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "haproxy"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, data := range map[string][]byte{"haproxy/round-robin.cfg": shipped, "interrupted.yaml": []byte(text)} {
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			inGit(t, dir)
			run := startRun(t, dir, append(os.Environ(), "TMPDIR="+tmp), wsrigBinary, "regress", "--base", "main", "./interrupted.yaml")
			run.awaitLine(t, "connect 40 clients")
			trees, err := filepath.Glob(filepath.Join(tmp, "wsrig-base-*", "tree", "haproxy", "round-robin.cfg"))
			if err != nil || len(trees) != 1 {
				t.Errorf("the tree of the base is at %v (%v), want it in one folder while the run lasts", trees, err)
			}
			if err := run.cmd.Process.Signal(signal); err != nil {
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
