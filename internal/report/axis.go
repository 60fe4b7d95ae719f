package report

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"

	"wsrig/internal/result"
)

// roundTicks are labelled ticks at round values, about five of them.
type roundTicks struct{}

// Ticks returns the multiples of 1, 2 or 5 times a power of ten in a range.
func (roundTicks) Ticks(lo, hi float64) []plot.Tick {
	step := roundStep((hi - lo) / 5)
	if step <= 0 || math.IsInf(step, 0) || math.IsNaN(step) {
		return nil
	}
	var ticks []plot.Tick
	for n := math.Ceil(lo/step - 1e-9); n*step <= hi+step*1e-9; n++ {
		v := n*step + 0 // -0 becomes 0
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.6g", v)})
	}
	return ticks
}

func roundStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// percentTicks label shares, 0 to 1, every quarter.
var percentTicks = plot.ConstantTicks{
	{Value: 0, Label: "0 %"}, {Value: 0.25, Label: "25 %"}, {Value: 0.5, Label: "50 %"}, {Value: 0.75, Label: "75 %"}, {Value: 1, Label: "100 %"},
}

// durationTicks label a logarithmic axis of seconds at 1, 2 and 5 of each decade
// when they are few, else at each decade.
type durationTicks struct{}

// Ticks returns the ticks between two positive durations in seconds.
func (durationTicks) Ticks(lo, hi float64) []plot.Tick {
	if lo <= 0 || hi <= lo {
		return nil
	}
	var ticks []plot.Tick
	few := math.Log10(hi/lo) <= 2
	for e := int(math.Floor(math.Log10(lo))); e <= int(math.Ceil(math.Log10(hi))); e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, float64(e))
			if v < lo*(1-1e-9) || v > hi*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || few {
				t.Label = shortDuration(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// shortDuration writes a round number of seconds with its largest fitting unit.
func shortDuration(s float64) string {
	for _, u := range []struct {
		seconds float64
		name    string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
		if s >= u.seconds*(1-1e-9) {
			return fmt.Sprintf("%.3g %s", s/u.seconds, u.name)
		}
	}
	return fmt.Sprintf("%.3g ns", s*1e9)
}

// tailPosition places a quantile on an axis that gives each further nine the same
// room: 0.9 at 1, 0.99 at 2.
func tailPosition(quantile float64) float64 { return -math.Log10(1 - quantile) }

// tailTicks label that axis.
func tailTicks() plot.ConstantTicks {
	ticks := plot.ConstantTicks{{Value: 0, Label: "0"}}
	for _, q := range []struct {
		at    float64
		label string
	}{{0.5, "50"}, {0.9, "90"}, {0.99, "99"}, {0.999, "99.9"}, {0.9999, "99.99"}, {0.99999, "99.999"}} {
		ticks = append(ticks, plot.Tick{Value: tailPosition(q.at), Label: q.label})
	}
	return ticks
}

// decade widens a range of positive values to full steps of 1, 2 or 5, so that a
// logarithmic axis ends at ticks.
func decade(lo, hi float64) (float64, float64) {
	below := math.Pow(10, math.Floor(math.Log10(lo)))
	for _, m := range []float64{5, 2} {
		if m*below <= lo {
			below *= m
			break
		}
	}
	return below, max(roundStep(hi), 2*below)
}

// least keeps a measured 0 off a logarithmic axis: clocks tick in nanoseconds.
const least = 1e-9

// seconds is one count of a histogram in seconds.
func seconds(h *result.Histogram) (float64, error) {
	switch h.Unit {
	case "ns":
		return 1e-9, nil
	case "ms":
		return 1e-3, nil
	}
	return 0, fmt.Errorf("histogram counts in %q, which is neither ns nor ms", h.Unit)
}
