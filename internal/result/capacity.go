package result

import (
	"fmt"
	"slices"
)

// Probe is one publish at one rate in the search for the highest that the system can
// take: what it gave, and whether that kept the service level objective (SLO), which
// is a p99 within a bound, a reach of 1 and no dropped arrival.
type Probe struct {
	Asked      float64 `json:"asked"`                                                             // arrivals a second
	Achieved   float64 `json:"achieved"`                                                          // sent, a second of the schedule, or up to the last send where that came later
	Owed       int64   `json:"owed"`                                                              // deliveries
	Received   int64   `json:"received"`                                                          // deliveries, without duplicates
	P99        float64 `json:"p99_s,omitempty"`                                                   // delivery latency; 0 where too few came for one
	Bound      float64 `json:"p99_bound_s"`                                                       // what the p99 had to keep to
	Reach      float64 `json:"reach"`                                                             // received over owed
	Dropped    int64   `json:"dropped"`                                                           // arrivals never sent
	CPU        float64 `json:"generator_cpu"`                                                     // share of the cores it may use that the busiest worker used
	Lag        float64 `json:"lag_p99_s"`                                                         // how late the generator's schedule was
	Verdict    string  `json:"verdict" jsonschema:"enum=ok,enum=failed,enum=saturated generator"` // ok, failed or saturated generator
	Why        string  `json:"why,omitempty"`                                                     // it is not ok
	Repetition bool    `json:"repetition,omitempty"`
}

// Verdicts of a probe.
const (
	ProbeOK        = "ok"
	ProbeFailed    = "failed"
	ProbeSaturated = "saturated generator" // which says nothing of the system
)

// FirstFailing is the lowest rate at which a search saw the objective fail. A probe
// that was repeated counts as its repetition says.
func FirstFailing(probes []Probe) (Probe, bool) {
	var failed []Probe
	for i, p := range probes {
		repeated := i+1 < len(probes) && probes[i+1].Repetition
		if p.Verdict == ProbeFailed && !repeated {
			failed = append(failed, p)
		}
	}
	if len(failed) == 0 {
		return Probe{}, false
	}
	return slices.MinFunc(failed, func(a, b Probe) int {
		if a.Asked < b.Asked {
			return -1
		}
		return 1
	}), true
}

// validate finds what no probe can have.
func (p *Probe) validate() error {
	if !slices.Contains([]string{ProbeOK, ProbeFailed, ProbeSaturated}, p.Verdict) {
		return fmt.Errorf("verdict %q is none of %s, %s, %s", p.Verdict, ProbeOK, ProbeFailed, ProbeSaturated)
	}
	if !finite(p.Asked, p.Achieved, p.Reach, p.CPU) || !isTime(p.P99, p.Bound, p.Lag) {
		return fmt.Errorf("a figure of the probe at %g/s is not a number, or no time of a trial", p.Asked)
	}
	return nil
}
