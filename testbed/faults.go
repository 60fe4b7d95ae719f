package testbed

import (
	"context"
	"fmt"
	"time"
)

// faultTimeout is how long a fault may take to be done.
const faultTimeout = 20 * time.Second

// Kill ends a unit as a crash would: SIGKILL to all of its processes.
func (tb *Testbed) Kill(ctx context.Context, unit string) error {
	ctx, cancel := faultContext(ctx, "kill", unit)
	defer cancel()
	inst, err := tb.Find(unit)
	if err != nil {
		return err
	}
	inst.Expect()
	if err := inst.Signal(SigKill); err != nil {
		return err
	}
	select {
	case <-inst.Done():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Freeze stops all of a unit's processes where they are (SIGSTOP). Its sockets
// stay open and the kernel goes on accepting for it.
func (tb *Testbed) Freeze(_ context.Context, unit string) error {
	return tb.signal(unit, SigStop)
}

// Continue lets a frozen unit go on.
func (tb *Testbed) Continue(_ context.Context, unit string) error {
	return tb.signal(unit, SigCont)
}

func (tb *Testbed) signal(unit string, s Signal) error {
	inst, err := tb.Find(unit)
	if err != nil {
		return err
	}
	return inst.Signal(s)
}

// Restart ends a unit in an orderly way, or picks up after a Kill, and starts it
// again on the same ports. It returns when the unit serves. A unit that ended
// unasked before is not restarted: that is its *ExitError.
func (tb *Testbed) Restart(ctx context.Context, unit string) error {
	ctx, cancel := faultContext(ctx, "restart", unit)
	defer cancel()
	inst, err := tb.Find(unit)
	if err != nil {
		return err
	}
	if e := inst.Exit(); e != nil && !e.Asked {
		return e // it crashed, which a restart must not hide
	}
	if err := inst.Restart(ctx); err != nil {
		return err
	}
	tb.guard(inst)
	return nil
}

// Reload has the proxy read its configuration again, and returns when the new
// configuration serves.
func (tb *Testbed) Reload(ctx context.Context) error {
	ctx, cancel := faultContext(ctx, "reload", "proxy")
	defer cancel()
	if tb.Proxy == nil {
		return fmt.Errorf("there is no proxy to reload: the cell is direct")
	}
	return tb.Spec.Proxy.Reload(ctx, tb.Proxy)
}

func faultContext(ctx context.Context, what, unit string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, faultTimeout, fmt.Errorf("%s %s was not done within %s", what, unit, faultTimeout))
}
