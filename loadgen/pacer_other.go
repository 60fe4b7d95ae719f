//go:build !linux

package loadgen

import (
	"context"
	"runtime"
	"time"

	"wsrig/internal/wire"
)

// pace calls act for each arrival at its time, start plus its offset. Timers are
// up to a millisecond late here; the lateness is in the schedule lag.
func pace(ctx context.Context, start int64, s Schedule, act func(i int, intended int64)) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for i := range s.Count() {
		intended := start + int64(s.Due(i))
		for now := wire.Now(); now < intended; now = wire.Now() {
			if rest := time.Duration(intended - now); rest > time.Millisecond {
				timer.Reset(rest - time.Millisecond)
				select {
				case <-timer.C:
				case <-ctx.Done():
					return ctx.Err()
				}
				continue
			}
			runtime.Gosched()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		act(i, intended)
	}
	return nil
}
