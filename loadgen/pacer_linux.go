package loadgen

import (
	"context"
	"runtime"

	"golang.org/x/sys/unix"

	"wsrig/internal/wire"
)

const (
	// spinMost is the longest busy wait before an arrival: a core that has slept wakes a
	// sleeper about this late. spinLeast covers the way back from the system call.
	spinMost  = 60_000 // ns
	spinLeast = 5_000  // ns
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
	c := sleeper{spin: spinMost}
	for i := range s.Count() {
		intended := start + int64(s.Due(i))
		if err := c.until(ctx, intended); err != nil {
			return err
		}
		act(i, intended)
	}
	return nil
}

// sleeper sleeps on one thread. It wakes up early by as much as the kernel was late of
// late, and spins for the rest: on a busy machine, whose cores do not sleep, that is
// little, and what it spins is taken from the system under test.
type sleeper struct {
	spin int64 // ns
}

// until returns at wire time at, or when ctx ends.
func (s *sleeper) until(ctx context.Context, at int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := wire.Now()
		if now >= at {
			return nil
		}
		wake := at - s.spin
		if now >= wake {
			for wire.Now() < at {
			}
			return nil
		}
		// Whoever was just handed an arrival goes first: the scheduler learns late that
		// this thread sleeps, and would keep the processor for it, perhaps the only one.
		runtime.Gosched()
		wake = min(wake, now+napMax)
		ts := unix.NsecToTimespec(wake)
		// EINTR only shortens the nap.
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil)
		s.woke(wire.Now() - wake)
	}
}

// woke takes note of how late, in ns, a nap ended: the longest of late counts, and is
// forgotten over some hundred naps. Later than spinMost is a thread that had to wait for
// a core, which spinning does not help.
func (s *sleeper) woke(late int64) {
	s.spin -= s.spin / 128
	if late < spinMost {
		s.spin = max(s.spin, late+spinLeast)
	}
	s.spin = min(spinMost, max(spinLeast, s.spin))
}
