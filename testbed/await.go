package testbed

import (
	"context"
	"fmt"
	"time"
)

// probeEvery is how often a unit that is not ready yet is asked again. Readiness
// has no event to wait for that all programs share.
const probeEvery = 10 * time.Millisecond

// probeTimeout is how long one probe may take, as of a unit that accepts and does
// not answer.
const probeTimeout = 2 * time.Second

// awaitReady probes until that life of the unit is ready, over, or ctx ends.
func awaitReady(ctx context.Context, p *process, l *life) error {
	if p.unit.Ready == nil {
		return nil
	}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		last := p.unit.Ready(probe, p)
		cancel()
		select {
		case <-l.done:
			return p.diedStarting(l) // even if something else answers in its place
		default:
		}
		if last == nil {
			return nil
		}
		select {
		case <-l.done:
			return p.diedStarting(l)
		case <-ctx.Done():
			return &NotReadyError{Unit: p.unit.Name, Last: last, Cause: context.Cause(ctx), Tail: tailLines(p.logPath, tailLength), LogPath: p.logPath}
		case <-tick.C:
		}
	}
}

// diedStarting is the error of a life that was over before the unit was ready.
func (p *process) diedStarting(l *life) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.exit.Asked {
		return fmt.Errorf("%s was stopped before it was ready: %w", p.unit.Name, l.exit)
	}
	return l.exit
}

// NotReadyError says that a unit lives but did not serve in time.
type NotReadyError struct {
	Unit    string
	Last    error // of the last probe
	Cause   error
	Tail    []string
	LogPath string
}

// Error names the unit, the last probe's error and the end of the log.
func (e *NotReadyError) Error() string {
	s := fmt.Sprintf("%s did not become ready (%v): %v; log: %s", e.Unit, e.Cause, e.Last, e.LogPath)
	for _, l := range e.Tail {
		s += "\n    | " + l
	}
	return s
}

// Unwrap gives the reason the wait ended.
func (e *NotReadyError) Unwrap() error { return e.Cause }
