package loadgen

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// offsets lists a schedule, and fails the test if it is not in order.
func offsets(t *testing.T, s Schedule) []time.Duration {
	t.Helper()
	all := make([]time.Duration, s.Count())
	for i := range all {
		all[i] = s.Due(i)
		if all[i] < 0 || i > 0 && all[i] < all[i-1] {
			t.Fatalf("arrival %d is due at %s, after one at %s", i, all[i], all[max(0, i-1)])
		}
	}
	return all
}

func TestScheduleCountsAndTimes(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct {
		why   string
		s     Schedule
		count int
		due   map[int]time.Duration
	}{
		{"a constant rate is evenly spaced from 0 on", Constant(50, 2*time.Second), 100, map[int]time.Duration{0: 0, 1: 20 * ms, 99: 1980 * ms}},
		{"a rate below one for the whole length still rounds to its arrivals", Constant(0.4, 5*time.Second), 2, map[int]time.Duration{0: 0, 1: 2500 * ms}},
		{"too short for a single arrival is none", Constant(1, 400*ms), 0, nil},
		{"a counted schedule has what was asked for at its rate", ConstantCount(1000, 5), 5, map[int]time.Duration{4: 4 * ms}},
		{"no arrivals at all", ConstantCount(1000, 0), 0, nil},
		{"a ramp from 0 has its i-th arrival where the triangle's area is i", Ramp(0, 100, 2*time.Second), 100,
			map[int]time.Duration{0: 0, 25: time.Second, 64: 1600 * ms}},
		{"a ramp down is densest at its start", Ramp(100, 0, 2*time.Second), 100,
			map[int]time.Duration{0: 0, 75: time.Second, 96: 1600 * ms}},
		{"a ramp between two rates", Ramp(100, 300, time.Second), 200, map[int]time.Duration{0: 0, 75: 500 * ms}},
		{"a flat ramp is a constant rate", Ramp(50, 50, 2*time.Second), 100, map[int]time.Duration{0: 0, 1: 20 * ms, 99: 1980 * ms}},
		{"a ramp between zeros is nothing", Ramp(0, 0, time.Second), 0, nil},
		{"a spike has the base before, the peak within, and the base after", Spike(10, 100, time.Second, time.Second, 3*time.Second), 120,
			map[int]time.Duration{0: 0, 9: 900 * ms, 10: 1000 * ms, 11: 1010 * ms, 109: 1990 * ms, 110: 2000 * ms, 111: 2100 * ms, 119: 2900 * ms}},
		{"a spike over a base of nothing is the peak alone", Spike(0, 100, time.Second, time.Second, 3*time.Second), 100,
			map[int]time.Duration{0: 1000 * ms, 99: 1990 * ms}},
		{"a spike that would go on is cut off at the end", Spike(10, 100, 2*time.Second, 5*time.Second, 3*time.Second), 120,
			map[int]time.Duration{20: 2000 * ms, 119: 2990 * ms}},
		{"a spike after the end never comes", Spike(10, 100, 5*time.Second, time.Second, 3*time.Second), 30, map[int]time.Duration{29: 2900 * ms}},
	} {
		if got := len(offsets(t, c.s)); got != c.count {
			t.Errorf("%s: %d arrivals, want %d", c.why, got, c.count)
			continue
		}
		for i, want := range c.due {
			if got := c.s.Due(i); (got - want).Abs() > time.Microsecond {
				t.Errorf("%s: arrival %d is due at %s, want %s", c.why, i, got, want)
			}
		}
	}
}

// A slope that is nearly nothing must not be lost in the difference of two large
// numbers.
func TestRampOfNearlyNoSlopeIsExact(t *testing.T) {
	r, c := Ramp(1000, 1000.0000001, 10*time.Second), Constant(1000, 10*time.Second)
	for i, due := range offsets(t, r) {
		if (due - c.Due(i)).Abs() > time.Microsecond {
			t.Fatalf("arrival %d is due at %s, at a constant rate %s", i, due, c.Due(i))
		}
	}
}

func TestPoissonIsDrawnFromItsSeed(t *testing.T) {
	const rate, length = 1000.0, 20 * time.Second
	a, same, other := Poisson(rate, length, 1), Poisson(rate, length, 1), Poisson(rate, length, 2)
	due := offsets(t, a)
	if !slices.Equal(due, offsets(t, same)) {
		t.Error("one seed gave two schedules")
	}
	if slices.Equal(due, offsets(t, other)) {
		t.Error("two seeds gave one schedule")
	}
	// The count is Poisson, so five standard deviations of sqrt(20,000) bound it.
	want := rate * length.Seconds()
	if d := math.Abs(float64(len(due)) - want); d > 5*math.Sqrt(want) {
		t.Errorf("%d arrivals, want %.0f give or take %.0f", len(due), want, 5*math.Sqrt(want))
	}
	if last := due[len(due)-1]; last >= length {
		t.Errorf("the last arrival is due at %s, after the end at %s", last, length)
	}
	// Exponential gaps: their standard deviation equals their mean, and 1/e of them
	// are longer than it.
	mean, longer, squares := 1/rate, 0, 0.0
	for i := 1; i < len(due); i++ {
		gap := (due[i] - due[i-1]).Seconds()
		squares += (gap - mean) * (gap - mean)
		if gap > mean {
			longer++
		}
	}
	n := float64(len(due) - 1)
	if cv := math.Sqrt(squares/n) / mean; cv < 0.95 || cv > 1.05 {
		t.Errorf("the gaps vary by %.3f of their mean, want 1", cv)
	}
	if share := float64(longer) / n; math.Abs(share-1/math.E) > 0.02 {
		t.Errorf("%.3f of the gaps are longer than the mean, want %.3f", share, 1/math.E)
	}
}

func TestNewScheduleRefusesWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		why, kind string
		rate      float64
		length    time.Duration
		want      string
	}{
		{"an unknown kind names the known ones", "bursty", 1, time.Second, "use constant or poisson"},
		{"no rate", "", 0, time.Second, "above 0"},
		{"a negative rate", ArrivalPoisson, -1, time.Second, "above 0"},
		{"a rate that is no number", "", math.NaN(), time.Second, "above 0"},
		{"no length", "", 1, 0, "above 0"},
		{"more arrivals than fit into memory", ArrivalPoisson, 1e12, time.Hour, "lower rate"},
		{"an infinite rate", "", math.Inf(1), time.Second, "lower rate"},
	} {
		if _, err := NewSchedule(c.kind, c.rate, c.length, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.why, err, c.want)
		}
	}
	for _, kind := range []string{"", ArrivalConstant, ArrivalPoisson} {
		if s, err := NewSchedule(kind, 100, time.Second, 1); err != nil || s.Count() < 50 {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
}
