package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// tailLength is how many log lines a failed unit's error shows.
	tailLength = 15
	// killTimeout is how long processes may outlive SIGKILL, or go on after SIGSTOP:
	// one that waits for a disk does neither before its input or output is done.
	killTimeout = 5 * time.Second
	// failedGrace is what a unit that did not come up gets to end, at most.
	failedGrace = 5 * time.Second
)

// process is a unit as a local process group.
type process struct {
	runtime *ProcessRuntime
	unit    Unit
	path    string
	dir     string
	logPath string

	mu       sync.Mutex
	life     *life         // the latest; nil before the first
	usedCPU  time.Duration // by lives that are over
	shownCPU time.Duration // the most that Usage has told, so that it only grows
}

// life is one run of a unit's program, from its fork to the end of the last process
// of its group. Its fields are guarded by the process's mu.
type life struct {
	cmd      *exec.Cmd
	pid      int // also the group's number
	done     chan struct{}
	exit     *ExitError // nil until done is closed
	left     error      // processes that outlived SIGKILL, or a control group that could not be removed
	quota    *quota     // nil without a limit
	expected bool
}

func (p *process) Unit() Unit      { return p.unit }
func (p *process) Dir() string     { return p.dir }
func (p *process) LogPath() string { return p.logPath }
func (p *process) PID() int        { return p.current().pid }

func (p *process) Done() <-chan struct{} { return p.current().done }

func (p *process) OwnPID() int { return p.PID() }

func (p *process) Exit() *ExitError { return p.exitOf(p.current()) }

func (p *process) exitOf(l *life) *ExitError {
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.exit
}

func (p *process) Expect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life.expected = true
}

// current is the latest life. An instance that is handed out has one.
func (p *process) current() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// start forks the unit and waits until it is ready. On error nothing is left.
func (p *process) start(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s was not started: %w", p.unit.Name, context.Cause(ctx))
	}
	l, err := p.fork()
	if err != nil {
		return fmt.Errorf("%s: start %s: %w", p.unit.Name, p.path, err)
	}
	if err := awaitReady(ctx, p, l.done, func() *ExitError { return p.exitOf(l) }); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedGrace)
		defer cancel()
		return errors.Join(err, p.Stop(stop))
	}
	return nil
}

func (p *process) fork() (*life, error) {
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(p.path, p.unit.Args...)
	cmd.Dir = cmp.Or(p.unit.WorkDir, p.dir)
	// Files, not pipes: Wait must not depend on what a left-over process keeps open.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(baseEnv(), p.unit.Env...)
	setProcessGroup(cmd)
	q, err := newQuota(p.unit.Limits)
	if err != nil {
		return nil, err
	}
	l, err := p.runtime.startProcess(p, cmd, q)
	if err == nil {
		return l, nil
	}
	if l != nil { // it runs
		p.tell(l, -l.pid, syscall.SIGKILL)
		<-l.done // its end removes the group too
		return nil, errors.Join(err, p.leftOf(l))
	}
	return nil, errors.Join(err, q.remove())
}

// runs tells whether the unit's latest life is not over. The caller holds mu.
func (p *process) runs() bool { return p.life != nil && p.life.exit == nil }

// adopt makes a process that was just started the unit's own.
func (p *process) adopt(cmd *exec.Cmd, q *quota) *life {
	l := &life{cmd: cmd, pid: cmd.Process.Pid, done: make(chan struct{}), quota: q}
	p.mu.Lock()
	p.life = l
	p.mu.Unlock()
	go p.reap(l)
	return l
}

