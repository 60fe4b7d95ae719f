package scenario

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"wsrig/internal/result"
	"wsrig/internal/wire"
)

// TimedFault is a fault that happens while its step goes on.
type TimedFault struct {
	At Duration `json:"at" wsrig:"required" eg:"2s" doc:"how long after the step's beginning"`
	Fault
}

// inOrder are faults by the time at which they happen.
func inOrder(faults []TimedFault) []TimedFault {
	sorted := slices.Clone(faults)
	slices.SortStableFunc(sorted, func(a, b TimedFault) int { return int(a.At - b.At) })
	return sorted
}

// validateDuring judges the faults of a step that lasts for a length of time, in
// the order in which they happen.
func validateDuring(p *progress, faults []TimedFault, length Duration) {
	step := p.path
	defer func() { p.path = step }()
	thaws := map[string]Duration{} // when a unit goes on by itself
	for _, f := range inOrder(faults) {
		// Equal faults are at one place each, in the order of the file.
		i := slices.IndexFunc(faults, func(g TimedFault) bool { return g == f })
		p.path = fmt.Sprintf("%s[%d]", join(step, "during"), i)
		if f.At >= length && length > 0 && f.At > 0 {
			p.fail("at", "%s is not before the end of the step, which lasts %s; use an earlier time or a longer step", f.At, length)
		}
		verb, unit := f.Action()
		if until := thaws[unit]; unit != "" && f.At < until {
			p.fail(verb, "%s is stopped or disconnected until %s after the step's beginning; use a later time", unit, until)
		}
		f.Validate(p)
		if lasts(verb) && f.For > 0 {
			thaws[unit] = f.At + f.For
		}
	}
}

// actDuring does the faults of a step at their times, counted from now, and returns
// when the last has been done. A freeze goes on while later faults happen.
func (t *trial) actDuring(ctx context.Context, faults []TimedFault) error {
	begin := time.Now()
	acting, ctx := errgroup.WithContext(ctx)
	for _, f := range faults {
		acting.Go(func() error { return t.actAt(ctx, begin.Add(time.Duration(f.At)), &f.Fault) })
	}
	return acting.Wait()
}

// actAt does one fault at a time, and marks it.
func (t *trial) actAt(ctx context.Context, at time.Time, f *Fault) error {
	due := time.NewTimer(time.Until(at))
	defer due.Stop()
	select {
	case <-due.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := t.marked(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", f.Text(), err)
	}
	return nil
}

// cutMark is the kind of a disconnected unit's mark; disconnect is the step that
// closes clients.
const cutMark = "network disconnect"

// mark notes that a step, or a fault during one, began at a wire time and ends now.
func (t *trial) mark(s Step, from int64) {
	t.marking.Lock()
	defer t.marking.Unlock()
	to := wire.Now()
	kind := s.Kind()
	if f, ok := s.(*Fault); ok {
		verb, unit := f.Action()
		if kind = verb; verb == CutOff {
			kind = cutMark
		}
		t.faults = append(t.faults, faultMark{verb, unit, f.Text(), from, to})
	}
	t.marks = append(t.marks, result.Mark{
		Cell: t.cell.ID, Trial: t.index, Step: t.step, Kind: kind, Text: s.Text(), Start: t.seconds(from), End: t.seconds(to),
	})
}
