package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
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

	closeOnce sync.Once
	closeErr  error
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
	if strings.ContainsRune(self, filepath.Separator) {
		// Units run in directories of their own.
		abs, err := filepath.Abs(self)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", self, err)
		}
		self = abs
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

// errClosed is also what a unit gets that is started while its runtime closes.
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

// startProcess starts cmd from the spawner's thread as the next life of p, within q
// if that is not nil. Close excludes it, so a process is either never started or seen
// by Close. After an error a life that is returned runs and must be ended.
func (r *ProcessRuntime) startProcess(p *process, cmd *exec.Cmd, q *quota) (*life, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	p.mu.Lock()
	running := p.runs()
	p.mu.Unlock()
	if running {
		return nil, errors.New("it runs already")
	}
	started := make(chan error, 1)
	r.spawn <- func() { started <- q.start(cmd) }
	err := <-started
	if cmd.Process == nil {
		return nil, err
	}
	return p.adopt(cmd, q), err
}

// Name implements Runtime.
func (r *ProcessRuntime) Name() string { return "process" }

// Reserve implements Runtime. The ports are on 127.0.0.1. On error none is kept.
func (r *ProcessRuntime) Reserve(_ context.Context, unit string, want map[string]int) (map[string]Port, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	// Fixed ports first: a free one must not happen to be the same.
	names := slices.SortedFunc(maps.Keys(want), func(a, b string) int {
		return cmp.Or(cmp.Compare(want[b], want[a]), cmp.Compare(a, b))
	})
	ports := make(map[string]Port, len(want))
	var held []int
	for _, name := range names {
		fd, addr, err := reservePort(want[name])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: port %q: %w", unit, name, err), closeAll(held))
		}
		if fd >= 0 {
			held = append(held, fd)
		}
		ports[name] = Port{Listen: addr, Peer: addr, Host: addr}
	}
	r.reserved = append(r.reserved, held...)
	return ports, nil
}

func closeAll(fds []int) error {
	var errs []error
	for _, fd := range fds {
		errs = append(errs, os.NewSyscallError("close", syscall.Close(fd)))
	}
	return errors.Join(errs...)
}

// Dir implements Runtime.
func (r *ProcessRuntime) Dir(unit string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.makeDir(unit)
}

// makeDir is Dir for who holds mu, so that Close removes whatever it makes.
func (r *ProcessRuntime) makeDir(unit string) (string, error) {
	if r.closed {
		return "", errClosed
	}
	if unit != filepath.Base(unit) || !filepath.IsLocal(unit) || unit == "." {
		return "", fmt.Errorf("%q cannot be the name of a unit: it must be a plain file name", unit)
	}
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
		return "", &MissingBinaryError{Unit: u.Name, Binary: u.Binary, Err: err}
	}
	return path, nil
}

// Start implements Runtime.
func (r *ProcessRuntime) Start(ctx context.Context, u Unit) (Instance, error) {
	path, err := r.find(u)
	if err != nil {
		return nil, err
	}
	if u.StopSignal == "" {
		u.StopSignal = SigTerm
	}
	if _, ok := signals[u.StopSignal]; !ok {
		return nil, fmt.Errorf("%s: unknown stop signal %q", u.Name, u.StopSignal)
	}
	p, err := r.place(u, path)
	if err != nil {
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// place makes the unit's directory with its files.
func (r *ProcessRuntime) place(u Unit, path string) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.instances {
		p.mu.Lock()
		taken := p.unit.Name == u.Name && p.runs()
		p.mu.Unlock()
		if taken {
			return nil, fmt.Errorf("%s: a unit of this name runs already", u.Name)
		}
	}
	dir, err := r.makeDir(u.Name)
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
	r.instances = append(r.instances, p)
	return p, nil
}

// Close implements Runtime. It may be called more than once; each call returns when
// all is down.
func (r *ProcessRuntime) Close(ctx context.Context) error {
	r.closeOnce.Do(func() { r.closeErr = r.close(ctx) })
	return r.closeErr
}

func (r *ProcessRuntime) close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true // from here on nothing is started, reserved or made
	close(r.spawn)
	r.mu.Unlock()
	var errs []error
	for _, p := range slices.Backward(r.instances) {
		errs = append(errs, p.Stop(ctx))
	}
	errs = append(errs, closeAll(r.reserved), os.RemoveAll(r.workDir))
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

// MissingBinaryError says that a unit's program cannot be found or run.
type MissingBinaryError struct {
	Unit, Binary string
	Err          error // of the search; may be nil
}

// Error names the program; the command adds how to install it.
func (e *MissingBinaryError) Error() string {
	if e.Err == nil || errors.Is(e.Err, exec.ErrNotFound) {
		return fmt.Sprintf("%s: the program %s is not installed", e.Unit, e.Binary)
	}
	return fmt.Sprintf("%s: the program %s cannot be run: %v", e.Unit, e.Binary, e.Err)
}

// Unwrap gives the error of the search.
func (e *MissingBinaryError) Unwrap() error { return e.Err }
