package loadgen

import (
	"context"
	"runtime"

	"golang.org/x/sys/unix"

	"wsrig/internal/wire"
)

const (
	// spinFor is busy-waited before an arrival: the kernel wakes a sleeper up to
	// this late.
	spinFor = 60_000 // ns
	// napMax bounds one sleep, so that a cancelled context is seen.
	napMax = 20_000_000 // ns
)

// pace calls act for each arrival at its time, start plus its offset, on this
// goroutine's own thread: clock_nanosleep(2) to an absolute time, then a short
// spin. It never skips an arrival; when act is slow the next ones come late, with
// their intended times unchanged.
func pace(ctx context.Context, start int64, s Schedule, act func(i int, intended int64)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer holdProcessors(1)()
	// Without this the kernel may wake the thread 50 µs late (prctl(2)).
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for i := range s.Count() {
		intended := start + int64(s.Due(i))
		if err := sleepUntil(ctx, intended); err != nil {
			return err
		}
		act(i, intended)
	}
	return nil
}

// sleepUntil returns at wire time at, or when ctx ends.
func sleepUntil(ctx context.Context, at int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := wire.Now()
		if now >= at {
			return nil
		}
		wake := at - spinFor
		if now >= wake {
			for wire.Now() < at {
			}
			return nil
		}
		// Whoever was just handed an arrival goes first: the scheduler learns late that
		// this thread sleeps, and would keep the processor for it, perhaps the only one.
		runtime.Gosched()
		ts := unix.NsecToTimespec(min(wake, now+napMax))
		// EINTR only shortens the nap.
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil)
	}
}
