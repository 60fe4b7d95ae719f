package scenario

import (
	"fmt"
	"math"
	"strconv"

	"wsrig/internal/result"
)

// bracket is a search for the highest rate at which a system keeps its objective: up
// from the lowest rate by doubling until a probe fails, and then by halving the ratio
// of the lowest rate that failed and the highest that held, until that is within the
// precision.
type bracket struct {
	from, to  float64 // arrivals a second
	precision float64 // 0.1 ends with the lowest failed rate within 10 % of the highest that held
}

// found is how a search ended.
type found struct {
	probes []result.Probe // all, in order
	held   *result.Probe  // the highest that held; nil for none
	failed *result.Probe  // the lowest that failed; nil for none
	// why says what is in the way of a capacity; "" where there is one.
	why string
}

// search probes until the capacity is in the bracket, or cannot be. A probe that does
// not hold is repeated once, and counts as its repetition says, so that a moment's
// noise does not end the climb. One whose generator was saturated is no failure of the
// system, but nothing above it can be told either: it ends the search.
func (b bracket) search(probe func(rate float64) (result.Probe, error)) (f found, err error) {
	for rate, more := b.from, true; more; rate, more = b.next(&f) {
		p, err := f.attempt(rate, probe)
		if err != nil {
			return f, err
		}
		switch p.Verdict {
		case result.ProbeOK:
			f.held = &p
		case result.ProbeFailed:
			f.failed = &p
		default:
			f.why = fmt.Sprintf("%s; the generator is the limit: %s", f.atLeast(), p.Why)
			return f, nil
		}
	}
	if f.failed == nil {
		f.why = fmt.Sprintf("%s, where the search ended; raise to", f.atLeast())
	}
	return f, nil
}

// attempt probes one rate, and again if it does not hold.
func (f *found) attempt(rate float64, probe func(rate float64) (result.Probe, error)) (result.Probe, error) {
	p, err := probe(rate)
	if err != nil {
		return p, err
	}
	if f.probes = append(f.probes, p); p.Verdict == result.ProbeOK {
		return p, nil
	}
	if p, err = probe(rate); err != nil {
		return p, err
	}
	p.Repetition = true
	f.probes = append(f.probes, p)
	return p, nil
}

// next is the rate to probe next; more is false when the search is over.
func (b bracket) next(f *found) (rate float64, more bool) {
	switch {
	case f.held == nil: // it failed at the lowest rate
		return 0, false
	case f.failed == nil && f.held.Asked >= b.to:
		return 0, false
	case f.failed == nil:
		return min(2*f.held.Asked, b.to), true
	}
	lo, hi := f.held.Asked, f.failed.Asked
	if hi <= lo*(1+b.precision) {
		return 0, false
	}
	mid := math.Sqrt(lo * hi)
	if round := threeDigits(mid); lo < round && round < hi {
		mid = round
	}
	return mid, true
}

// threeDigits rounds a rate to what people read at a glance.
func threeDigits(v float64) float64 { return mustFloat(strconv.FormatFloat(v, 'g', 3, 64)) }

func (f *found) atLeast() string {
	if f.held == nil {
		return "no rate is known to hold"
	}
	return fmt.Sprintf("the capacity is at least %s", Rate(f.held.Asked))
}
