package report

import (
	"slices"

	"wsrig/internal/result"
)

// hopMetrics are the rows of a cell in the table of hops, in the order in which a
// message takes them.
var hopMetrics = []struct{ key, metric string }{
	{"client to node", "hop.client_to_node"},
	{"bus", "hop.bus"},
	{"node to client", "hop.node_to_client"},
	{"all", "delivery.latency"},
}

func hopRows(c *result.Cell) []string {
	var keys []string
	for _, h := range hopMetrics {
		if has(h.metric + ".p50")(c) {
			keys = append(keys, h.key)
		}
	}
	return keys
}

func hopMetric(key string) string {
	i := slices.IndexFunc(hopMetrics, func(h struct{ key, metric string }) bool { return h.key == key })
	return hopMetrics[i].metric
}

var hopColumns = []column{
	hopFigure("mean"), hopFigure("p50"), hopFigure("p90"), hopFigure("p99"), hopFigure("p99.9"), hopFigure("max"),
}

func hopFigure(stat string) column {
	return column{Column{Header: stat, Right: true}, func(r *row) string {
		r.notes.add("Client to node holds the schedule lag, and both outer hops hold the proxy. Every message takes the bus, same node or not, and waits there for earlier ones of its room. The means of the hops add up, percentiles do not.")
		return r.median(hopMetric(r.key) + "." + stat)
	}}
}
