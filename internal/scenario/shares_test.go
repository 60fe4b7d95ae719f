package scenario

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"wsrig/loadgen"
)

func TestSharesAreEvenAndWithinWhatThereIs(t *testing.T) {
	for _, c := range []struct {
		n    int
		have []int
		want []int
	}{
		{5, []int{9, 9, 9, 9}, []int{2, 1, 1, 1}},
		{2, []int{9, 9, 9, 9}, []int{1, 1, 0, 0}},
		{8, []int{1, 9, 0, 9}, []int{1, 4, 0, 3}},
		{8, []int{1, 2, 0, 3}, []int{1, 2, 0, 3}},
		{0, []int{1, 2}, []int{0, 0}},
		{3, []int{0, 0}, []int{0, 0}},
		{7, []int{9}, []int{7}},
	} {
		if got := splitAmong(c.n, c.have); !slices.Equal(got, c.want) {
			t.Errorf("%d among %v: %v, want %v", c.n, c.have, got, c.want)
		}
	}
}

// However a publish step is shared out, its parts add up to what one worker would do.
func TestPartsOfAPublishStepAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		whole := loadgen.PublishSpec{
			Rate: 0.1 + rng.Float64()*500, For: time.Duration(1+rng.IntN(10_000)) * time.Millisecond, Publishers: 1 + rng.IntN(20), Seed: 7,
		}
		open := make([]int, 1+rng.IntN(8))
		sum := 0
		for i := range open {
			open[i] = rng.IntN(6)
			sum += open[i]
		}
		due := loadgen.Constant(whole.Rate, whole.For).Count()
		arrivals, publishers := 0, 0
		for w, p := range publishShares(whole, open) {
			if p.FirstTurn != publishers {
				t.Fatalf("%+v among %v: worker %d begins at turn %d, want %d", whole, open, w, p.FirstTurn, publishers)
			}
			publishers += p.Publishers
			if p.Rate > 0 {
				arrivals += loadgen.Constant(p.Rate, p.For).Count()
			}
			if p.Publishers == 0 && p.Rate > 0 || sum > 0 && p.Publishers > open[w] {
				t.Fatalf("%+v among %v: worker %d is to publish %g/s by %d", whole, open, w, p.Rate, p.Publishers)
			}
		}
		want := whole.Publishers
		if sum > 0 {
			want = min(want, sum)
		}
		if arrivals != due || publishers != want {
			t.Fatalf("%+v among %v: %d arrivals of %d publishers, want %d of %d", whole, open, arrivals, publishers, due, want)
		}
	}
}

// The same scenario by one worker and by four: fewer clients, publishers and
// disconnects than workers, and rates that four do not divide.
func TestWorkersTogetherDoWhatOneDoes(t *testing.T) {
	for _, c := range []struct{ why, steps string }{
		{"fewer of everything than workers", `
  - connect: {clients: 3, rate: 500/s, in_flight: 2}
  - publish: {rate: 50/s, for: 1s, publishers: 2, grace: 10s}
  - disconnect: {clients: 1}
`},
		{"one for each room, and a rest that does not divide", `
  - connect: {clients: 10, rate: 500/s, rooms: 5}
  - publish: {rate: 55/s, for: 1s, grace: 10s}
  - disconnect: {clients: 7}
  - connect: {clients: 2, rate: 500/s, rooms: 2}
  - publish: {rate: 41/s, for: 500ms, publishers: 1, grace: 10s}
  - disconnect: {clients: 4}
`},
	} {
		totals := map[int]map[string]float64{}
		for _, workers := range []int{1, 4} {
			r, nothingLeft := newRunner(t)
			plan := planOf(t, "name: test\nsummary: s\ntestbed: {nodes: 1, bus: none}\nproxies: [direct]\nsteps:"+c.steps)
			plan.Cells[0].Testbed.Size.Workers = workers
			run, err := r.Run(t.Context(), plan)
			if err != nil {
				t.Fatalf("%s, %d workers: %v", c.why, workers, err)
			}
			trial := run.Cells[0].Trials[0]
			got := map[string]float64{}
			for _, name := range []string{
				"handshake.ok", "handshake.failed", "delivery.sent", "delivery.lost", "delivery.misrouted", "rate.asked", "rate.dropped",
			} {
				got[name] = trial.Metrics[name].Value
			}
			for _, g := range trial.Closes {
				got["closed by "+g.By] += float64(g.Count)
			}
			got["last receivers"] = float64(trial.Histograms["delivery.last_receiver"].Count)
			if trial.Metrics["handshake.rate"].Value <= 0 {
				t.Errorf("%s, %d workers: handshake.rate is %v", c.why, workers, trial.Metrics["handshake.rate"])
			}
			totals[workers] = got
			nothingLeft()
		}
		if !maps.Equal(totals[1], totals[4]) {
			t.Errorf("%s:\none worker: %v\nfour:       %v", c.why, totals[1], totals[4])
		}
	}
}
