package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Schedule tells when the i-th arrival is due, as an offset from the start, for
// i = 0, 1, 2, ... The offsets never decrease. A schedule is a pure function: the
// same i gives the same offset.
type Schedule interface {
	Due(i int) time.Duration
	// Count is how many arrivals there are.
	Count() int
}

// Constant is rate arrivals a second for a length of time, evenly spaced, the first
// at 0.
func Constant(rate float64, length time.Duration) Schedule {
	return constant{gap: 1e9 / rate, n: int(math.Round(rate * length.Seconds()))}
}

// ConstantCount is n arrivals at rate a second.
func ConstantCount(rate float64, n int) Schedule { return constant{gap: 1e9 / rate, n: n} }

type constant struct {
	gap float64 // nanoseconds
	n   int
}

func (c constant) Due(i int) time.Duration { return time.Duration(float64(i) * c.gap) }
func (c constant) Count() int              { return c.n }

// Ramp goes linearly from one rate to another over a length of time. The number of
// arrivals up to t is the area under the line, so Due solves
// from*t + (to-from)*t^2/(2*length) = i for t.
func Ramp(from, to float64, length time.Duration) Schedule {
	l := length.Seconds()
	return ramp{from: from, slope: (to - from) / l, n: int(math.Round((from + to) / 2 * l))}
}

type ramp struct {
	from, slope float64 // arrivals/s, arrivals/s^2
	n           int
}

// Due uses the form of the quadratic formula that stays exact for a slope near 0.
func (r ramp) Due(i int) time.Duration {
	if i == 0 {
		return 0
	}
	root := math.Sqrt(max(0, r.from*r.from+2*r.slope*float64(i)))
	return time.Duration(2 * float64(i) / (r.from + root) * 1e9)
}

func (r ramp) Count() int { return r.n }

// Spike is a base rate with a higher one between from and from+width. What lies
// beyond length is cut off.
func Spike(base, peak float64, from, width, length time.Duration) Schedule {
	from = min(from, length)
	width = min(width, length-from)
	before := int(math.Round(base * from.Seconds()))
	during := int(math.Round(peak * width.Seconds()))
	after := int(math.Round(base * (length - from - width).Seconds()))
	return spike{
		parts:  [3]constant{{1e9 / base, before}, {1e9 / peak, during}, {1e9 / base, after}},
		starts: [3]time.Duration{0, from, from + width},
	}
}

type spike struct {
	parts  [3]constant
	starts [3]time.Duration
}

func (s spike) Due(i int) time.Duration {
	for k, p := range s.parts {
		if i < p.n || k == len(s.parts)-1 {
			return s.starts[k] + p.Due(i)
		}
		i -= p.n
	}
	panic("unreachable")
}

func (s spike) Count() int { return s.parts[0].n + s.parts[1].n + s.parts[2].n }

// Poisson is independent arrivals with a mean rate: exponential gaps, drawn from
// the seed. Equal seeds give equal schedules.
func Poisson(rate float64, length time.Duration, seed uint64) Schedule {
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	var due []time.Duration
	for t := rng.ExpFloat64() / rate; t < length.Seconds(); t += rng.ExpFloat64() / rate {
		due = append(due, time.Duration(t*1e9))
	}
	return fixed(due)
}

type fixed []time.Duration

func (f fixed) Due(i int) time.Duration { return f[i] }
func (f fixed) Count() int              { return len(f) }

// Arrival schedules as a publish command names them.
const (
	ArrivalConstant = "constant"
	ArrivalPoisson  = "poisson"
)

// maxArrivals bounds one schedule. The time of every message sent is kept for the
// ledger, 8 bytes each.
const maxArrivals = 100_000_000

// NewSchedule makes the schedule of a publish command.
func NewSchedule(kind string, rate float64, length time.Duration, seed uint64) (Schedule, error) {
	if err := checkSchedule(kind, rate, length); err != nil {
		return nil, err
	}
	if kind == ArrivalPoisson {
		return Poisson(rate, length, seed), nil
	}
	return Constant(rate, length), nil
}

// checkSchedule says what keeps NewSchedule from making a schedule.
func checkSchedule(kind string, rate float64, length time.Duration) error {
	switch {
	case kind != "" && kind != ArrivalConstant && kind != ArrivalPoisson:
		return fmt.Errorf("unknown arrival schedule %q; use %s or %s", kind, ArrivalConstant, ArrivalPoisson)
	case !(rate > 0) || length <= 0:
		return fmt.Errorf("a schedule needs a rate and a length above 0, not %g/s for %s", rate, length)
	case rate*length.Seconds() > maxArrivals:
		return fmt.Errorf("%g/s for %s are more than %d arrivals; use a lower rate or a shorter time", rate, length, maxArrivals)
	}
	return nil
}
