package loadgen

import (
	"context"
	"errors"
	"testing"
	"time"

	"wsrig/internal/wire"
)

// No arrival is skipped or early, and a slow act makes the next ones late with their
// intended times unchanged.
func TestPaceActsOnEachArrivalAndNeverEarly(t *testing.T) {
	start := wire.Now() + int64(5*time.Millisecond)
	schedule := Constant(1000, 200*time.Millisecond)
	var intended []int64
	err := pace(t.Context(), start, schedule, func(i int, at int64) {
		if now := wire.Now(); now < at {
			t.Errorf("arrival %d came %d ns early", i, at-now)
		}
		if i == 50 {
			time.Sleep(20 * time.Millisecond)
		}
		intended = append(intended, at)
	})
	if err != nil || len(intended) != schedule.Count() {
		t.Fatalf("%d of %d arrivals, %v", len(intended), schedule.Count(), err)
	}
	for i, at := range intended {
		if want := start + int64(schedule.Due(i)); at != want {
			t.Errorf("arrival %d was intended for %d, want %d", i, at, want)
		}
	}
}

func TestPaceEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	err := pace(ctx, wire.Now()+int64(time.Hour), Constant(1, time.Second), func(int, int64) { t.Error("acted") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// The spin follows how late the kernel wakes, within bounds; a thread that had to wait
// for a core teaches it nothing.
func TestSpinFollowsTheKernel(t *testing.T) {
	s := sleeper{spin: spinMost}
	for range 2000 {
		s.woke(0)
	}
	if s.spin > 2*spinLeast {
		t.Errorf("after 2,000 naps that ended in time it spins %d ns", s.spin)
	}
	if s.woke(20_000); s.spin < 20_000 || s.spin > 20_000+spinLeast {
		t.Errorf("after a nap that ended 20 µs late it spins %d ns", s.spin)
	}
	before := s.spin
	if s.woke(3_000_000); s.spin > before {
		t.Errorf("after a nap that ended 3 ms late it spins %d ns, before %d", s.spin, before)
	}
	if s.woke(spinMost - 1); s.spin > spinMost {
		t.Errorf("it spins %d ns, more than %d", s.spin, spinMost)
	}
}
