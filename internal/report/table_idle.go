package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"wsrig/internal/result"
)

var idleColumns = []column{
	{Column{Header: "declared", Group: true}, declaredText},
	{Column{Header: "closed, p50", Right: true}, closedAfterText},
	{Column{Header: "earliest..latest", Right: true}, closeRange},
	{Column{Header: "survived", Right: true}, survivedText},
	{Column{Header: "how they ended", Wrap: true}, closesText},
	{Column{Header: "verdict", Role: roleVerdict}, cellVerdict},
}

func declaredText(r *row) string {
	d := r.cell.Declared
	if d == nil {
		return missing
	}
	if d.IdleTimeout == 0 {
		r.notes.add("%s declares no limit for an idle tunnel: %s", r.cell.Proxy, d.Why)
		return "no limit"
	}
	r.notes.add("%s declares %s by %s, %s: %s", r.cell.Proxy, result.Format(d.IdleTimeout, "s"), d.Directive, d.Where, d.Why)
	return result.Format(d.IdleTimeout, "s") + " " + d.Directive
}

// alike is how near, as a share, the trials' medians must be to be one figure.
const alike = 0.01

// closedAfterText is the median of the trials' medians, and their range where it
// says that the trials were not alike.
func closedAfterText(r *row) string {
	const metric = "idle.closed_after.p50"
	text := r.median(metric)
	values := r.values(metric)
	if text == missing || len(values) < 2 {
		return text
	}
	lo, hi := slices.Min(values), slices.Max(values)
	if hi-lo <= alike*lo {
		r.notes.add("Where no range is given in brackets, the medians of the trials lie within 1 %% of each other.")
		return text
	}
	r.notes.add("In brackets: lowest and highest median of the trials.")
	return fmt.Sprintf("%s (%s)", text, rangeText(lo, hi))
}

// closeRange is the earliest and the latest close of all trials.
func closeRange(r *row) string {
	first, last := r.values("idle.closed_after.min"), r.values("idle.closed_after.max")
	if len(first) == 0 || len(last) == 0 {
		return missing
	}
	return rangeText(slices.Min(first), slices.Max(last))
}

// rangeText writes two durations in seconds, their unit once where it is the same.
func rangeText(lo, hi float64) string {
	from, to := result.Format(lo, "s"), result.Format(hi, "s")
	number, unit, _ := strings.Cut(from, " ")
	if strings.HasSuffix(to, " "+unit) {
		from = number
	}
	return from + ".." + to
}

// survivedText counts the clients of all trials.
func survivedText(r *row) string {
	survivors, clients := 0.0, 0.0
	for _, t := range r.trials {
		n, share := t.Metrics["idle.clients"], t.Metrics["idle.survived"]
		clients += n.Value
		survivors += math.Round(n.Value * share.Value)
	}
	if clients == 0 || len(r.values("idle.survived")) < len(r.trials) {
		return missing
	}
	if len(r.trials) > 1 {
		r.notes.add("Clients are totals over the trials.")
	}
	return fmt.Sprintf("%s/%s (%s)", result.Format(survivors, "count"), result.Format(clients, "count"), result.Format(survivors/clients, "ratio"))
}

// asked is the cause of closes that are the end of the scenario, not a finding.
const asked = "asked"

// closesText lists how connections ended, over all trials, the most frequent first.
func closesText(r *row) string {
	counts := map[string]int{}
	for _, t := range r.trials {
		for _, g := range t.Closes {
			if g.Cause != asked {
				counts[closeText(g)] += g.Count
			}
		}
	}
	if len(counts) == 0 {
		return missing
	}
	kinds := make([]string, 0, len(counts))
	for k := range counts {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[k], k)
	}
	return strings.Join(kinds, "; ")
}

// closeText says who ended a connection, how and why: "FIN by proxy (idle timeout,
// cD--)".
func closeText(g result.CloseGroup) string {
	text := g.Kind
	if g.Code != 0 {
		text += fmt.Sprintf(" %d", g.Code)
	}
	if g.By != "" {
		text += " by " + g.By
	}
	var why []string
	for _, w := range []string{g.Cause, g.Flags} {
		if w != "" {
			why = append(why, w)
		}
	}
	if len(why) > 0 {
		text += " (" + strings.Join(why, ", ") + ")"
	}
	return text
}

// cellVerdict is what the checks say of a cell.
func cellVerdict(r *row) string {
	text := missing
	_, conclusive := r.cell.Conclusive()
	if !conclusive || len(r.trials) < len(r.cell.Trials) {
		text = "?"
	}
	for _, c := range r.run.Checks {
		switch {
		case c.Cell != r.cell.ID:
		case c.OK == nil:
			text = "?"
		case !*c.OK:
			return "FAIL"
		case text == missing:
			text = "ok"
		}
	}
	if text == "?" {
		r.notes.add("? means that a check could not be judged or that a trial proves nothing.")
	}
	return text
}
