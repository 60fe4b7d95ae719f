package scenario

import (
	"maps"
	"math"
	"slices"
	"testing"
)

func TestLevelledFillsTheLowestFirst(t *testing.T) {
	t.Parallel()
	equal := map[string]float64{"n1": 1. / 3, "n2": 1. / 3, "n3": 1. / 3}
	for _, row := range []struct {
		sentence string
		open     map[string]int
		n        int
		share    map[string]float64
		want     map[string]float64
	}{
		{"nothing is open, so all get the same", nil, 18, equal, map[string]float64{"n1": 6, "n2": 6, "n3": 6}},
		{"an emptied node gets all until it is level", map[string]int{"n2": 30, "n3": 30}, 18, equal, map[string]float64{"n1": 18, "n2": 0, "n3": 0}},
		{"what is left after that is for all", map[string]int{"n2": 30, "n3": 30}, 36, equal, map[string]float64{"n1": 32, "n2": 2, "n3": 2}},
		{"two low ones are filled to the third", map[string]int{"n1": 2, "n2": 4, "n3": 90}, 6, equal, map[string]float64{"n1": 4, "n2": 2, "n3": 0}},
		{"weights make the level: 3 to 1", nil, 80, map[string]float64{"n1": .75, "n2": .25}, map[string]float64{"n1": 60, "n2": 20}},
		{"a node above its share by weight waits", map[string]int{"n2": 30}, 60, map[string]float64{"n1": .75, "n2": .25}, map[string]float64{"n1": 60, "n2": 0}},
	} {
		got := levelled(row.open, row.n, row.share)
		for _, node := range slices.Sorted(maps.Keys(row.want)) {
			if math.Abs(got[node]-row.want[node]) > 1e-9 {
				t.Errorf("%s: got %v, want %v", row.sentence, got, row.want)
				break
			}
		}
	}
}

func TestEvennessIsOfSharesByWeight(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sentence string
		open     map[string]int
		weights  map[string]float64
		want     evenness
	}{
		{"level", map[string]int{"a": 5, "b": 5}, map[string]float64{"a": 1, "b": 1}, evenness{1, 1, 0, 1}},
		{"60 and 20 are level for weights 3 and 1", map[string]int{"a": 60, "b": 20}, map[string]float64{"a": 3, "b": 1}, evenness{1, 1, 0, 1}},
		{"all on one of four", map[string]int{"a": 8}, map[string]float64{"a": 1, "b": 1, "c": 1, "d": 1}, evenness{4, 0, math.Sqrt(3), .25}},
		{"6/36/36 after a restart", map[string]int{"a": 6, "b": 36, "c": 36}, map[string]float64{"a": 1, "b": 1, "c": 1}, evenness{36. / 26, 6. / 26, math.Sqrt(200) / 26, 78. * 78 / (3 * (36 + 2*36*36))}},
	} {
		got, ok := evennessOf(row.open, shares(row.weights))
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
		if !ok || !near(got.most, row.want.most) || !near(got.least, row.want.least) || !near(got.cv, row.want.cv) || !near(got.jain, row.want.jain) {
			t.Errorf("%s: got %+v, want %+v", row.sentence, got, row.want)
		}
	}
	if _, ok := evennessOf(map[string]int{"a": 0}, map[string]float64{"a": 1}); ok {
		t.Error("no clients at all have an evenness")
	}
}

// TestChiSquareTail compares with printed tables (critical values of chi-square).
func TestChiSquareTail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		x    float64
		k    int
		want float64
	}{
		{3.841458821, 1, .05}, {6.634896601, 1, .01}, {5.991464547, 2, .05}, {7.814727903, 3, .05},
		{16.26623620, 3, .001}, {11.07049769, 5, .05}, {2.705543454, 1, .10}, {0.102586589, 2, .95},
		{124.3421134, 100, .05}, {77.92946517, 100, .95}, {0, 4, 1},
	} {
		if got := chiSquareTail(row.x, row.k); math.Abs(got-row.want) > 1e-6 {
			t.Errorf("Q(%g, %d) = %.8f, want %g", row.x, row.k, got, row.want)
		}
	}
}

func TestTheKeyOfASourceAddress(t *testing.T) {
	t.Parallel()
	addresses := []string{"127.1.1.1", "127.1.2.1", "127.1.2.2"}
	for _, row := range []struct {
		client, bits int
		want         string
	}{{0, 32, "127.1.1.1"}, {2, 32, "127.1.2.2"}, {4, 32, "127.1.2.1"}, {1, 24, "127.1.2."}, {2, 24, "127.1.2."}, {3, 24, "127.1.1."}} {
		if got := sourceKey(row.client, addresses, row.bits); got != row.want {
			t.Errorf("client %d, %d bits: %q, want %q", row.client, row.bits, got, row.want)
		}
	}
	if sourceKey(5, nil, 32) != sourceKey(6, nil, 24) {
		t.Error("clients whose address the kernel chooses have more than one key")
	}
}

func TestSourcesOfACell(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fitted int
		steps  []Count
		want   int
	}{{0, []Count{1}, 0}, {0, []Count{1, 30, 7}, 30}, {4, []Count{1}, 4}, {4, []Count{2}, 2}, {4, []Count{2, 1}, 4}, {1, []Count{1}, 0}} {
		c := &CellPlan{}
		c.Testbed.Size.Sources = row.fitted
		for _, n := range row.steps {
			s := newConnect()
			s.Sources = n
			c.Steps = append(c.Steps, s)
		}
		if got := c.sources(); got != row.want {
			t.Errorf("fitted to %d, steps with %v: %d, want %d", row.fitted, row.steps, got, row.want)
		}
	}
}
