package scenario

import (
	"context"
	"math"
	"time"

	"wsrig/loadgen"
)

// split shares n out among parts as evenly as can be.
func split(n, parts int) []int {
	shares := make([]int, parts)
	for i := range shares {
		shares[i] = n / parts
		if i < n%parts {
			shares[i]++
		}
	}
	return shares
}

// splitAmong shares n out as evenly as can be among those who have something, none of
// whom gets more than it has. What is above all that they have is left out.
func splitAmong(n int, have []int) []int {
	shares := make([]int, len(have))
	for given := 0; given < n; {
		before := given
		for i := range shares {
			if given < n && shares[i] < have[i] {
				shares[i]++
				given++
			}
		}
		if given == before {
			break
		}
	}
	return shares
}

// openByWorker asks every worker how many of its clients are open.
func (t *trial) openByWorker(ctx context.Context) ([]int, error) {
	results, err := each[loadgen.CountResult](ctx, t, loadgen.CommandCount, nil, func(int) any { return struct{}{} })
	open := make([]int, len(results))
	for i, r := range results {
		open[i] = r.Open
	}
	return open, err
}

// publishAmong has the workers publish what one alone would be asked for in whole:
// each gets publishers, of those of its clients that are open, and of the arrivals
// the part that these are of all publishers. A worker without a part is left out,
// since a worker takes no publishers for one in each room.
func (t *trial) publishAmong(ctx context.Context, bar ProgressBar, whole loadgen.PublishSpec) ([]loadgen.PublishResult, error) {
	open, err := t.openByWorker(ctx)
	if err != nil {
		return nil, err
	}
	parts := publishShares(whole, open)
	results, err := each[loadgen.PublishResult](ctx, t, loadgen.CommandPublish, bar, func(w int) any {
		if parts[w].Publishers == 0 || parts[w].Rate == 0 {
			return nil
		}
		return parts[w]
	})
	var took []loadgen.PublishResult
	for w, r := range results {
		if parts[w].Publishers > 0 && parts[w].Rate > 0 {
			took = append(took, r)
		}
	}
	return took, err
}

// publishShares are the parts of a publish command for workers with so many open
// clients. Arrivals are counted as the constant schedule counts them and shared out
// whole, so that the parts add up.
func publishShares(whole loadgen.PublishSpec, open []int) []loadgen.PublishSpec {
	publishers := splitAmong(whole.Publishers, open)
	sum := 0
	for _, n := range publishers {
		sum += n
	}
	if sum == 0 { // nobody is left: what is due is dropped by whoever is asked
		publishers = split(whole.Publishers, len(open))
		sum = whole.Publishers
	}
	parts := make([]loadgen.PublishSpec, len(open))
	due := loadgen.Constant(whole.Rate, whole.For).Count()
	upTo, before := 0, 0
	for w := range parts {
		parts[w] = whole
		parts[w].Seed = whole.Seed + uint64(w)
		parts[w].Publishers, parts[w].FirstTurn = publishers[w], upTo
		upTo += publishers[w]
		until := int(math.Round(float64(due) * float64(upTo) / float64(sum)))
		parts[w].Rate = float64(until-before) / whole.For.Seconds()
		before = until
	}
	return parts
}

// mostArrivals is a bound of the arrivals of a publish step, over all workers: a
// Poisson schedule goes 10 standard deviations above its mean less often than once in
// 10^22.
func mostArrivals(arrival arrivalName, rate Rate, length Duration) int {
	mean := float64(rate) * time.Duration(length).Seconds()
	if arrival == loadgen.ArrivalPoisson {
		mean += 10*math.Sqrt(mean) + 10
	}
	return int(math.Ceil(mean)) + 1
}
