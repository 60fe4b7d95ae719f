package report

import (
	"fmt"
	"testing"

	"wsrig/internal/result"
)

// capacityFixture has three proxies with 1, 2 and 4 nodes. One cell's generator was
// saturated, so that it has a lower bound only and its proxy no fit.
func capacityFixture(t *testing.T) *result.Run {
	var cells []result.Cell
	for i, proxy := range []string{"direct", "haproxy:round-robin", "nginx:round-robin"} {
		for _, nodes := range []int{1, 2, 4} {
			law := scaling{lambda: 700 - 60*float64(i), sigma: 0.08, kappa: 0.02}
			c := result.Cell{ID: fmt.Sprintf("%s nodes=%d", proxy, nodes), Proxy: proxy, Params: map[string]string{"nodes": fmt.Sprint(nodes)}}
			c.Trials = []result.Trial{capacityTrial(law.at(float64(nodes)), i == 2 && nodes == 4)}
			cells = append(cells, c)
		}
	}
	return judgedFixture(t, newFixture("capacity", cells, nil), "capacity.rate > 0/s", "capacity.p99_at <= 50ms")
}

// capacityTrial climbs by doubling and probes once between the last two rates.
func capacityTrial(knee float64, saturated bool) result.Trial {
	tr := result.Trial{Index: 1, Started: fixtureStart, Duration: 20, Seed: 7, Metrics: map[string]result.Metric{}}
	probe := func(rate float64) result.Probe {
		p := result.Probe{
			Asked: rate, Achieved: rate, Owed: int64(8 * rate), Received: int64(8 * rate), Reach: 1, Bound: 0.05,
			P99: 0.004 + 0.03*rate/knee, CPU: 0.1 + rate/10000, Lag: 0.0004, Verdict: result.ProbeOK,
		}
		if rate > knee {
			p.P99, p.Verdict = 0.08*rate/knee, result.ProbeFailed
			p.Why = "p99 " + result.Format(p.P99, "s")
			if saturated {
				p.Verdict, p.Why = result.ProbeSaturated, "arrivals left late: schedule lag p99 51ms (limit 25ms)"
			}
		}
		return p
	}
	held := probe(200)
	tr.Probes = append(tr.Probes, held)
	for rate := 400.0; ; rate *= 2 {
		p := probe(rate)
		if tr.Probes = append(tr.Probes, p); p.Verdict == result.ProbeOK {
			held = p
			continue
		}
		p.Repetition = true
		tr.Probes = append(tr.Probes, p)
		if p.Verdict == result.ProbeSaturated {
			tr.Inconclusive = []string{"the capacity is at least " + result.Format(held.Asked, "/s") + "; the generator is the limit: " + p.Why}
		}
		break
	}
	result.Set(tr.Metrics, "capacity.probes", float64(len(tr.Probes)), int64(len(tr.Probes)))
	if saturated {
		knee = held.Asked
	}
	// Else the knee itself, not the last rate that held, so that the fit is known.
	result.Set(tr.Metrics, "capacity.rate", knee, int64(len(tr.Probes)))
	result.Set(tr.Metrics, "capacity.p99_at", held.P99, held.Received)
	result.Set(tr.Metrics, "capacity.generator_cpu", held.CPU, 1)
	return tr
}
