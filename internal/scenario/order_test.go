package scenario

import (
	"fmt"
	"slices"
	"testing"
)

// blocks splits the order of a plan into its trials: the cells of each, in order.
func blocks(t *testing.T, p *Plan) [][]int {
	t.Helper()
	var out [][]int
	for i, j := range order(p) {
		if i%len(p.Cells) == 0 {
			out = append(out, nil)
		}
		if want := i/len(p.Cells) + 1; j.trial != want {
			t.Fatalf("job %d is of trial %d, want %d: the trials of all cells must be interleaved", i, j.trial, want)
		}
		out[len(out)-1] = append(out[len(out)-1], j.cell)
	}
	return out
}

func TestEveryBlockHasEachCellOnceAndEverySecondReversesTheFirst(t *testing.T) {
	for _, cells := range []int{1, 2, 3, 12} {
		for _, trials := range []int{1, 2, 5, 8} {
			t.Run(fmt.Sprintf("%d cells, %d trials", cells, trials), func(t *testing.T) {
				all := blocks(t, &Plan{Seed: 7, Trials: trials, Cells: make([]CellPlan, cells)})
				if len(all) != trials {
					t.Fatalf("%d blocks, want %d", len(all), trials)
				}
				for i, block := range all {
					for cell := range cells {
						if !slices.Contains(block, cell) || len(block) != cells {
							t.Fatalf("block %d is %v: it must have each of %d cells once", i+1, block, cells)
						}
					}
					if i%2 == 1 {
						back := slices.Clone(block)
						slices.Reverse(back)
						if !slices.Equal(back, all[i-1]) {
							t.Errorf("block %d is %v, want the reverse of %v", i+1, block, all[i-1])
						}
					}
				}
			})
		}
	}
}

// TestLinearDriftCancels is what the order is for: a machine that becomes slower with
// every trial shifts all cells by the same amount.
func TestLinearDriftCancels(t *testing.T) {
	const cells, trials = 5, 8
	for seed := range uint64(20) {
		drift := make([]int, cells)
		for i, j := range order(&Plan{Seed: seed, Trials: trials, Cells: make([]CellPlan, cells)}) {
			drift[j.cell] += i
		}
		if slices.Min(drift) != slices.Max(drift) {
			t.Fatalf("seed %d: the drifts of the cells are %v, want equal ones", seed, drift)
		}
	}
}

func TestPairsOfBlocksAreDrawnAnew(t *testing.T) {
	all := blocks(t, &Plan{Seed: 7, Trials: 6, Cells: make([]CellPlan, 12)})
	if slices.Equal(all[0], all[2]) || slices.Equal(all[2], all[4]) {
		t.Errorf("blocks %v, %v and %v: each pair must have an order of its own", all[0], all[2], all[4])
	}
}
