package report

import (
	"math"
	"strings"
	"testing"
)

func TestTheLawIsFoundAgainFromItsOwnPoints(t *testing.T) {
	for _, row := range []struct {
		sentence string
		law      scaling
	}{
		{"nodes add up", scaling{500, 0, 0}},
		{"a part is not shared out", scaling{500, 0.2, 0}},
		{"nodes cost each other", scaling{500, 0, 0.05}},
		{"both, beyond the maximum at three nodes", scaling{1200, 0.1, 0.1}},
	} {
		var points []capacityAt
		for _, n := range []float64{1, 2, 4} {
			points = append(points, capacityAt{n, row.law.at(n)})
		}
		fit, ok := fitScaling(points)
		near := func(got, want float64) bool { return math.Abs(got-want) < 1e-6*math.Max(1, want) }
		if !ok || !near(fit.lambda, row.law.lambda) || !near(fit.sigma, row.law.sigma) || !near(fit.kappa, row.law.kappa) {
			t.Errorf("%s: fit %+v, %v; want %+v", row.sentence, fit, ok, row.law)
		}
	}
}

func TestTheFitKeepsItsTermsMeaningful(t *testing.T) {
	for _, row := range []struct {
		sentence string
		points   []capacityAt
		ok       bool
	}{
		{"more than linear: no negative cost", []capacityAt{{1, 100}, {2, 250}, {4, 600}}, true},
		{"a dip and a rise", []capacityAt{{1, 100}, {2, 80}, {4, 300}}, true},
		{"more points than parameters", []capacityAt{{1, 100}, {2, 190}, {4, 350}, {8, 500}}, true},
		{"two numbers of nodes are too few", []capacityAt{{1, 100}, {1, 110}, {2, 190}}, false},
		{"none", nil, false},
		{"a rate of nothing", []capacityAt{{1, 100}, {2, 0}, {4, 300}}, false},
		{"a rate that is no number", []capacityAt{{1, 100}, {2, math.NaN()}, {4, 300}}, false},
	} {
		fit, ok := fitScaling(row.points)
		if ok != row.ok {
			t.Errorf("%s: fitted %v, want %v", row.sentence, ok, row.ok)
		}
		if ok && !(fit.lambda > 0 && fit.sigma >= 0 && fit.kappa >= 0) {
			t.Errorf("%s: fit %+v has a term that means nothing", row.sentence, fit)
		}
	}
}

func TestALowerBoundIsMarkedAndNotFitted(t *testing.T) {
	run := load(t, "capacity")
	for _, g := range growthOf(run) {
		wantOpen := 0
		if g.proxy == "nginx:round-robin" {
			wantOpen = 1
		}
		if len(g.open) != wantOpen || len(g.points) != 3-wantOpen {
			t.Errorf("%s: %d capacities and %d lower bounds", g.id, len(g.points), len(g.open))
		}
	}
	var text strings.Builder
	must(t, Text(&text, run, 0))
	for _, want := range []string{"≥ ", "leave no degree of freedom", "No fit where", "the generator is"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}
