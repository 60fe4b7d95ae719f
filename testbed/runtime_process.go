package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ProcessRuntime runs units as local processes on loopback. Every unit is a
// process group of its own; if this program dies without ending its units, the
// kernel sends each unit's first process SIGTERM.
type ProcessRuntime struct {
	self    string
	workDir string
	logDir  string

	spawn chan func() // run on one locked thread; see spawner

	mu        sync.Mutex
	reserved  []int // file descriptors that hold ports
	instances []*process
	closed    bool
}

// NewProcessRuntime returns a runtime whose units work in directories below a new
// temporary one, removed by Close, and print to files in logDir, which stay. self
// is the program that stands for Self; "" is this very executable.
func NewProcessRuntime(self, logDir string) (*ProcessRuntime, error) {
	if self == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program's own file: %w", err)
		}
		self = exe
	}
	logDir, err := filepath.Abs(logDir)
	if err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	if err := os.MkdirAll(logDir, 0o755); err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	work, err := os.MkdirTemp("", "wsrig-")
	if err != nil {
		return nil, fmt.Errorf("working directory: %w", err)
	}
	// Proxies started as root drop their privileges and must still reach their files.
	if err := os.Chmod(work, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("working directory: %w", err), os.RemoveAll(work))
	}
	r := &ProcessRuntime{self: self, workDir: work, logDir: logDir, spawn: make(chan func())}
	go r.spawner()
	return r, nil
}

var errClosed = errors.New("the runtime is closed")

// spawner starts all processes from one thread that lives as long as the runtime:
// the parent-death signal is tied to the thread that forked (prctl(2),
// PR_SET_PDEATHSIG), and Go ends threads at will.
func (r *ProcessRuntime) spawner() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for f := range r.spawn {
		f()
	}
}

// startProcess starts cmd from the spawner's thread and hands it to adopt. Close
// excludes it, so a process is either never started or seen by Close.
func (r *ProcessRuntime) startProcess(cmd *exec.Cmd, adopt func(*exec.Cmd)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	started := make(chan error, 1)
	r.spawn <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return err
	}
	adopt(cmd)
	return nil
}

// Name implements Runtime.
func (r *ProcessRuntime) Name() string { return "process" }

// Reserve implements Runtime. The ports are on 127.0.0.1.
func (r *ProcessRuntime) Reserve(_ context.Context, unit string, want map[string]int) (map[string]Port, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	ports := make(map[string]Port, len(want))
	for name, number := range want {
		fd, addr, err := reservePort(number)
		if err != nil {
			return nil, fmt.Errorf("%s: port %q: %w", unit, name, err)
		}
		r.reserved = append(r.reserved, fd)
		ports[name] = Port{Listen: addr, Peer: addr, Host: addr}
	}
	return ports, nil
}

// Dir implements Runtime.
func (r *ProcessRuntime) Dir(unit string) (string, error) {
	dir := filepath.Join(r.workDir, unit)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("%s: unit directory: %w", unit, err)
	}
	return dir, nil
}

// Lookup implements Runtime.
func (r *ProcessRuntime) Lookup(u Unit) error {
	_, err := r.find(u)
	return err
}

func (r *ProcessRuntime) find(u Unit) (string, error) {
	binary := u.Binary
	if binary == Self {
		binary = r.self
	}
	path, err := exec.LookPath(binary)
	if err != nil {
		return "", &MissingBinaryError{Unit: u.Name, Binary: u.Binary}
	}
	return path, nil
}

// Start implements Runtime.
func (r *ProcessRuntime) Start(ctx context.Context, u Unit) (Instance, error) {
	path, err := r.find(u)
	if err != nil {
		return nil, err
	}
	dir, err := r.Dir(u.Name)
	if err != nil {
		return nil, err
	}
	if err := writeFiles(dir, u.Files); err != nil {
		return nil, fmt.Errorf("%s: %w", u.Name, err)
	}
	p := &process{
		runtime: r, unit: u, path: path, dir: dir,
		logPath: filepath.Join(r.logDir, u.Name+".log"),
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, errClosed
	}
	r.instances = append(r.instances, p)
	r.mu.Unlock()
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Close implements Runtime. It may be called more than once.
func (r *ProcessRuntime) Close(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	instances, reserved := slices.Clone(r.instances), r.reserved
	r.reserved = nil
	r.mu.Unlock()

	var errs []error
	for _, p := range slices.Backward(instances) {
		errs = append(errs, p.Stop(ctx))
	}
	for _, fd := range reserved {
		errs = append(errs, syscall.Close(fd))
	}
	close(r.spawn)
	errs = append(errs, os.RemoveAll(r.workDir))
	return errors.Join(errs...)
}

func writeFiles(dir string, files []File) error {
	for _, f := range files {
		if !filepath.IsLocal(f.Name) {
			return fmt.Errorf("file %q is outside the unit's directory", f.Name)
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("file %s: %w", f.Name, err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			return fmt.Errorf("file %s: %w", f.Name, err)
		}
	}
	return nil
}

// MissingBinaryError says that a unit's program is not installed.
type MissingBinaryError struct{ Unit, Binary string }

// Error names the program; the command adds how to install it.
func (e *MissingBinaryError) Error() string {
	return fmt.Sprintf("%s: the program %s is not installed", e.Unit, e.Binary)
}

// probeEvery is how often a unit that is not ready yet is asked again. Readiness
// has no event to wait for that all programs share.
const probeEvery = 10 * time.Millisecond

// awaitReady probes until the unit is ready, dead, or ctx ends.
func awaitReady(ctx context.Context, p *process) error {
	if p.unit.Ready == nil {
		return nil
	}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	var last error
	for {
		probe, cancel := context.WithTimeout(ctx, 2*time.Second)
		last = p.unit.Ready(probe, p)
		cancel()
		if last == nil {
			return nil
		}
		select {
		case <-p.Done():
			return p.Exit()
		case <-ctx.Done():
			return &NotReadyError{Unit: p.unit.Name, Last: last, Cause: context.Cause(ctx), Tail: tailLines(p.logPath, tailLength), LogPath: p.logPath}
		case <-tick.C:
		}
	}
}

// NotReadyError says that a unit lives but did not serve in time.
type NotReadyError struct {
	Unit    string
	Last    error // of the last probe
	Cause   error
	Tail    []string
	LogPath string
}

// Error names the unit, the last probe's error and the end of the log.
func (e *NotReadyError) Error() string {
	s := fmt.Sprintf("%s did not become ready (%v): %v; log: %s", e.Unit, e.Cause, e.Last, e.LogPath)
	for _, l := range e.Tail {
		s += "\n    | " + l
	}
	return s
}

// Unwrap gives the reason the wait ended.
func (e *NotReadyError) Unwrap() error { return e.Cause }
