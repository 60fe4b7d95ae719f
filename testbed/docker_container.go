package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// container is a unit as a container. Its first process is number 1 in there: when
// that ends, the kernel kills all others.
type container struct {
	runtime *DockerRuntime
	unit    Unit
	dir     string
	logPath string
	keeper  *container                      // of the network that the unit shares; nil if it has its own
	addr    netip.Addr                      // in the private network, if it has its own
	box     *testcontainers.DockerContainer // nil before it is made
	gone    sync.Once
	goneErr error

	mu        sync.Mutex
	unplugged bool          // off the private network
	life      *boxLife      // the latest; nil before the first
	usedCPU   time.Duration // by lives that are over
	shownCPU  time.Duration // the most that Usage has told, so that it only grows
}

// boxLife is one run of a container. Its fields are guarded by the container's mu.
type boxLife struct {
	pid      int // of its first process on this host, or 0
	done     chan struct{}
	exit     *ExitError // nil until done is closed
	expected bool
	paused   bool
}

func (c *container) Unit() Unit            { return c.unit }
func (c *container) Dir() string           { return c.dir }
func (c *container) LogPath() string       { return c.logPath }
func (c *container) PID() int              { return c.current().pid }
func (c *container) OwnPID() int           { return 1 }
func (c *container) Done() <-chan struct{} { return c.current().done }
func (c *container) Exit() *ExitError      { return c.exitOf(c.current()) }

func (c *container) exitOf(l *boxLife) *ExitError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.exit
}

func (c *container) Expect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.life.expected = true
}

// current is the latest life. An instance that is handed out has one.
func (c *container) current() *boxLife {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life
}

// runs tells whether the latest life is not over.
func (c *container) runs() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.life != nil && c.life.exit == nil
}

// start runs the container and waits until the unit is ready. On error it does not run.
// That ctx ends is noticed once the daemon is done: what it was doing would be unknown.
func (c *container) start(ctx context.Context) error {
	l, err := c.boot(ctx)
	if err != nil {
		return err
	}
	if err := awaitReady(ctx, c, l.done, func() *ExitError { return c.exitOf(l) }); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedGrace)
		defer cancel()
		return errors.Join(err, c.Stop(stop))
	}
	return nil
}

// boot starts the container's first process, with everything it prints going to the log.
func (c *container) boot(ctx context.Context) (*boxLife, error) {
	r := c.runtime
	r.gate.RLock()
	defer r.gate.RUnlock()
	switch {
	case r.shut:
		return nil, fmt.Errorf("%s: %w", c.unit.Name, errClosed)
	case c.runs():
		return nil, fmt.Errorf("%s: it runs already", c.unit.Name)
	}
	ctx, cancel := apiContext(ctx)
	defer cancel()
	log, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.unit.Name, err)
	}
	run, err := r.docker.boot(ctx, c.box, log)
	if err != nil {
		return nil, c.bootError(err)
	}
	l := &boxLife{pid: run.pid, done: make(chan struct{})}
	c.mu.Lock()
	c.life = l
	c.mu.Unlock()
	go c.reap(l, run)
	return l, nil
}

// bootError tells a program that the image lacks from other failures.
func (c *container) bootError(err error) error {
	if isMissingProgram(err) {
		return &MissingBinaryError{Unit: c.unit.Name, Binary: c.unit.Binary, Err: fmt.Errorf("the image %s does not have it: %w", c.box.Image, err)}
	}
	return fmt.Errorf("%s: start the container: %w", c.unit.Name, err)
}

// reap waits for the end of a life and records how it ended.
func (c *container) reap(l *boxLife, run *boxRun) {
	status := run.wait()
	tail := tailLines(c.logPath, tailLength)
	c.mu.Lock()
	defer c.mu.Unlock()
	l.exit = &ExitError{Unit: c.unit.Name, Status: status, Asked: l.expected, Tail: tail, LogPath: c.logPath}
	c.usedCPU = c.shownCPU
	close(l.done)
}

