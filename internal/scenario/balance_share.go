package scenario

import (
	"maps"
	"math"
	"slices"
)

// shares are weights as parts of 1. Without any weight it is empty.
func shares(weights map[string]float64) map[string]float64 {
	total := 0.0
	for w := range maps.Values(weights) {
		total += w
	}
	part := make(map[string]float64, len(weights))
	for node, w := range weights {
		if w > 0 {
			part[node] = w / total
		}
	}
	return part
}

// inProportion gives n clients out by share.
func inProportion(n int, share map[string]float64) map[string]float64 {
	expected := make(map[string]float64, len(share))
	for node, s := range share {
		expected[node] = s * float64(n)
	}
	return expected
}

// levelled gives n new clients to the nodes that have the fewest for their share, as
// water fills the lowest places first. It returns the new ones of each node.
func levelled(open map[string]int, n int, share map[string]float64) map[string]float64 {
	nodes := slices.SortedFunc(maps.Keys(share), func(a, b string) int {
		return cmpFloat(float64(open[a])/share[a], float64(open[b])/share[b])
	})
	// The level up to which the first i nodes are filled, the others being above it.
	level, width, held := 0.0, 0.0, float64(n)
	for i, node := range nodes {
		width += share[node]
		held += float64(open[node])
		level = held / width
		if i+1 < len(nodes) && level <= float64(open[nodes[i+1]])/share[nodes[i+1]] {
			break
		}
	}
	expected := make(map[string]float64, len(nodes))
	for _, node := range nodes {
		expected[node] = max(0, level*share[node]-float64(open[node]))
	}
	return expected
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// evenness sums a spread up: each node's clients over its share of all.
type evenness struct{ most, least, cv, jain float64 }

// evennessOf compares clients with shares. ok is false without a client on any node
// that has a share. Nodes weigh in with their shares, so that for equal ones cv is
// the population's standard deviation over the mean, and jain Jain's index.
func evennessOf(open map[string]int, share map[string]float64) (e evenness, ok bool) {
	total := 0.0
	for node := range share {
		total += float64(open[node])
	}
	if total == 0 {
		return evenness{}, false
	}
	e.least = math.Inf(1)
	squares := 0.0
	for node, s := range share {
		load := float64(open[node]) / (total * s)
		e.most, e.least = max(e.most, load), min(e.least, load)
		squares += s * load * load
	}
	e.cv = math.Sqrt(max(0, squares-1))
	e.jain = 1 / squares
	return e, true
}

// chiSquareTail is the chance that a chi-square variable with k degrees of freedom is
// x or more: the regularised incomplete gamma function Q(k/2, x/2), by its series for
// small x and by its continued fraction for others (Abramowitz and Stegun, 6.5.29 and
// 6.5.31).
func chiSquareTail(x float64, k int) float64 {
	a, z := float64(k)/2, x/2
	if z <= 0 {
		return 1
	}
	logGamma, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(z) - z - logGamma)
	const steps, enough = 1000, 1e-15
	if z < a+1 {
		sum, term := 1/a, 1/a
		for i := 1; i < steps && term > enough*sum; i++ {
			term *= z / (a + float64(i))
			sum += term
		}
		return min(1, max(0, 1-front*sum))
	}
	// Lentz's evaluation of the continued fraction.
	const tiny = 1e-300
	b := z + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for i := 1; i < steps; i++ {
		an := -float64(i) * (float64(i) - a)
		b += 2
		d = 1 / nonZero(an*d+b, tiny)
		c = nonZero(b+an/c, tiny)
		h *= d * c
		if math.Abs(d*c-1) < enough {
			break
		}
	}
	return front * h
}

func nonZero(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}
