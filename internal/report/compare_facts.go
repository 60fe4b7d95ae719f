package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wsrig/internal/result"
)

// nothing is what a side without any has.
const nothing = "none"

// compareFacts sets what needs no statistics side by side: what the configuration
// declares, how handshakes were answered, what must be zero, how connections ended, how
// the balancer chose, and which checks hold.
func compareFacts(base, head *result.Run, p CellPair, absolute []string) []FactComparison {
	facts := []FactComparison{}
	facts = append(facts, declaredFact(p)...)
	facts = append(facts, handshakeFact(p)...)
	facts = append(facts, countFacts(p)...)
	facts = append(facts, closesFact(p)...)
	facts = append(facts, balanceFacts(p)...)
	facts = append(facts, checkFacts(base, head, p, absolute)...)
	return append(facts, soundFact(p)...)
}

// sentence is "declared.idle_timeout: 1 h -> 30 s (timeout tunnel, x.cfg:34 ...)".
func (f FactComparison) sentence() string {
	text := fmt.Sprintf("%s: %s -> %s", f.Name, f.Base, f.Head)
	if f.Why != "" {
		text += " (" + f.Why + ")"
	}
	return text
}

// declaredFact compares what the configurations grant an idle tunnel. Less is worse:
// clients that lived are closed. More, or the same by another directive, is a change.
func declaredFact(p CellPair) []FactComparison {
	b, h := p.Base.Declared, p.Head.Declared
	if b == nil || h == nil {
		return nil // one of them is direct, or its trials never began
	}
	f := FactComparison{
		Name: "declared.idle_timeout", Base: grantText(b), Head: grantText(h), Verdict: Same,
		Why: fmt.Sprintf("base %s; head %s", declaredBy(b), declaredBy(h)),
	}
	switch {
	case b.IdleTimeout != h.IdleTimeout && (b.IdleTimeout == 0 || h.IdleTimeout != 0 && h.IdleTimeout < b.IdleTimeout):
		f.Verdict = Worse
	case b.IdleTimeout != h.IdleTimeout || b.Directive != h.Directive:
		f.Verdict = Changed
	}
	return []FactComparison{f}
}

func grantText(d *result.Declared) string {
	if d.IdleTimeout == 0 {
		return "no limit"
	}
	return result.Format(d.IdleTimeout, "s")
}

func declaredBy(d *result.Declared) string {
	return strings.Join(slices.DeleteFunc([]string{d.Directive, d.Where}, func(s string) bool { return s == "" }), ", ")
}

// handshakeFact compares how handshakes were answered. A saturated generator does not
// make a server answer 400, so that all trials count.
func handshakeFact(p CellPair) []FactComparison {
	b, h := outcomes(p.Base), outcomes(p.Head)
	if len(b) == 0 && len(h) == 0 {
		return nil
	}
	f := FactComparison{Name: "handshake", Base: countsText(b), Head: countsText(h), Verdict: Same}
	more, less := onlyIn(h, b, "101"), onlyIn(b, h, "101")
	switch {
	case len(h) == 0 || len(b) == 0:
		f.Verdict, f.Why = Unknown, "one side made no handshake"
	case len(more) > 0:
		f.Verdict, f.Why = Worse, "head has handshakes that ended with "+strings.Join(more, ", ")
	case len(less) > 0:
		f.Verdict = Improved
	}
	return []FactComparison{f}
}

// outcomes counts a cell's handshakes by their end, over all trials.
func outcomes(c *result.Cell) map[string]int {
	counts := map[string]int{}
	for _, t := range c.Trials {
		for outcome, n := range t.Handshakes {
			if n > 0 {
				counts[outcome] += n
			}
		}
	}
	return counts
}

// onlyIn lists the keys of a that b lacks, but for one.
func onlyIn(a, b map[string]int, but string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if _, ok := b[k]; !ok && k != but {
			keys = append(keys, k)
		}
	}
	return keys
}

