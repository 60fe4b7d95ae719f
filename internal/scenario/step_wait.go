package scenario

import (
	"context"
	"time"

	"wsrig/loadgen"
)

// Wait does nothing for a while.
type Wait struct {
	For Duration `json:"for" wsrig:"required" eg:"5s" doc:"how long to wait"`
}

// Kind is "wait".
func (s *Wait) Kind() string { return "wait" }

// Text is "wait 5s".
func (s *Wait) Text() string { return "wait " + s.For.String() }

// Validate judges the step; see checkedStep.
func (s *Wait) Validate(*progress) {}

// run does the step; see runStep.
func (s *Wait) run(ctx context.Context, t *trial) error {
	bar := t.bar(s.Text())
	total := time.Duration(s.For)
	begin := time.Now()
	over := time.NewTimer(total)
	defer over.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over.C:
			bar.End(nil)
			return nil
		case <-tick.C:
			bar.Set(loadgen.Progress{Done: int(time.Since(begin).Milliseconds()), Total: int(total.Milliseconds())})
		case <-ctx.Done():
			bar.End(ctx.Err())
			return context.Cause(ctx)
		}
	}
}
