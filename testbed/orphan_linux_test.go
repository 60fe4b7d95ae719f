package testbed_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wsrig/testbed"
)

// The environment of this binary when it plays a rig that comes to a bad end.
const (
	rigDir    = "TESTBED_TEST_RIG_DIR"
	rigPanics = "TESTBED_TEST_RIG_PANICS"
)

// playRig starts units of every kind, says so, and does nothing for them afterwards.
func playRig() {
	dir := os.Getenv(rigDir)
	if dir == "" {
		return
	}
	if err := startRig(dir); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("up")
	if os.Getenv(rigPanics) != "" {
		go panic("a mistake somewhere else")
	}
	// Not for ever: without the test there is no input.
	io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

func startRig(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rt, err := testbed.NewProcessRuntime("", filepath.Join(dir, "logs"))
	if err != nil {
		return err
	}
	for name := range servers {
		ports, err := rt.Reserve(ctx, name, map[string]int{"main": 0})
		if err != nil {
			return err
		}
		if _, err := launch(ctx, rt, name, ports["main"]); err != nil {
			return err
		}
	}
	for _, name := range []string{"n1", "frozen"} {
		ports, err := rt.Reserve(ctx, name, map[string]int{"main": 0})
		if err != nil {
			return err
		}
		addr := ports["main"].Host
		inst, err := rt.Start(ctx, testbed.Unit{
			Name: name, Binary: testbed.Self, Args: []string{"chatnode", "-listen", addr}, Ports: ports, StopGrace: patience,
			Ready: func(context.Context, testbed.Instance) error {
				resp, err := http.Get("http://" + addr + "/readyz")
				if err == nil {
					resp.Body.Close()
				}
				return err
			},
		})
		if err != nil {
			return err
		}
		if name == "frozen" {
			if err := inst.Signal(testbed.SigStop); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestUnitsEndWithTheRigHoweverItEnds(t *testing.T) {
	need(t, "redis-server", "nginx", "haproxy")
	for how, signal := range map[string]syscall.Signal{
		"killed":                     syscall.SIGKILL,
		"terminated, no handler":     syscall.SIGTERM,
		"quit with a goroutine dump": syscall.SIGQUIT,
		"panic in some goroutine":    0,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			endRig(t, dir, signal)
			var left []string
			for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				if left = runningIn(t, dir); len(left) == 0 {
					return
				}
			}
			t.Fatalf("left %s after the rig ended: %q", patience, left)
		})
	}
}

// endRig plays a rig in dir and ends it with a signal, or by a panic if that is 0. It
// returns when the rig is gone.
func endRig(t *testing.T, dir string, signal syscall.Signal) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), rigDir+"="+dir, "TMPDIR="+dir)
	if signal == 0 {
		cmd.Env = append(cmd.Env, rigPanics+"=1")
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Whatever fails below, it ends: by end of input if by nothing else.
	word, err := bufio.NewReader(stdout).ReadString('\n')
	if word == "up\n" && signal != 0 {
		// redis, nginx with two workers, haproxy with one, two nodes.
		if ps := runningIn(t, dir); len(ps) < 8 {
			t.Errorf("only %q run", ps)
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Error(err)
		}
	}
	var exit *exec.ExitError
	if waitErr := cmd.Wait(); word != "up\n" || !errors.As(waitErr, &exit) || exit.ExitCode() == 1 {
		t.Fatalf("the rig says %q (%v) and ends with %v\n%s", word, err, waitErr, &stderr)
	}
	if signal == 0 && !strings.Contains(stderr.String(), "a mistake somewhere else") {
		t.Errorf("it ended otherwise than by its panic:\n%s", &stderr)
	}
}