// countsText lists counts, the largest first: "200 101, 3 HTTP 503".
func countsText(counts map[string]int) string {
	if len(counts) == 0 {
		return nothing
	}
	var parts []string
	for _, k := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}) {
		parts = append(parts, result.Format(float64(counts[k]), "count")+" "+k)
	}
	return strings.Join(parts, ", ")
}

// isFact tells whether a figure needs no statistics: a count that must be zero, of
// which a side has none at all, and the share that survives, where each side agrees
// with itself.
func isFact(metric string, base, head []float64) bool {
	if len(base) == 0 || len(head) == 0 {
		return false
	}
	if metric == "idle.survived" {
		return constant(base) && constant(head)
	}
	return slices.Contains(mustBeZero, metric) && (slices.Max(base) == 0 || slices.Max(head) == 0)
}

func constant(values []float64) bool { return slices.Min(values) == slices.Max(values) }

// countFacts compares the figures that isFact names.
func countFacts(p CellPair) []FactComparison {
	var facts []FactComparison
	b, h := conclusive(p.Base), conclusive(p.Head)
	for _, name := range append(slices.Clone(mustBeZero), "idle.survived") {
		bv, hv := valuesOf(name, b), valuesOf(name, h)
		if !isFact(name, bv, hv) {
			continue
		}
		unit, base, head, good := "count", total64(bv), total64(hv), -1.0
		if name == "idle.survived" {
			unit, base, head, good = "ratio", bv[0], hv[0], 1
		}
		f := FactComparison{Name: name, Base: result.Format(base, unit), Head: result.Format(head, unit), Verdict: Same}
		switch {
		case (head-base)*good < 0:
			f.Verdict = Worse
		case head != base:
			f.Verdict = Improved
		}
		if name == "idle.survived" && f.Verdict == Worse && p.Head.Declared != nil {
			f.Why = "head declares " + grantText(p.Head.Declared) + " by " + declaredBy(p.Head.Declared)
		}
		facts = append(facts, f)
	}
	return facts
}

func total64(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

// closesFact compares how connections ended, without those that the scenario closed. A
// way that every trial of head has and none of base is a loss, unless base's had
// another instead: then it is a change.
func closesFact(p CellPair) []FactComparison {
	b, h := conclusive(p.Base), conclusive(p.Head)
	if len(b) == 0 || len(h) == 0 {
		return nil
	}
	bAll, bAlways := endings(b)
	hAll, hAlways := endings(h)
	if len(bAll) == 0 && len(hAll) == 0 {
		return nil
	}
	f := FactComparison{Name: "closes", Base: countsText(bAll), Head: countsText(hAll), Verdict: Same}
	more, less := onlyIn(hAlways, bAll, ""), onlyIn(bAlways, hAll, "")
	switch {
	case len(more) > 0 && len(less) > 0:
		f.Verdict = Changed
	case len(more) > 0:
		f.Verdict, f.Why = Worse, "head has connections that ended with "+strings.Join(more, ", ")
	case len(less) > 0:
		f.Verdict = Improved
	}
	if len(more) > 0 && p.Head.Declared != nil && strings.Contains(strings.Join(more, ""), "idle timeout") {
		f.Why = strings.TrimPrefix(f.Why+"; head declares "+grantText(p.Head.Declared)+" by "+declaredBy(p.Head.Declared), "; ")
	}
	return []FactComparison{f}
}

// endings counts how connections ended over the trials, and tells which ways every
// trial has.
func endings(trials []*result.Trial) (all, always map[string]int) {
	all, in := map[string]int{}, map[string]int{}
	for _, t := range trials {
		seen := map[string]bool{}
		for _, g := range t.Closes {
			if g.Cause != asked {
				all[closeText(g)] += g.Count
				seen[closeText(g)] = true
			}
		}
		for way := range seen {
			in[way]++
		}
	}
	maps.DeleteFunc(in, func(_ string, n int) bool { return n < len(trials) })
	return all, in
}
