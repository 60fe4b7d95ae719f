package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"wsrig/testbed"
)

// restartPause is how long a unit that died stays dead: long enough to see what that
// does to its clients.
const restartPause = 3 * time.Second

// restartTimeout bounds one attempt to start a dead unit again.
const restartTimeout = 20 * time.Second

// keeper tells of units that die, and starts them again.
type keeper struct {
	restart bool
	mu      sync.Mutex // one report at a time
	out     io.Writer
}

// keepAllUp watches the units until ctx ends. The others stay as they are when one dies.
func keepAllUp(ctx context.Context, units []testbed.Instance, restart bool, out io.Writer) {
	k := &keeper{restart: restart, out: out}
	var all sync.WaitGroup
	for _, u := range units {
		all.Go(func() { k.keepUp(ctx, u) })
	}
	<-ctx.Done()
	all.Wait()
}

// keepUp watches one unit.
func (k *keeper) keepUp(ctx context.Context, u testbed.Instance) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.Done():
		}
		k.say("%v", u.Exit())
		if !k.restart {
			k.say("%s stays dead; the rest stays up", u.Unit().Name)
			return
		}
		if !k.revive(ctx, u) {
			return
		}
		k.say("%s is up again, pid %d", u.Unit().Name, u.PID())
	}
}

// revive starts a dead unit again, and tries until it serves or ctx ends. It reports
// whether the unit serves.
func (k *keeper) revive(ctx context.Context, u testbed.Instance) bool {
	for {
		k.say("%s is started again in %s", u.Unit().Name, restartPause)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(restartPause):
		}
		attempt, cancel := context.WithTimeoutCause(ctx, restartTimeout, fmt.Errorf("it did not serve within %s", restartTimeout))
		err := u.Restart(attempt)
		cancel()
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		}
		k.say("%s cannot be started: %v", u.Unit().Name, err)
	}
}

func (k *keeper) say(format string, a ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fmt.Fprintf(k.out, format+"\n", a...)
}
