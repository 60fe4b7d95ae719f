package report

import (
	"fmt"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// balanceFacts compares, for each phase that both sides have, the algorithm that the
// proxy was given and where the clients were at the phase's end.
func balanceFacts(p CellPair) []FactComparison {
	b, h := conclusive(p.Base), conclusive(p.Head)
	var facts []FactComparison
	for _, phase := range result.Phases {
		bs, hs := phaseOf(b, phase), phaseOf(h, phase)
		if len(bs) == 0 || len(hs) == 0 {
			continue
		}
		first, then := bs[0], hs[0]
		algorithm := FactComparison{
			Name: result.BalanceMetric(phase, "algorithm"), Base: first.Algorithm, Head: then.Algorithm, Verdict: Same,
			Why: fmt.Sprintf("base %s; head %s", first.Where, then.Where),
		}
		if first.Algorithm != then.Algorithm {
			algorithm.Verdict = Changed
		}
		facts = append(facts, algorithm, spreadFact(phase, bs, hs))
	}
	return facts
}

// phaseOf lists a phase's balance in each trial that has it.
func phaseOf(trials []*result.Trial, phase string) []result.Balance {
	var all []result.Balance
	for _, t := range trials {
		for _, b := range t.Balance {
			if b.Phase == phase {
				all = append(all, b)
			}
		}
	}
	return all
}

// spreadFact compares the clients of the nodes, the emptiest first. It is a fact where
// each side agrees with itself; else balance.max_over_mean tells by its trials.
func spreadFact(phase string, base, head []result.Balance) FactComparison {
	b, bSame := spreadOf(base)
	h, hSame := spreadOf(head)
	f := FactComparison{Name: result.BalanceMetric(phase, "open"), Base: spreadText(b, bSame), Head: spreadText(h, hSame), Verdict: Same}
	if !bSame || !hSame || slices.Equal(b, h) {
		return f
	}
	f.Verdict = Changed
	f.Why = "clients of each node, the emptiest first"
	return f
}

// spreadOf is the sorted clients of the nodes in the first trial, and whether every trial
// has the same.
func spreadOf(phases []result.Balance) (first []int, same bool) {
	for i, b := range phases {
		var open []int
		for _, n := range b.Open {
			open = append(open, n)
		}
		slices.Sort(open)
		if i == 0 {
			first, same = open, true
		}
		same = same && slices.Equal(first, open)
	}
	return first, same
}

func spreadText(open []int, same bool) string {
	if !same {
		return "differs between trials"
	}
	parts := make([]string, len(open))
	for i, n := range open {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, " ")
}
