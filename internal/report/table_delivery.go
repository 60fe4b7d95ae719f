package report

import (
	"maps"
	"slices"

	"wsrig/internal/result"
)

var deliveryColumns = []column{
	total("sent", "delivery.sent"),
	total("owed", "delivery.owed"),
	{Column{Header: "reach", Right: true}, reachText},
	total("lost", "delivery.lost"),
	total("unexplained", "delivery.lost_unexplained"),
	total("duplicate", "delivery.duplicate"),
	total("reordered", "delivery.reordered"),
	total("late", "delivery.late"),
	orNothing(total("misrouted", "delivery.misrouted")),
	figure("rate asked", "rate.asked"),
	figure("achieved", "rate.achieved"),
	{Column{Header: "loop"}, loopText},
	total("dropped", "rate.dropped"),
	{Column{Header: "verdict", Role: roleVerdict}, cellVerdict},
}

// reachText is the reach of the worst trial, so that a loss is never averaged away.
func reachText(r *row) string {
	values := r.values("delivery.reach")
	if len(values) == 0 {
		return missing
	}
	if len(values) > 1 {
		r.notes.add("Reach is that of the worst trial.")
	}
	return result.Format(slices.Min(values), "ratio")
}

var throughputColumns = []column{
	figure("messages", "rate.achieved"),
	figure("deliveries", "delivery.rate"),
	{Column{Header: "per node core", Right: true}, func(r *row) string {
		r.notes.add("Per node core: deliveries by each second of CPU that the nodes used while messages were published.")
		return r.median("delivery.per_node_core")
	}},
	total("incomplete", "delivery.incomplete"),
	figure("last receiver p50", "delivery.last_receiver.p50"),
	figure("p99", "delivery.last_receiver.p99"),
}

// closedLoop tells whether the messages of a row's cell waited for each other.
func closedLoop(r *row) bool {
	return slices.ContainsFunc(r.trials, func(t *result.Trial) bool { return t.ClosedLoop })
}

// loopText names a closed loop. Open is the rule and says nothing.
func loopText(r *row) string {
	if closedLoop(r) {
		return "closed"
	}
	return ""
}

// latencyMetrics are the rows of a cell in the latency table.
var latencyMetrics = map[string]string{
	"all":        "delivery.latency",
	"same node":  "delivery.latency_same_node",
	"cross-node": "delivery.latency_cross_node",
	"the last":   "delivery.last_receiver",
}

func latencyRows(c *result.Cell) []string {
	var keys []string
	for _, key := range []string{"all", "same node", "cross-node", "the last"} {
		if has(latencyMetrics[key] + ".p50")(c) {
			keys = append(keys, key)
		}
	}
	return keys
}

var latencyColumns = []column{
	{Column{Header: "deliveries", Right: true}, func(r *row) string {
		if r.key == "the last" {
			r.notes.add("The last is the latency of each message's last receiver, one figure a message. Messages that a receiver missed have none.")
		}
		if closedLoop(r) {
			r.notes.add("Closed loop: no message was sent while a publisher waited for the one before, so that a stall shows in one latency of each publisher and hides from the percentiles. These are not comparable with open loop.")
		}
		var n int64
		for _, t := range r.trials {
			n += t.Metrics[latencyMetrics[r.key]+".p50"].N
		}
		return result.Format(float64(n), "count")
	}},
	latencyFigure("p50"), latencyFigure("p90"), latencyFigure("p99"), latencyFigure("p99.9"), latencyFigure("max"),
	{Column{Header: "backplane tax", Right: true}, func(r *row) string {
		if r.key != "cross-node" {
			return ""
		}
		r.notes.add("Backplane tax is the median cross-node minus the median same-node latency.")
		return r.median("delivery.backplane_tax")
	}},
}

func latencyFigure(stat string) column {
	return column{Column{Header: stat, Right: true}, func(r *row) string {
		return r.median(latencyMetrics[r.key] + "." + stat)
	}}
}

// unexplained heads the losses outside the window of every mark.
const unexplained = "(unexplained)"

func hasLosses(c *result.Cell) bool { return len(lossMarks(c)) > 0 }

// lossMarks are the marks in whose windows a cell lost, doubled, mixed up or
// delayed a message; the unexplained come first.
func lossMarks(c *result.Cell) []string {
	marks := map[string]bool{}
	trials, _ := c.Conclusive()
	for _, t := range trials {
		for _, l := range t.Losses {
			if l.Lost != 0 || l.Duplicate != 0 || l.Reordered != 0 || l.Late != 0 || l.Misrouted != 0 {
				marks[markName(l)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(marks)) // "(" sorts before letters
}

func markName(l result.Loss) string {
	if l.Mark == "" {
		return unexplained
	}
	return l.Mark
}

var lossColumns = []column{
	lossCount("lost", func(l result.Loss) int64 { return l.Lost }),
	lossCount("duplicate", func(l result.Loss) int64 { return l.Duplicate }),
	lossCount("reordered", func(l result.Loss) int64 { return l.Reordered }),
	lossCount("late", func(l result.Loss) int64 { return l.Late }),
	orNothing(lossCount("misrouted", func(l result.Loss) int64 { return l.Misrouted })),
	lossCount("deliveries", func(l result.Loss) int64 { return l.Deliveries }),
}

// orNothing leaves the zeros of a column out, and with them a column of zeros.
func orNothing(c column) column {
	return column{c.Column, func(r *row) string {
		if text := c.text(r); text != "0" {
			return text
		}
		return ""
	}}
}

func lossCount(header string, count func(result.Loss) int64) column {
	return column{Column{Header: header, Right: true}, func(r *row) string {
		var n int64
		for _, t := range r.trials {
			for _, l := range t.Losses {
				if markName(l) == r.key {
					n += count(l)
				}
			}
		}
		if len(r.trials) > 1 {
			r.notes.add("Counts are totals over the trials.")
		}
		return result.Format(float64(n), "count")
	}}
}
