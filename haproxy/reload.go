package haproxy

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
	// lostAfter is how long a master that answers may show no sign of a reload before
	// the signal counts as lost. One that is sent while the master starts can be.
	lostAfter  = 1500 * time.Millisecond
	reloadPoll = 20 * time.Millisecond
)

// Reload sends SIGUSR2 to the master and returns once a worker it did not have before
// answers on the statistics socket. A signal that was lost is sent again. HAProxy
// keeps its old worker when the new configuration does not load: that is an error
// with what it logged. It takes at most 10 s.
func (Driver) Reload(ctx context.Context, inst testbed.Instance) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reloadTimeout, fmt.Errorf("haproxy did not reload within %v", reloadTimeout))
	defer cancel()
	before, err := showProc(ctx, inst)
	if err != nil {
		return fmt.Errorf("haproxy reload: %w", err)
	}
	mark, err := logSize(inst)
	if err != nil {
		return fmt.Errorf("haproxy reload: %w", err)
	}
	if err := inst.Signal(testbed.SigUsr2); err != nil {
		return fmt.Errorf("haproxy reload: %w", err)
	}
	sent := time.Now()
	last := error(nil)
	for {
		now, err := showProc(ctx, inst)
		switch {
		case err != nil:
			last = err // the master executes itself anew and is away meanwhile
		case now.failed > 0 && now.reloads > before.reloads:
			return fmt.Errorf("haproxy reload: the new configuration did not load, the old one serves on:%s", complaints(inst, mark))
		case fresh(now.workers, before):
			if last = serving(ctx, inst, now.workers); last == nil {
				return nil
			}
		case now.reloads == before.reloads && time.Since(sent) > lostAfter:
			if err := inst.Signal(testbed.SigUsr2); err != nil {
				return fmt.Errorf("haproxy reload: %w", err)
			}
			sent = time.Now()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("haproxy reload: %w; last answer: %v; log:%s", context.Cause(ctx), last, complaints(inst, mark))
		case <-inst.Done():
			return fmt.Errorf("haproxy reload: the master ended: %w", exitOf(inst))
		case <-time.After(reloadPoll):
		}
	}
}

// exitOf is how the instance ended, as an error that is never nil.
func exitOf(inst testbed.Instance) error {
	if exit := inst.Exit(); exit != nil {
		return exit
	}
	return os.ErrProcessDone
}

// fresh tells whether there are workers and all of them are new.
func fresh(workers []int, before processes) bool {
	return len(workers) > 0 && !slices.ContainsFunc(workers, func(pid int) bool {
		return slices.Contains(before.workers, pid) || slices.Contains(before.old, pid)
	})
}

func logSize(inst testbed.Instance) (int64, error) {
	info, err := os.Stat(inst.LogPath())
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// complaints are the alerts and warnings logged since mark, indented for people.
func complaints(inst testbed.Instance, mark int64) string {
	log, err := os.Open(inst.LogPath())
	if err != nil {
		return " (no log: " + err.Error() + ")"
	}
	defer log.Close()
	text, err := io.ReadAll(io.NewSectionReader(log, mark, 1<<20))
	if err != nil {
		return " (no log: " + err.Error() + ")"
	}
	found := ""
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "[ALERT]") || strings.HasPrefix(line, "[WARNING]") {
			found += "\n    | " + strings.TrimSpace(line)
		}
	}
	if found == "" {
		return " (no alert in " + inst.LogPath() + ")"
	}
	return found
}
