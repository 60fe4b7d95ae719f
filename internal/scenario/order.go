package scenario

import (
	"math/rand/v2"
	"slices"
)

// job is one trial of one cell.
type job struct {
	cell  int
	trial int // from 1
}

// order is what to run: blocks of one trial of every cell, so that a drift of the machine
// does not fall on one cell. Blocks come in pairs: the first has its cells in a seeded
// random order, the second in the reverse of that. Over a pair every cell then has the
// same mean position, and of any two cells each runs once before and once after the
// other, so that a drift that is linear cancels out of their difference (ABBA, or
// counterbalancing). With an odd number of trials the last block is random alone.
func order(p *Plan) []job {
	rng := rand.New(rand.NewPCG(p.Seed, 0x6f72646572))
	var jobs []job
	var block []int
	for trial := 1; trial <= p.Trials; trial++ {
		if trial%2 == 1 {
			block = rng.Perm(len(p.Cells))
		} else {
			slices.Reverse(block)
		}
		for _, cell := range block {
			jobs = append(jobs, job{cell, trial})
		}
	}
	return jobs
}
