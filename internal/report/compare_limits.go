package report

import (
	"strings"

	"wsrig/internal/result"
)

// changeLimits is the one table of what gates a comparison: a change of a figure in it
// counts when it is significant, at least relative of base's median, and at least
// absolute in the metric's unit. A figure that is not in it is shown, not judged: each
// one more makes all others harder to call.
//
// The relative limits are what an operator would act on. The absolute ones keep a
// change that nobody notices from counting, although it is many percent of next to
// nothing; they are above the resolution of what is measured: 10 ms of CPU time, a
// page cache of a few hundred KiB, the scheduler's tenth of a millisecond.
var changeLimits = []struct {
	metric string
	limit  ChangeLimit
	// better is the direction in a comparison, where the metric table has neither: how
	// long idle clients live is no virtue by itself, but less than before is a loss.
	better string
}{
	{"handshake.connect.p50", ChangeLimit{0.25, 0.0005}, ""},
	{"handshake.upgrade.p50", ChangeLimit{0.25, 0.0005}, ""},
	{"handshake.failed", ChangeLimit{0.20, 1}, ""},
	{"balance.max_over_mean", ChangeLimit{0.05, 0.05}, ""},
	{"balance.moved", ChangeLimit{0.05, 0.05}, ""},
	{"idle.closed_after.p50", ChangeLimit{0.05, 0.3}, "higher"},
	{"idle.survived", ChangeLimit{0.05, 0.01}, "higher"},
	{"delivery.latency.p50", ChangeLimit{0.10, 0.0002}, ""},
	{"delivery.latency.p99", ChangeLimit{0.25, 0.002}, ""},
	{"delivery.latency_cross_node.p50", ChangeLimit{0.10, 0.0002}, ""},
	{"delivery.lost", ChangeLimit{0.20, 1}, ""},
	{"delivery.lost_unexplained", ChangeLimit{0.20, 1}, ""},
	{"delivery.duplicate", ChangeLimit{0.20, 1}, ""},
	{"delivery.reordered", ChangeLimit{0.20, 1}, ""},
	{"delivery.late", ChangeLimit{0.20, 10}, ""},
	{"delivery.rate", ChangeLimit{0.05, 1}, ""},
	{"delivery.per_node_core", ChangeLimit{0.15, 1}, ""},
	{"capacity.rate", ChangeLimit{0.10, 1}, ""},
	{"reload.old_processes", ChangeLimit{0.20, 1}, ""},
	{"usage.cpu_proxy", ChangeLimit{0.20, 0.02}, ""},
	{"usage.cpu_nodes", ChangeLimit{0.20, 0.02}, ""},
	{"usage.rss_proxy", ChangeLimit{0.15, 4 << 20}, ""},
	{"usage.rss_nodes", ChangeLimit{0.15, 8 << 20}, ""},
}

// mustBeZero are the counts of which one is already too many. Where a side has none in
// any trial they are compared as facts; where both have some, as a scenario that kills
// a node brings about, they are figures like others.
var mustBeZero = []string{
	"handshake.failed", "delivery.lost", "delivery.lost_unexplained", "delivery.duplicate", "delivery.reordered",
}

// limitOf is the row of a metric; ok is false for one that does not gate. A metric of a
// phase has that of the whole trial.
func limitOf(metric string) (limit ChangeLimit, better string, ok bool) {
	whole := metric
	if parts := strings.Split(metric, "."); len(parts) == 3 && parts[0] == "balance" {
		whole = parts[0] + "." + parts[2]
	}
	for _, row := range changeLimits {
		if row.metric == whole {
			return row.limit, row.better, true
		}
	}
	return ChangeLimit{}, "", false
}

// comparedNames are the metrics of either side in the order of the metric table.
func comparedNames(trials ...[]*result.Trial) []string {
	have := map[string]bool{}
	for _, side := range trials {
		for _, t := range side {
			for name := range t.Metrics {
				have[name] = true
			}
		}
	}
	var names []string
	for _, name := range result.MetricNames() {
		if have[name] {
			names = append(names, name)
		}
	}
	return names
}
