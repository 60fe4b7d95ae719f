package testbed

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// faultTimeout is how long a fault may take to be done.
const faultTimeout = 20 * time.Second

// Kill ends a unit as a crash would: SIGKILL to all of its processes.
func (tb *Testbed) Kill(ctx context.Context, unit string) error {
	ctx, cancel := faultContext(ctx, "kill", unit)
	defer cancel()
	return tb.each(unit, func(inst Instance) error {
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
	})
}

// each acts on a unit; on "proxy" it acts on every unit of the proxy.
func (tb *Testbed) each(unit string, act func(Instance) error) error {
	if unit == ProxyName(0) && len(tb.Proxies) > 0 {
		for _, p := range tb.Proxies {
			if err := act(p); err != nil {
				return err
			}
		}
		return nil
	}
	inst, err := tb.Find(unit)
	if err != nil {
		return err
	}
	return act(inst)
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

// Disconnect takes a unit off the network, as a pulled cable would: nothing is closed,
// and nothing gets through.
func (tb *Testbed) Disconnect(ctx context.Context, unit string) error {
	return tb.network(ctx, "disconnect", unit, Networked.Disconnect, true)
}

// Reconnect brings a disconnected unit back, with the address it had.
func (tb *Testbed) Reconnect(ctx context.Context, unit string) error {
	return tb.network(ctx, "reconnect", unit, Networked.Reconnect, false)
}

func (tb *Testbed) network(ctx context.Context, what, unit string, act func(Networked, context.Context) error, off bool) error {
	ctx, cancel := faultContext(ctx, what, unit)
	defer cancel()
	return tb.each(unit, func(inst Instance) error {
		n, ok := inst.(Networked)
		if !ok {
			return fmt.Errorf("%s %s: the units of the %s runtime share one network; use --runtime docker", what, unit, tb.runtime.Name())
		}
		if err := act(n, ctx); err != nil {
			return err
		}
		tb.mu.Lock()
		defer tb.mu.Unlock()
		if tb.offline == nil {
			tb.offline = map[string]bool{}
		}
		tb.offline[inst.Unit().Name] = off
		return nil
	})
}

// Offline tells whether any of the units is disconnected, and so cannot be asked
// anything; without names, whether any unit is.
func (tb *Testbed) Offline(units ...string) bool {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for name, off := range tb.offline {
		if off && (len(units) == 0 || slices.Contains(units, name)) {
			return true
		}
	}
	return false
}

func (tb *Testbed) signal(unit string, s Signal) error {
	return tb.each(unit, func(inst Instance) error { return inst.Signal(s) })
}

// Restart ends a unit in an orderly way, or picks up after a Kill, and starts it
// again on the same ports. It returns when the unit serves. A unit that ended
// unasked before is not restarted: that is its *ExitError.
func (tb *Testbed) Restart(ctx context.Context, unit string) error {
	ctx, cancel := faultContext(ctx, "restart", unit)
	defer cancel()
	return tb.each(unit, func(inst Instance) error {
		if e := inst.Exit(); e != nil && !e.Asked {
			return e // it crashed, which a restart must not hide
		}
		if err := inst.Restart(ctx); err != nil {
			return err
		}
		tb.guard(inst)
		return nil
	})
}

// Reload has the proxy read its configuration again, and returns when the new
// configuration serves.
func (tb *Testbed) Reload(ctx context.Context) error {
	ctx, cancel := faultContext(ctx, "reload", "proxy")
	defer cancel()
	if tb.Proxy == nil {
		return fmt.Errorf("there is no proxy to reload: the cell is direct")
	}
	for _, p := range tb.Proxies {
		if err := tb.Spec.Proxy.Reload(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func faultContext(ctx context.Context, what, unit string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, faultTimeout, fmt.Errorf("%s %s was not done within %s", what, unit, faultTimeout))
}
