package nginx

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"wsrig/testbed"
)

const (
	reloadTimeout = 10 * time.Second
	// lostAfter is how long a master may show no new worker and log no error before
	// its signal counts as lost.
	lostAfter  = 2500 * time.Millisecond
	reloadPoll = 20 * time.Millisecond
)

// Reload sends SIGHUP to the master and returns once all of the workers it had are
// shutting down or gone, and new ones have taken their places (Nginx's "Controlling
// nginx"). A signal that was lost is sent again. Nginx keeps its old workers when the
// new configuration does not load: that is an error with what it logged. It takes at
// most 10 s.
func (Driver) Reload(ctx context.Context, inst testbed.Instance) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reloadTimeout, fmt.Errorf("nginx did not reload within %v", reloadTimeout))
	defer cancel()
	before, err := readWorkers(inst)
	if err != nil {
		return fmt.Errorf("nginx reload: %w", err)
	}
	log, err := os.Stat(inst.LogPath())
	if err != nil {
		return fmt.Errorf("nginx reload: %w", err)
	}
	mark := log.Size()
	if err := inst.Signal(testbed.SigHup); err != nil {
		return fmt.Errorf("nginx reload: %w", err)
	}
	sent := time.Now()
	for {
		now, err := readWorkers(inst)
		if err != nil {
			return fmt.Errorf("nginx reload: %w", err)
		}
		fresh := slices.ContainsFunc(now.current, func(pid int) bool { return !slices.Contains(before.current, pid) })
		stale := slices.ContainsFunc(now.current, func(pid int) bool { return slices.Contains(before.current, pid) })
		if fresh && !stale && now.settled {
			if _, err = active(ctx, inst); err == nil {
				return nil
			}
		}
		if lines := complaints(inst, mark); !fresh && lines != "" {
			return fmt.Errorf("nginx reload: the new configuration did not load, the old one serves on:%s", lines)
		}
		if !fresh && time.Since(sent) > lostAfter {
			if err := inst.Signal(testbed.SigHup); err != nil {
				return fmt.Errorf("nginx reload: %w", err)
			}
			sent = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nginx reload: %w; workers before %v, now %v; log: %s", context.Cause(ctx), before.current, now.current, inst.LogPath())
		case <-inst.Done():
			if exit := inst.Exit(); exit != nil {
				return fmt.Errorf("nginx reload: the master ended: %w", exit)
			}
			return fmt.Errorf("nginx reload: %w", os.ErrProcessDone)
		case <-time.After(reloadPoll):
		}
	}
}

// complaints are the [emerg] lines logged since mark, indented for people.
func complaints(inst testbed.Instance, mark int64) string {
	log, err := os.Open(inst.LogPath())
	if err != nil {
		return ""
	}
	defer log.Close()
	text, err := io.ReadAll(io.NewSectionReader(log, mark, 1<<20))
	if err != nil {
		return ""
	}
	found := ""
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "[emerg]") && strings.HasSuffix(line, "\n") {
			found += "\n    | " + strings.TrimSpace(line)
		}
	}
	return found
}
