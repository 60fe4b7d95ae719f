package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wsrig/internal/result"
)

var handshakeColumns = []column{
	total("ok", "handshake.ok"),
	total("failed", "handshake.failed"),
	{Column{Header: "failed how", Wrap: true}, failureText},
	{Column{Header: "example", Wrap: true}, failureExamples},
	figure("rate", "handshake.rate"),
	figure("connect p50", "handshake.connect.p50"),
	figure("connect p99", "handshake.connect.p99"),
	figure("upgrade p50", "handshake.upgrade.p50"),
	figure("upgrade p99", "handshake.upgrade.p99"),
}

func hasHandshakes(c *result.Cell) bool {
	return has("handshake.ok")(c) || has("handshake.failed")(c)
}

// failures are the outcomes of handshakes other than a 101, over all trials, the most
// frequent first.
func failures(r *row) (outcomes []string, counts map[string]int) {
	counts = map[string]int{}
	for _, t := range r.trials {
		for outcome, n := range t.Handshakes {
			if outcome != "101" && n > 0 {
				counts[outcome] += n
			}
		}
	}
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	}), counts
}

// failureText lists the outcomes of handshakes that failed.
func failureText(r *row) string {
	outcomes, counts := failures(r)
	if len(outcomes) == 0 {
		return missing
	}
	for i, o := range outcomes {
		outcomes[i] = fmt.Sprintf("%d %s", counts[o], o)
	}
	return strings.Join(outcomes, "; ")
}

// failureExamples is an error of each outcome of a handshake that failed.
func failureExamples(r *row) string {
	var examples []string
	outcomes, _ := failures(r)
	for _, outcome := range outcomes {
		for _, t := range r.trials {
			if text := t.HandshakeErrors[outcome]; text != "" {
				examples = append(examples, outcome+": "+text)
				break
			}
		}
	}
	return strings.Join(examples, "; ")
}

var usageColumns = []column{
	cores("CPU proxy", "usage.cpu_proxy"),
	cores("CPU nodes", "usage.cpu_nodes"),
	cores("CPU workers", "usage.cpu_worker"),
	figure("memory proxy", "usage.rss_proxy"),
	figure("memory nodes", "usage.rss_nodes"),
	figure("memory workers", "usage.rss_worker"),
	figure("schedule lag p99", "schedule.lag.p99"),
}

// connectionMemoryColumns are from 1,000 idle clients on.
var connectionMemoryColumns = []column{
	figure("proxy", "usage.rss_per_connection_proxy"),
	figure("nodes", "usage.rss_per_connection_nodes"),
	figure("workers", "usage.rss_per_connection_worker"),
}

// cores is a column of CPU use to a thousandth of a core: sampling tells no more.
func cores(header, metric string) column {
	return column{Column{Header: header, Right: true}, func(r *row) string {
		m, ok := r.cell.Metrics[metric]
		if !ok {
			return r.median(metric)
		}
		return result.Format(math.Round(m.Value*1000)/1000, m.Unit)
	}}
}

func hasUsage(c *result.Cell) bool {
	return has("usage.cpu_nodes")(c) || has("usage.cpu_proxy")(c) || has("usage.cpu_worker")(c)
}

func viewsDisagree(c *result.Cell) bool { return len(disagreements(c)) > 0 }

// disagreements name the views of a cell in which clients, nodes and proxy do not
// count the same.
func disagreements(c *result.Cell) []string {
	var keys []string
	for i := range c.Trials {
		t := &c.Trials[i]
		for _, v := range t.Views {
			if nodes, tell := v.Nodes(); tell && nodes != v.Client || v.Proxy != nil && *v.Proxy != v.Client {
				keys = append(keys, viewKey(t, v))
			}
		}
	}
	return keys
}

func viewKey(t *result.Trial, v result.View) string {
	return fmt.Sprintf("%d, step %d (%s)", t.Index, v.Step+1, v.At)
}

var viewColumns = []column{
	viewColumn("clients count", func(v result.View) string { return fmt.Sprint(v.Client) }),
	viewColumn("nodes count", func(v result.View) string {
		nodes, tell := v.Nodes()
		if !tell {
			return missing
		}
		var each []string
		for _, name := range slices.Sorted(maps.Keys(v.Node)) {
			each = append(each, fmt.Sprintf("%s %d", name, v.Node[name]))
		}
		return fmt.Sprintf("%d (%s)", nodes, strings.Join(each, ", "))
	}),
	viewColumn("proxy counts", func(v result.View) string {
		if v.Proxy == nil {
			return missing
		}
		return fmt.Sprint(*v.Proxy)
	}),
}

// viewColumn looks among all trials: a view that disagrees matters in an
// inconclusive trial too.
func viewColumn(header string, text func(result.View) string) column {
	return column{Column{Header: header, Right: true}, func(r *row) string {
		for i := range r.cell.Trials {
			t := &r.cell.Trials[i]
			for _, v := range t.Views {
				if viewKey(t, v) == r.key {
					return text(v)
				}
			}
		}
		return missing
	}}
}
