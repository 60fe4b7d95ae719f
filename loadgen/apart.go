package loadgen

import (
	"slices"
	"sync/atomic"

	"wsrig/internal/result"
)

// apartPhase is what is recorded of one publish command that stands for itself, as
// each probe of a search does: it may go past what the system can do, which must not
// put the rest of the trial in doubt, and its figures must not be mixed with those
// of other rates.
type apartPhase struct {
	id       uint32
	received atomic.Int64 // deliveries without duplicates
	latency  histogram
	// lag is how late the schedule handed its arrivals over. What a message waits
	// after that, for a connection that takes no more bytes, is the system's doing.
	lag histogram
}

// keepApart begins a phase that stands for itself.
func (r *recorder) keepApart(phase uint32) {
	var grown []*apartPhase
	if all := r.apart.Load(); all != nil {
		grown = slices.Clone(*all)
	}
	grown = append(grown, &apartPhase{id: phase})
	r.apart.Store(&grown)
}

// apartOf is the record of a phase that stands for itself; nil for any other.
func (r *recorder) apartOf(phase uint32) *apartPhase {
	all := r.apart.Load()
	if all == nil {
		return nil
	}
	for _, a := range slices.Backward(*all) { // most messages are of the last
		if a.id == phase {
			return a
		}
	}
	return nil
}

// delivery records one delivery. A nil phase records nothing.
func (a *apartPhase) delivery(latency int64) {
	if a != nil {
		a.received.Add(1)
		a.latency.record(latency)
	}
}

// judge moves what a publish command put the generator in doubt for since there were
// before reasons, from the trial's account to the command's, and adds the lag.
func (a *apartPhase) judge(res *PublishResult, sat *saturation, before int) error {
	sat.lateness("arrivals", &a.lag, maxMessageLag)
	res.Saturation = slices.Clone(sat.reasons[before:])
	sat.reasons = sat.reasons[:before]
	lag, err := a.lag.encode()
	res.Lag = &lag
	return err
}

// result is what a worker's clients got of the phase.
func (a *apartPhase) result(owed int64) (AwaitResult, error) {
	received := a.received.Load()
	latency, err := a.latency.encode()
	return AwaitResult{Owed: owed, Received: received, Latency: &latency}, err
}

// LagOf merges the schedule lags of workers that published one phase apart.
func LagOf(results []PublishResult) (*Distribution, error) {
	return merged(results, func(r PublishResult) *result.Histogram { return r.Lag })
}

// LatencyOf merges the delivery latencies that workers recorded of one phase apart.
func LatencyOf(results []AwaitResult) (*Distribution, error) {
	return merged(results, func(r AwaitResult) *result.Histogram { return r.Latency })
}

func merged[R any](results []R, histogram func(R) *result.Histogram) (*Distribution, error) {
	d := NewDistribution()
	for _, r := range results {
		if h := histogram(r); h != nil {
			if err := d.Merge(*h); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}
