package scenario

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wsrig/internal/result"
	"wsrig/testbed"
)

func weightsOf(w ...float64) map[string]float64 {
	m := map[string]float64{}
	for i, v := range w {
		m[fmt.Sprintf("n%d", i+1)] = v
	}
	return m
}

func countsOf(c ...int) map[string]int {
	m := map[string]int{}
	for i, v := range c {
		m[fmt.Sprintf("n%d", i+1)] = v
	}
	return m
}

// keysOf makes counts distinct keys for each node.
func keysOf(counts map[string]int) map[string]string {
	keys := map[string]string{}
	for _, node := range slices.Sorted(maps.Keys(counts)) {
		for range counts[node] {
			keys[fmt.Sprint(len(keys))] = node
		}
	}
	return keys
}

// TestNullHypotheses has, for each algorithm, a spread that it makes and one that it
// does not, since a verdict that cannot fail is none.
func TestNullHypotheses(t *testing.T) {
	t.Parallel()
	roundRobin := testbed.Balance{Algorithm: testbed.BalanceRoundRobin, Weights: weightsOf(1, 1, 1)}
	weighted := testbed.Balance{Algorithm: testbed.BalanceRoundRobin, Weights: weightsOf(3, 1, 1, 1)}
	leastConn := testbed.Balance{Algorithm: testbed.BalanceLeastConn, Weights: weightsOf(1, 1, 1)}
	random := testbed.Balance{Algorithm: testbed.BalanceRandom, Weights: weightsOf(1, 1, 1)}
	hash := testbed.Balance{Algorithm: testbed.BalanceSourceHash, KeyBits: 32, Weights: weightsOf(1, 1, 1)}
	ring := hash
	ring.RingPoints = 16
	alone := roundRobin
	alone.PerProcess = true
	aloneLeast := leastConn
	aloneLeast.PerProcess = true
	slow := roundRobin
	slow.SlowStart = true
	restarted := countsOf(0, 30, 30)
	for _, row := range []struct {
		sentence string
		a        arrivals
		want     string // fair, unfair or unjudged
		why      string
	}{
		{"round robin in equal parts", arrivals{declared: roundRobin, fresh: countsOf(6, 6, 6)}, "fair", ""},
		{"round robin one off", arrivals{declared: roundRobin, fresh: countsOf(7, 6, 6)}, "fair", ""},
		{"round robin two off", arrivals{declared: roundRobin, fresh: countsOf(8, 5, 5)}, "unfair", "n1 got 8, expected 6"},
		{"round robin after a restart does not level", arrivals{declared: roundRobin, fresh: countsOf(6, 6, 6), known: restarted}, "fair", ""},
		{"round robin that levels is none", arrivals{declared: roundRobin, fresh: countsOf(18, 0, 0), known: restarted}, "unfair", "n1 got 18"},
		{"weights 3:1:1:1", arrivals{declared: weighted, fresh: countsOf(60, 20, 20, 20)}, "fair", ""},
		{"weights that are ignored", arrivals{declared: weighted, fresh: countsOf(30, 30, 30, 30)}, "unfair", "n1 got 30, expected 60"},
		{"least connections fills the emptied node", arrivals{declared: leastConn, fresh: countsOf(18, 0, 0), known: restarted}, "fair", ""},
		{"least connections that goes round", arrivals{declared: leastConn, fresh: countsOf(6, 6, 6), known: restarted}, "unfair", "n1 got 6, expected 18"},
		{"an unknown node gets clients", arrivals{declared: leastConn, fresh: map[string]int{"n1": 6, "n2": 6, "n3": 6, "n9": 2}}, "unfair", "n9 got 2"},
		{"random within chance", arrivals{declared: random, fresh: countsOf(110, 95, 95)}, "fair", ""},
		{"random more even than chance", arrivals{declared: random, fresh: countsOf(100, 100, 100)}, "fair", ""},
		{"random and one node twice the others", arrivals{declared: random, fresh: countsOf(150, 75, 75)}, "unfair", "chance of"},
		{"hashing of equal addresses cannot be judged", arrivals{declared: hash, fresh: countsOf(60, 0, 0), keys: keysOf(countsOf(1))}, "unjudged", "too few"},
		{"hashing within chance", arrivals{declared: hash, fresh: countsOf(110, 95, 95), keys: keysOf(countsOf(110, 95, 95))}, "fair", ""},
		{"a plain hash may not be as uneven as a ring", arrivals{declared: hash, fresh: countsOf(380, 260, 260), keys: keysOf(countsOf(380, 260, 260))}, "unfair", "chance of"},
		{"a ring of few points may", arrivals{declared: ring, fresh: countsOf(380, 260, 260), keys: keysOf(countsOf(380, 260, 260))}, "fair", ""},
		{"a ring may not leave a node out", arrivals{declared: ring, fresh: countsOf(450, 450, 0), keys: keysOf(countsOf(450, 450, 0))}, "unfair", "chance of"},
		{"an address that strays", arrivals{declared: ring, fresh: countsOf(100, 100, 100), keys: keysOf(countsOf(100, 100, 100)), stray: 3}, "unfair", "3 clients came back"},
		{"an address on two nodes", arrivals{declared: hash, fresh: countsOf(100, 100, 100), keys: keysOf(countsOf(100, 100, 100)), split: true}, "unfair", "several nodes"},
		{"processes that go round alone are off by one each", arrivals{declared: alone, fresh: countsOf(8, 6, 4), workers: 2}, "fair", ""},
		{"but not by more", arrivals{declared: alone, fresh: countsOf(10, 5, 3), workers: 2}, "unfair", "n1 got 10"},
		{"processes that count alone, from nothing", arrivals{declared: aloneLeast, fresh: countsOf(7, 6, 5), workers: 2}, "fair", ""},
		{"processes that count alone, later", arrivals{declared: aloneLeast, fresh: countsOf(6, 6, 6), known: restarted, workers: 2}, "unjudged", "counts for itself"},
		{"a node is down", arrivals{declared: roundRobin, fresh: countsOf(0, 9, 9), down: []string{"n1"}}, "unjudged", "n1 is down"},
		{"slow start after a restart", arrivals{declared: slow, fresh: countsOf(2, 8, 8), healed: true}, "unjudged", "slow start"},
		{"slow start at first start does not apply", arrivals{declared: slow, fresh: countsOf(6, 6, 6)}, "fair", ""},
		{"nodes without a name", arrivals{declared: roundRobin, foreign: true, unnamed: 9}, "unjudged", "9 of the new clients do not know their node"},
		{"nodes with names of their own", arrivals{declared: roundRobin, foreign: true, fresh: map[string]int{"web": 9}}, "unjudged", `on "web", which is no NODE_NAME`},
		{"nobody came", arrivals{declared: roundRobin}, "unjudged", "no new client"},
		{"one URI is one key", arrivals{declared: testbed.Balance{Algorithm: testbed.BalanceURIHash}, fresh: countsOf(9)}, "unjudged", "one key"},
		{"nobody knows", arrivals{declared: testbed.Balance{Algorithm: testbed.BalanceUnknown, Why: "stick on chooses"}, fresh: countsOf(9)}, "unjudged", "stick on chooses"},
	} {
		var b result.Balance
		row.a.judge(&b)
		got := "unjudged"
		if b.Fair != nil && *b.Fair {
			got = "fair"
		} else if b.Fair != nil {
			got = "unfair"
		}
		if got != row.want || !strings.Contains(b.Why, row.why) || got != "fair" && b.Why == "" || b.Null == "" {
			t.Errorf("%s: %s (%q, null %q), want %s with %q", row.sentence, got, b.Why, b.Null, row.want, row.why)
		}
	}
}

