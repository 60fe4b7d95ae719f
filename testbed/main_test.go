package testbed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"wsrig/testbed/dockertest"
	"wsrig/testbed/runtimetest"
)

// TestMain also plays the programs that tests start, and fails if a test leaves a
// goroutine, a child process or a working directory.
func TestMain(m *testing.M) {
	runtimetest.PlayUnit()
	playSelf()
	playRig()
	temp, err := os.MkdirTemp("", "testbed-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("TMPDIR", temp)
	code := m.Run()
	if err := dockertest.RemoveBuilt(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := leftovers(temp); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "left over after all tests:", err)
		code = 1
	}
	os.RemoveAll(temp)
	os.Exit(code)
}

func leftovers(temp string) error {
	if err := goleak.Find(); err != nil {
		return err
	}
	children, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return err
	}
	for _, file := range children {
		pids, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(pids)) != "" {
			return fmt.Errorf("child processes %s", pids)
		}
	}
	dirs, err := filepath.Glob(filepath.Join(temp, "*"))
	if err == nil && len(dirs) > 0 {
		err = fmt.Errorf("temporary files %q", dirs)
	}
	return err
}
