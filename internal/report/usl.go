package report

import (
	"math"
	"slices"
)

// scaling is the Universal Scalability Law fitted to capacities by nodes:
//
//	X(N) = Lambda N / (1 + Sigma (N-1) + Kappa N (N-1))
//
// (N. J. Gunther, "Guerrilla Capacity Planning", 2007). Sigma is the share of the work
// that nodes do not share out, kappa what each pair of nodes costs.
type scaling struct {
	lambda float64 // arrivals a second of one node
	sigma  float64
	kappa  float64
}

// at is the capacity that the law gives for a number of nodes.
func (s scaling) at(nodes float64) float64 {
	return s.lambda * nodes / (1 + s.sigma*(nodes-1) + s.kappa*nodes*(nodes-1))
}

// capacityAt is a measured capacity.
type capacityAt struct{ nodes, rate float64 }

// freedom is how many points there are beyond the law's three parameters.
func freedom(points []capacityAt) int { return len(points) - 3 }

// fitScaling fits the law by least squares of the relative errors, in its linear form
//
//	N/X = a + b (N-1) + c N (N-1), with a = 1/Lambda, b = Sigma/Lambda, c = Kappa/Lambda
//
// Negative costs mean nothing, so a term that would come out below zero is left out. ok
// is false for fewer than three different numbers of nodes.
func fitScaling(points []capacityAt) (fit scaling, ok bool) {
	different := map[float64]bool{}
	for _, p := range points {
		if !(p.nodes >= 1 && p.rate > 0) || math.IsInf(p.rate, 0) || math.IsInf(p.nodes, 0) {
			return scaling{}, false
		}
		different[p.nodes] = true
	}
	if len(different) < 3 {
		return scaling{}, false
	}
	least := math.Inf(1)
	for _, terms := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		coeff, solved := solveTerms(points, terms)
		if !solved || coeff[0] <= 0 || coeff[1] < 0 || coeff[2] < 0 {
			continue
		}
		s := scaling{1 / coeff[0], coeff[1] / coeff[0], coeff[2] / coeff[0]}
		if e := linearError(points, coeff); e < least {
			fit, ok, least = s, true, e
		}
	}
	return fit, ok
}

// linearTerms are the factors of a, b and c, weighted so that every point's error
// counts in relation to the point.
func linearTerms(p capacityAt) [3]float64 {
	n, w := p.nodes, p.rate/p.nodes
	return [3]float64{w, w * (n - 1), w * n * (n - 1)}
}

func linearError(points []capacityAt, coeff [3]float64) float64 {
	sum := 0.0
	for _, p := range points {
		t := linearTerms(p)
		e := 1 - t[0]*coeff[0] - t[1]*coeff[1] - t[2]*coeff[2]
		sum += e * e
	}
	return sum
}

// solveTerms solves the normal equations for some of the terms; the others are 0.
func solveTerms(points []capacityAt, terms []int) (coeff [3]float64, ok bool) {
	rows := make([][]float64, len(terms))
	for i, a := range terms {
		rows[i] = make([]float64, len(terms)+1)
		for _, p := range points {
			t := linearTerms(p)
			for j, b := range terms {
				rows[i][j] += t[a] * t[b]
			}
			rows[i][len(terms)] += t[a]
		}
	}
	x, ok := eliminate(rows)
	for i, term := range terms {
		if ok {
			coeff[term] = x[i]
		}
	}
	return coeff, ok
}

// eliminate solves linear equations, each a row of factors with its right-hand side
// at the end (Gauss-Jordan with row pivots).
func eliminate(rows [][]float64) (x []float64, ok bool) {
	n := len(rows)
	for i := range n {
		pivot := i
		for j := i + 1; j < n; j++ {
			if math.Abs(rows[j][i]) > math.Abs(rows[pivot][i]) {
				pivot = j
			}
		}
		rows[i], rows[pivot] = rows[pivot], rows[i]
		if !(math.Abs(rows[i][i]) > 0) {
			return nil, false
		}
		for j := range n {
			if j == i {
				continue
			}
			f := rows[j][i] / rows[i][i]
			for k := i; k <= n; k++ {
				rows[j][k] -= f * rows[i][k]
			}
		}
	}
	for i := range n {
		x = append(x, rows[i][n]/rows[i][i])
	}
	return x, !slices.ContainsFunc(x, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
