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

// awaitReady probes until the unit is ready, its life that ends with done is over, or
// ctx ends. died is the error of a life that is over.
func awaitReady(ctx context.Context, inst Instance, done <-chan struct{}, died func() *ExitError) error {
	u := inst.Unit()
	if u.Ready == nil {
		return nil
	}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		last := u.Ready(probe, inst)
		cancel()
		select {
		case <-done:
			return diedStarting(died()) // even if something else answers in its place
		default:
		}
		if last == nil {
			return nil
		}
		select {
		case <-done:
			return diedStarting(died())
		case <-ctx.Done():
			return &NotReadyError{Unit: u.Name, Last: last, Cause: context.Cause(ctx), Tail: tailLines(inst.LogPath(), tailLength), LogPath: inst.LogPath()}
		case <-tick.C:
		}
	}
}

// diedStarting is the error of a life that was over before the unit was ready.
func diedStarting(e *ExitError) error {
	if e.Asked {
		return fmt.Errorf("%s was stopped before it was ready: %w", e.Unit, e)
	}
	return e
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
