package loadgen

import (
	"net/http/httptest"
	"testing"
	"time"
)

// TestPhasesApartAreMeasuredApart publishes twice, apart, and once as usual.
func TestPhasesApartAreMeasuredApart(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 6, Rooms: 2, Seed: 1})
	spec := PublishSpec{Rate: 100, For: 300 * time.Millisecond, Size: 128, Grace: 5 * time.Second}
	for i, rate := range []float64{100, 200} {
		spec.Phase, spec.Rate = uint32(i+1), rate
		if err := f.Expect(ExpectSpec{Phase: spec.Phase, Grace: spec.Grace, Apart: true}); err != nil {
			t.Fatal(err)
		}
		res, err := f.Publish(t.Context(), spec, quiet)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Await(t.Context(), AwaitSpec{Logs: res.Logs, Grace: spec.Grace, Apart: spec.Phase}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		// Rooms of three: each message is owed three times, whatever came before.
		if got.Owed != 3*res.Sent || got.Received != got.Owed || got.Latency == nil || got.Latency.Count != got.Owed {
			t.Errorf("at %g/s: sent %d, await %+v", rate, res.Sent, got)
		}
		if res.Lag == nil || res.Lag.Count != res.Due || res.CPU <= 0 {
			t.Errorf("at %g/s: lag %+v of %d arrivals, CPU share %g", rate, res.Lag, res.Due, res.CPU)
		}
		if lag, err := LagOf([]PublishResult{res, res}); err != nil || lag.Count() != 2*res.Due {
			t.Errorf("lags of two workers: %d values, error %v", lag.Count(), err)
		}
	}
	spec.Phase = 3
	res, err := f.Publish(t.Context(), spec, quiet)
	if err != nil || res.Lag != nil || res.Saturation != nil {
		t.Errorf("a usual phase has its lag or doubts apart: %+v, error %v", res, err)
	}
	if _, err := f.Await(t.Context(), AwaitSpec{Apart: 3, Grace: time.Second}, quiet); err == nil {
		t.Error("a usual phase could be awaited apart")
	}
	if _, err := f.Await(t.Context(), AwaitSpec{Logs: res.Logs, Grace: spec.Grace}, quiet); err != nil {
		t.Fatal(err)
	}
	finish(t, f)
}

// TestDoubtsOfAPhaseApartAreNotTheTrials has arrivals of a phase apart leave a second
// late.
func TestDoubtsOfAPhaseApartAreNotTheTrials(t *testing.T) {
	t.Parallel()
	a, sat := &apartPhase{id: 1}, newSaturation()
	sat.reasons = []string{"an earlier doubt", "a pause"}
	for range 100 {
		a.lag.record(int64(time.Second))
	}
	var res PublishResult
	if err := a.judge(&res, sat, 1); err != nil {
		t.Fatal(err)
	}
	if len(res.Saturation) != 2 || res.Saturation[0] != "a pause" {
		t.Errorf("the command's doubts are %q, want the pause and the lag", res.Saturation)
	}
	if len(sat.reasons) != 1 || sat.reasons[0] != "an earlier doubt" {
		t.Errorf("the trial's doubts are %q, want the earlier one", sat.reasons)
	}
}
