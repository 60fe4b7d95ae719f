package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// tailLength is how many log lines a failed unit's error shows.
const tailLength = 15

// process is a unit as a local process group.
type process struct {
	runtime *ProcessRuntime
	unit    Unit
	path    string
	dir     string
	logPath string

	mu       sync.Mutex
	cmd      *exec.Cmd
	done     chan struct{}
	exit     *ExitError
	expected bool
	usedCPU  time.Duration // by starts that have ended, so that CPU only grows
}

func (p *process) Unit() Unit      { return p.unit }
func (p *process) Dir() string     { return p.dir }
func (p *process) LogPath() string { return p.logPath }

func (p *process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

func (p *process) Exit() *ExitError {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

func (p *process) Expect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = true
}

// start forks the unit and waits until it is ready. On error nothing is left.
func (p *process) start(ctx context.Context) error {
	if err := p.fork(); err != nil {
		return fmt.Errorf("%s: start %s: %w", p.unit.Name, p.path, err)
	}
	if err := awaitReady(ctx, p); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, p.Stop(stop))
	}
	return nil
}

func (p *process) fork() error {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.unit.Args...)
	cmd.Dir = p.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(baseEnv(), p.unit.Env...)
	setProcessGroup(cmd)
	return p.runtime.startProcess(cmd, p.adopt)
}

// adopt makes a started process the unit's own.
func (p *process) adopt(cmd *exec.Cmd) {
	done := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.done, p.exit, p.expected = cmd, done, nil, false
	p.mu.Unlock()
	go p.reap(cmd, done)
}

// reap waits for the first process and records how it ended.
func (p *process) reap(cmd *exec.Cmd, done chan struct{}) {
	_ = cmd.Wait() // the status is in ProcessState
	p.mu.Lock()
	p.exit = &ExitError{
		Unit: p.unit.Name, Status: cmd.ProcessState.String(), Asked: p.expected,
		Tail: tailLines(p.logPath, tailLength), LogPath: p.logPath,
	}
	p.usedCPU += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	p.mu.Unlock()
	close(done)
}

// baseEnv is what every unit inherits. Nothing else of the caller's environment
// can change a measurement.
func baseEnv() []string {
	var env []string
	for _, k := range []string{"PATH", "HOME", "LANG", "TMPDIR", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}

var signals = map[Signal]syscall.Signal{
	SigTerm: syscall.SIGTERM, SigKill: syscall.SIGKILL, SigQuit: syscall.SIGQUIT,
	SigHup: syscall.SIGHUP, SigUsr1: syscall.SIGUSR1, SigUsr2: syscall.SIGUSR2,
	SigStop: syscall.SIGSTOP, SigCont: syscall.SIGCONT,
}

// Signal implements Instance.
func (p *process) Signal(s Signal) error {
	num, ok := signals[s]
	if !ok {
		return fmt.Errorf("%s: unknown signal %q", p.unit.Name, s)
	}
	pid := p.PID()
	if pid == 0 || p.Exit() != nil {
		return fmt.Errorf("%s: cannot send SIG%s: it does not run", p.unit.Name, s)
	}
	target := pid
	switch s {
	case SigStop, SigCont, SigKill:
		target = -pid // the whole group
	}
	if err := syscall.Kill(target, num); err != nil {
		return fmt.Errorf("%s: send SIG%s: %w", p.unit.Name, s, err)
	}
	return nil
}

// Restart implements Instance.
func (p *process) Restart(ctx context.Context) error {
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return p.start(ctx)
}

// Stop implements Instance.
func (p *process) Stop(ctx context.Context) error {
	pid := p.PID()
	if pid == 0 {
		return nil
	}
	p.Expect()
	if p.Exit() == nil {
		p.signalQuietly(pid, signals[p.unit.StopSignal])
		p.signalQuietly(-pid, syscall.SIGCONT) // a frozen unit cannot end
		grace, cancel := context.WithTimeout(ctx, p.unit.StopGrace)
		defer cancel()
		select {
		case <-p.Done():
		case <-grace.Done():
		}
	}
	// Whatever is left of the group, such as workers whose master was killed.
	p.signalQuietly(-pid, syscall.SIGKILL)
	return p.awaitGroupGone(pid)
}

// signalQuietly ignores ESRCH: the process has ended by itself, as was wanted.
func (p *process) signalQuietly(pid int, s syscall.Signal) { _ = syscall.Kill(pid, s) }

// awaitGroupGone returns once no process of the group is left. SIGKILL was sent,
// so this is short whatever the caller's deadline is.
func (p *process) awaitGroupGone(pid int) error {
	deadline := time.After(5 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.Exit() != nil && !groupAlive(pid) {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("%s: process group %d is still there 5 s after SIGKILL", p.unit.Name, pid)
		case <-tick.C:
		}
	}
}