// reap waits for the first process, ends what is left of its group, such as workers
// whose master was killed, and records how it ended.
func (p *process) reap(l *life) {
	awaitExit(l.cmd)
	// As long as the first process is not waited for, its number and the group's
	// belong to it. Afterwards they may be given to a stranger, so the wait comes
	// last and under mu, which every sender of a signal holds too.
	left := endGroup(p.unit.Name, l.pid)
	tail := tailLines(p.logPath, tailLength)
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = l.cmd.Wait() // the status is in ProcessState
	state := l.cmd.ProcessState
	status := state.String()
	if l.quota.ranOut() {
		status += outOfMemory
	}
	if err := l.quota.remove(); err != nil {
		left = errors.Join(left, fmt.Errorf("%s: %w", p.unit.Name, err))
	}
	l.left = left
	l.exit = &ExitError{Unit: p.unit.Name, Status: status, Asked: l.expected, Tail: tail, LogPath: p.logPath}
	// Time of killed workers that nobody waited for is in shownCPU only.
	p.usedCPU = max(p.usedCPU+state.UserTime()+state.SystemTime(), p.shownCPU)
	close(l.done)
}

// outOfMemory is added to the status of a unit that reached its limit.
const outOfMemory = " (out of memory: it reached its limit)"

// endGroup kills a group whose first process has ended, and waits for the rest.
func endGroup(unit string, pgid int) error {
	deadline := time.Now().Add(killTimeout)
	for groupAlive(pgid) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: processes of group %d are still there %s after SIGKILL; see ps -o pid,stat,args -g %d", unit, pgid, killTimeout, pgid)
		}
		_ = syscall.Kill(-pgid, syscall.SIGKILL) // again for one that was just forked
		time.Sleep(2 * time.Millisecond)         // not our children: there is no event to wait for
	}
	return nil
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
	l, err := p.send(s, num)
	if err != nil || s != SigStop {
		return err
	}
	return p.awaitStopped(l)
}

func (p *process) send(s Signal, num syscall.Signal) (*life, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runs() {
		return nil, fmt.Errorf("%s: cannot send SIG%s: it does not run", p.unit.Name, s)
	}
	target := p.life.pid
	switch s {
	case SigStop, SigCont, SigKill:
		target = -target // the whole group
	}
	if err := syscall.Kill(target, num); err != nil {
		return nil, fmt.Errorf("%s: send SIG%s: %w", p.unit.Name, s, err)
	}
	return p.life, nil
}

// awaitStopped returns when the whole group stands still, so that a freeze begins
// when it is said to. It matters for the rig's own death too: the kernel continues
// a group that has stopped when its parent dies, not one that is about to.
func (p *process) awaitStopped(l *life) error {
	deadline := time.Now().Add(killTimeout)
	for !groupStopped(l.pid) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: processes of group %d still run %s after SIGSTOP; see ps -o pid,stat,args -g %d", p.unit.Name, l.pid, killTimeout, l.pid)
		}
		time.Sleep(time.Millisecond)
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
	p.mu.Lock()
	l := p.life
	if l == nil {
		p.mu.Unlock()
		return nil
	}
	l.expected = true
	p.mu.Unlock()
	p.tell(l, l.pid, signals[p.unit.StopSignal])
	p.tell(l, -l.pid, syscall.SIGCONT) // a frozen unit cannot end
	grace, cancel := context.WithTimeout(ctx, p.unit.StopGrace)
	defer cancel()
	select {
	case <-l.done:
		return p.leftOf(l)
	case <-grace.Done():
	}
	p.tell(l, -l.pid, syscall.SIGKILL)
	// Short whatever the caller's deadline is; twice as long as reap may take.
	deadline := time.NewTimer(2 * killTimeout)
	defer deadline.Stop()
	select {
	case <-l.done:
		return p.leftOf(l)
	case <-deadline.C:
		return fmt.Errorf("%s: process %d is still there %s after SIGKILL", p.unit.Name, l.pid, 2*killTimeout)
	}
}

func (p *process) leftOf(l *life) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.left
}

// tell sends a signal unless that life is over. An error can only say that the
// process is gone meanwhile, as was wanted.
func (p *process) tell(l *life, pid int, s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.exit == nil {
		_ = syscall.Kill(pid, s)
	}
}