// TestRingsAreJudgedAtTheirLevel draws rings at random, and addresses on them: the
// judgement may call few of them unfair, and must call a lopsided one so.
func TestRingsAreJudgedAtTheirLevel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	d := testbed.Balance{Algorithm: testbed.BalanceSourceHash, KeyBits: 32, RingPoints: 16, Weights: weightsOf(1, 1, 1, 1)}
	const rings, addresses = 2000, 600
	unfair := 0
	for range rings {
		counts := onRing(rng, 16, 4, addresses)
		a := arrivals{declared: d, fresh: counts, keys: keysOf(counts)}
		var b result.Balance
		if a.judge(&b); !*b.Fair {
			unfair++
		}
	}
	// 1 in 1000 is aimed at; the chi-square distribution is not exact in the tail.
	if unfair > rings/100 {
		t.Errorf("%d of %d rings of a good hash were called unfair", unfair, rings)
	}
}

// onRing puts points on a circle, some for each node, and counts the keys that fall
// before each node's points.
func onRing(rng *rand.Rand, points, nodes, keys int) map[string]int {
	type point struct {
		at   float64
		node string
	}
	var ring []point
	for n := range nodes {
		for range points {
			ring = append(ring, point{rng.Float64(), fmt.Sprintf("n%d", n+1)})
		}
	}
	slices.SortFunc(ring, func(a, b point) int { return cmpFloat(a.at, b.at) })
	counts := map[string]int{}
	for range keys {
		at := rng.Float64()
		i, _ := slices.BinarySearchFunc(ring, at, func(p point, at float64) int { return cmpFloat(p.at, at) })
		counts[ring[i%len(ring)].node]++
	}
	return counts
}
