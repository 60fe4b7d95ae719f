package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// nodesFixture has four nodes, of which n3 hands out slowly, two rates, and behind
// one proxy a closed loop and a trial in which the generator was saturated.
func nodesFixture(t *testing.T) *result.Run {
	rng := rand.New(rand.NewPCG(7, 8))
	var cells []result.Cell
	for i, proxy := range []string{"direct", "haproxy:round-robin", "nginx:round-robin"} {
		for _, rate := range []int{500, 2000} {
			c := result.Cell{ID: fmt.Sprintf("%s publish_rate=%d/s", proxy, rate), Proxy: proxy, Params: map[string]string{"publish_rate": fmt.Sprintf("%d/s", rate)}}
			tr := nodesTrial(t, rng, rate, float64(i)*70e3+float64(rate)*60)
			switch {
			case rate == 2000 && i == 1:
				tr.Inconclusive = []string{"messages left late: schedule lag p99 51 ms (limit 25ms)"}
			case rate == 2000 && i == 2:
				tr.ClosedLoop = true
			}
			c.Trials = []result.Trial{tr}
			cells = append(cells, c)
		}
	}
	return judgedFixture(t, newFixture("nodes", cells, nil), "delivery.reach == 100%", "hop.bus.p50 < 10ms")
}

// nodesTrial is 2 s of messages to rooms of four; extra is what the proxy adds to a
// delivery, in nanoseconds.
func nodesTrial(t *testing.T, rng *rand.Rand, rate int, extra float64) result.Trial {
	const length, room, nodes = 2, 4, 4
	m := map[string]result.Metric{}
	tr := result.Trial{Index: 1, Started: fixtureStart, Duration: length + 1, Seed: 7, Metrics: m, Histograms: map[string]result.Histogram{}}
	hs := map[string]*hdrhistogram.Histogram{}
	put := func(name string, v float64) {
		if hs[name] == nil {
			hs[name] = result.NewHDR()
		}
		must(t, hs[name].RecordValue(int64(v)))
	}
	for range rate * length {
		from, last := rng.IntN(nodes), 0.0
		for range room {
			to := rng.IntN(nodes)
			hops := []float64{120e3 + extra/2 + 40e3*rng.ExpFloat64(), 180e3 + 60e3*rng.ExpFloat64(), 90e3 + extra/2 + 50e3*rng.ExpFloat64()}
			if to == 2 {
				hops[2] *= 4
			}
			v := hops[0] + hops[1] + hops[2]
			last = math.Max(last, v)
			put("delivery.latency", v)
			put(fmt.Sprintf("delivery.latency n%d>n%d", from+1, to+1), v)
			put(map[bool]string{true: "delivery.latency_same_node", false: "delivery.latency_cross_node"}[from == to], v)
			for i, name := range []string{"hop.client_to_node", "hop.bus", "hop.node_to_client"} {
				put(name, hops[i])
			}
		}
		put("delivery.last_receiver", last)
	}
	for name, h := range hs {
		tr.Histograms[name] = pack(t, h, "ns", h.Min(), h.Max())
		if _, err := result.Lookup(name + ".p50"); err == nil {
			result.SetDist(m, name, h, h.Min(), h.Max(), 1e-9)
		}
	}
	owed := int64(rate * length * room)
	deliveryCounts(m, owed/room, owed, 0)
	result.Set(m, "rate.asked", float64(rate), owed/room)
	result.Set(m, "rate.achieved", float64(rate), owed/room)
	result.Set(m, "delivery.incomplete", 0, owed/room)
	result.Set(m, "delivery.rate", float64(owed)/length, owed)
	result.Set(m, "delivery.per_node_core", 41e3-extra/50, owed)
	result.Set(m, "delivery.backplane_tax", m["delivery.latency_cross_node.p50"].Value-m["delivery.latency_same_node.p50"].Value, owed)
	return tr
}