// Signal implements Instance.
func (c *container) Signal(s Signal) error {
	if _, ok := signals[s]; !ok {
		return fmt.Errorf("%s: unknown signal %q", c.unit.Name, s)
	}
	if !c.runs() {
		return fmt.Errorf("%s: cannot send SIG%s: it does not run", c.unit.Name, s)
	}
	ctx, cancel := apiContext(context.Background())
	defer cancel()
	if err := c.tell(ctx, c.current(), s); err != nil {
		return fmt.Errorf("%s: send SIG%s: %w", c.unit.Name, s, err)
	}
	return nil
}

// tell sends a signal to the first process, or freezes or thaws all of them, which the
// daemon does by the freezer of their control group.
func (c *container) tell(ctx context.Context, l *boxLife, s Signal) error {
	api, id := c.runtime.docker.api, c.box.ID
	var err error
	switch {
	case s == SigStop && c.flip(&l.paused, true):
		if _, err = api.ContainerPause(ctx, id, client.ContainerPauseOptions{}); err != nil {
			c.flip(&l.paused, false)
		}
	case s == SigCont && c.flip(&l.paused, false):
		_, err = api.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
	case s != SigStop && s != SigCont:
		_, err = api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: string(s)})
	}
	return err
}

// flip sets a flag of the container, or of a life of it, and tells whether it was not so
// before.
func (c *container) flip(flag *bool, to bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := *flag
	*flag = to
	return was != to
}

// Restart implements Instance.
func (c *container) Restart(ctx context.Context) error {
	if err := c.Stop(ctx); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s was not started: %w", c.unit.Name, context.Cause(ctx))
	}
	return c.start(ctx)
}

// Stop implements Instance. The container stays until the runtime closes, with its
// address and its files.
func (c *container) Stop(ctx context.Context) error {
	c.mu.Lock()
	l := c.life
	if l == nil || l.exit != nil {
		if l != nil {
			l.expected = true
		}
		c.mu.Unlock()
		return nil
	}
	l.expected = true
	c.mu.Unlock()
	must, cancel := apiContext(ctx)
	defer cancel()
	// That the signal cannot be sent says that the unit ended meanwhile, or the wait for
	// its end fails too.
	_ = c.tell(must, l, c.unit.StopSignal)
	_ = c.tell(must, l, SigCont) // a frozen unit cannot end
	grace, over := context.WithTimeout(ctx, c.unit.StopGrace)
	defer over()
	select {
	case <-l.done:
		return nil
	case <-grace.Done():
	}
	err := c.tell(must, l, SigKill)
	select {
	case <-l.done:
		return nil
	case <-must.Done():
		return errors.Join(fmt.Errorf("%s: the container is still there after SIGKILL: %w", c.unit.Name, context.Cause(must)), err)
	}
}

// discard ends and removes the container of a unit that did not come up.
func (c *container) discard(ctx context.Context) error {
	err := errors.Join(c.Stop(ctx), c.terminate(ctx))
	c.runtime.forget(c)
	return err
}

// terminate removes the container, which has ended.
func (c *container) terminate(ctx context.Context) error {
	c.gone.Do(func() {
		if c.box == nil {
			return
		}
		ctx, cancel := apiContext(ctx)
		defer cancel()
		if err := c.box.Terminate(ctx, testcontainers.StopTimeout(0)); err != nil && !errdefs.IsNotFound(err) {
			c.goneErr = fmt.Errorf("%s: remove the container: %w; remove it with: wsrig down", c.unit.Name, err)
		}
	})
	return c.goneErr
}

// exitStatus is how a container's first process ended, in the words of os.ProcessState.
// A status above 128 is a signal's (bash(1), EXIT STATUS; Docker follows it).
func exitStatus(code int64, ranOut bool) string {
	const bySignal = 128
	status := fmt.Sprintf("exit status %d", code)
	if n := code - bySignal; n > 0 && n < 32 {
		status = "signal: " + syscall.Signal(n).String()
	}
	if ranOut {
		status += outOfMemory
	}
	return status
}
