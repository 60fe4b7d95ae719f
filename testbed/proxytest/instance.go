package proxytest

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// Need skips the test when the proxy's program is not installed; in CI that is a
// failure.
func Need(tb testing.TB, binary string) {
	tb.Helper()
	if _, err := exec.LookPath(binary); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("%s must be installed in CI: %v", binary, err)
		}
		tb.Skipf("%s is not installed", binary)
	}
}

// Reserve takes a free port of 127.0.0.1 for each name the way the process runtime
// does: a bound socket that does not listen is held until the test ends.
func Reserve(tb testing.TB, names ...string) map[string]testbed.Port {
	tb.Helper()
	ports := map[string]testbed.Port{}
	for _, name := range names {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			tb.Fatal(err)
		}
		syscall.CloseOnExec(fd)
		tb.Cleanup(func() { syscall.Close(fd) })
		err = errors.Join(
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
			syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		)
		if err != nil {
			tb.Fatal(err)
		}
		sa, err := syscall.Getsockname(fd)
		if err != nil {
			tb.Fatal(err)
		}
		addr := net.JoinHostPort("127.0.0.1", fmt.Sprint(sa.(*syscall.SockaddrInet4).Port))
		ports[name] = testbed.Port{Listen: addr, Peer: addr, Host: addr}
	}
	return ports
}

// Instance runs a Unit as a local process in its own process group.
type Instance struct {
	tb     testing.TB
	unit   testbed.Unit
	dir    string
	log    string
	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{}
	exit   *testbed.ExitError
	asked  bool
	ignore int // signals that Signal still swallows
}

var _ testbed.Instance = (*Instance)(nil)

// Start runs u in a directory of its own and waits up to 20 s until it is ready. It
// ends with the test, which fails if the unit had ended by itself before.
func Start(tb testing.TB, u testbed.Unit) *Instance {
	tb.Helper()
	u.Name, u.Role = "proxy", testbed.RoleProxy
	i := &Instance{tb: tb, unit: u, dir: tb.TempDir()}
	i.log = filepath.Join(tb.TempDir(), "proxy.log")
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	if err := i.start(ctx); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := i.Stop(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return i
}

func (i *Instance) start(ctx context.Context) error {
	for _, f := range i.unit.Files {
		if err := os.WriteFile(filepath.Join(i.dir, f.Name), f.Data, 0o644); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(i.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(i.unit.Binary, i.unit.Args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = i.dir, log, log
	cmd.Env = append(i.unit.Env, "PATH="+os.Getenv("PATH"), "HOME="+i.dir, "LANG=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	i.mu.Lock()
	i.cmd, i.done, i.exit, i.asked = cmd, done, nil, false
	i.mu.Unlock()
	go i.wait(cmd, done)
	for {
		err := i.unit.Ready(ctx, i)
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return i.Exit()
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("not ready: %w", err), i.Stop(context.Background()), errors.New(i.Log()))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (i *Instance) wait(cmd *exec.Cmd, done chan struct{}) {
	cmd.Wait()
	// What the first process left behind goes with it.
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	i.mu.Lock()
	i.exit = &testbed.ExitError{Unit: i.unit.Name, Status: cmd.ProcessState.String(), LogPath: i.log,
		Tail: strings.Split(strings.TrimSpace(i.Log()), "\n"), Asked: i.asked}
	i.mu.Unlock()
	close(done)
}

// Log is everything the unit has printed so far.
func (i *Instance) Log() string {
	text, err := os.ReadFile(i.log)
	if err != nil {
		i.tb.Error(err)
	}
	return string(text)
}

// Rewrite puts a file into the unit's directory, as an operator edits it.
func (i *Instance) Rewrite(name, text string) {
	i.tb.Helper()
	if err := os.WriteFile(filepath.Join(i.dir, name), []byte(text), 0o644); err != nil {
		i.tb.Fatal(err)
	}
}

// LoseSignals makes the next n signals never arrive, as one that is sent while a
// program starts may not.
func (i *Instance) LoseSignals(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ignore = n
}

// Unit is what was started.
func (i *Instance) Unit() testbed.Unit { return i.unit }

// Dir is the unit's directory.
func (i *Instance) Dir() string { return i.dir }

// LogPath is the file with everything the unit printed.
func (i *Instance) LogPath() string { return i.log }

// PID is the unit's first process.
func (i *Instance) PID() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cmd.Process.Pid
}

// OwnPID is the same: there is no container around it.
func (i *Instance) OwnPID() int { return i.PID() }

var signals = map[testbed.Signal]syscall.Signal{
	testbed.SigTerm: syscall.SIGTERM, testbed.SigKill: syscall.SIGKILL, testbed.SigQuit: syscall.SIGQUIT, testbed.SigHup: syscall.SIGHUP,
	testbed.SigUsr1: syscall.SIGUSR1, testbed.SigUsr2: syscall.SIGUSR2, testbed.SigStop: syscall.SIGSTOP, testbed.SigCont: syscall.SIGCONT,
}

// Signal sends s to the first process, or STOP, CONT and KILL to all.
func (i *Instance) Signal(s testbed.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ignore > 0 {
		i.ignore--
		return nil
	}
	pid := i.cmd.Process.Pid
	if s == testbed.SigKill || s == testbed.SigStop || s == testbed.SigCont {
		pid = -pid
	}
	return syscall.Kill(pid, signals[s])
}

// Done is closed when the first process has ended.
func (i *Instance) Done() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.done
}

// Exit says how it ended; nil while it runs.
func (i *Instance) Exit() *testbed.ExitError {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.exit
}

// Expect says that the unit is about to end on purpose.
func (i *Instance) Expect() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked = true
}

// Restart starts the unit again with the same ports.
func (i *Instance) Restart(ctx context.Context) error {
	if err := i.Stop(ctx); err != nil {
		return err
	}
	return i.start(ctx)
}

// Stop ends it: StopSignal, then KILL after StopGrace.
func (i *Instance) Stop(ctx context.Context) error {
	if exit := i.Exit(); exit != nil {
		if !exit.Asked {
			return exit
		}
		return nil
	}
	i.Expect()
	i.LoseSignals(0)
	if err := i.Signal(i.unit.StopSignal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-i.Done():
		return nil
	case <-ctx.Done():
	case <-time.After(i.unit.StopGrace):
	}
	if err := i.Signal(testbed.SigKill); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-i.Done()
	return nil
}

// Usage is not measured here.
func (i *Instance) Usage(context.Context) (testbed.Usage, error) {
	return testbed.Usage{}, errors.New("proxytest: usage is not measured")
}
