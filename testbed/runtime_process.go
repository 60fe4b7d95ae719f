package testbed

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"sync"
)

// ProcessRuntime runs units as local processes on loopback. Every unit is a
// process group of its own; if this program dies without ending its units, the
// kernel sends each unit's first process SIGTERM.
type ProcessRuntime struct {
	*workspace
	self  string
	spawn chan func() // run on one locked thread; see spawner

	instances []*process // guarded by mu

	closeOnce sync.Once
	closeErr  error
}

// NewProcessRuntime returns a runtime whose units work in directories below a new
// temporary one, removed by Close, and print to files in logDir, which stay; with ""
// they are below the temporary one too, so that nothing stays, and wsrig down finds
// the logs of a killed rig. self is the program that stands for Self; "" is this very
// executable.
func NewProcessRuntime(self, logDir string) (*ProcessRuntime, error) {
	self, err := absSelf(self)
	if err != nil {
		return nil, err
	}
	space, err := newWorkspace(logDir)
	if err != nil {
		return nil, err
	}
	owner, err := thisProcess()
	if err == nil {
		err = writeRecord(space.workDir, record{Owner: owner})
	}
	if err != nil {
		return nil, errors.Join(err, space.remove())
	}
	r := &ProcessRuntime{workspace: space, self: self, spawn: make(chan func())}
	go r.spawner()
	return r, nil
}

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
	l := p.adopt(cmd, q)
	return l, errors.Join(err, recordUnit(r.workDir, p.unit.Name, l.pid))
}

// Name implements Runtime.
func (r *ProcessRuntime) Name() string { return "process" }

// Reserve implements Runtime. The ports are on 127.0.0.1. On error none is kept.
func (r *ProcessRuntime) Reserve(_ context.Context, unit string, want map[string]int) (map[string]Port, error) {
	addrs, err := r.reserve(unit, want)
	if err != nil {
		return nil, err
	}
	ports := make(map[string]Port, len(addrs))
	for name, addr := range addrs {
		ports[name] = Port{Listen: addr, Peer: addr, Host: addr}
	}
	return ports, nil
}

// Sources implements Runtime. All of 127.0.0.0/8 is local on Linux, so that there is
// nothing to do; elsewhere only 127.0.0.1 is, as a rule.
func (r *ProcessRuntime) Sources(_ context.Context, _ string, n int) ([]string, error) {
	return sourceAddresses(loopbackSources, n)
}

// Lookup implements Runtime.
func (r *ProcessRuntime) Lookup(_ context.Context, u Unit) error {
	_, err := r.find(u)
	return err
}

func (r *ProcessRuntime) find(u Unit) (string, error) {
	if u.Image != "" {
		return "", fmt.Errorf("%s: the image %s needs containers; use --runtime docker", u.Name, u.Image)
	}
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

// Run implements Runtime.
func (r *ProcessRuntime) Run(ctx context.Context, u Unit, dir string) (string, error) {
	path, err := r.find(u)
	if err != nil {
		return "", err
	}
	return LocalRun(path)(ctx, dir, u.Args...)
}

// Start implements Runtime.
func (r *ProcessRuntime) Start(ctx context.Context, u Unit) (Instance, error) {
	path, err := r.find(u)
	if err != nil {
		return nil, err
	}
	if err := u.setStopSignal(); err != nil {
		return nil, err
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
	dir, err := r.workspace.place(u)
	if err != nil {
		return nil, err
	}
	p := &process{runtime: r, unit: u, path: path, dir: dir, logPath: r.logPath(u.Name)}
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
	errs = append(errs, r.remove())
	return errors.Join(errs...)
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
