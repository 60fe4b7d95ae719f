package result

import (
	"fmt"
	"slices"
	"strings"
)

// Def is a row of the metric table.
type Def struct {
	Name   string
	Unit   string // s, count, ratio, bytes, /s, cores, B/conn
	Better string // lower, higher, neither
	Dist   bool   // a distribution: shown as NAME.p50, NAME.max, ...
	Doc    string
}

// Stats are the suffixes of a distribution's figures. A percentile stands only on
// enough samples: see MinSamples.
var Stats = []string{"min", "p50", "p90", "p99", "p99.9", "max", "mean"}

// Metrics is the one table of what a run can measure. To add a metric, add a row
// here and record it where it happens.
var Metrics = []Def{
	{"handshake.connect", "s", "lower", true, "TCP connect of a client, from its intended time"},
	{"handshake.upgrade", "s", "lower", true, "HTTP request to the 101, after the TCP connect"},
	{"handshake.ok", "count", "higher", false, "handshakes answered 101"},
	{"handshake.failed", "count", "lower", false, "handshakes with any other end"},
	{"handshake.rate", "/s", "higher", false, "handshakes answered 101 over the time from the first one due to the last 101, of all connect steps and workers together"},

	{"connections.open", "count", "neither", false, "clients connected after the connect step, as the clients count them"},
	{"connections.open_node", "count", "neither", false, "the same, as the nodes count them"},
	{"connections.open_proxy", "count", "neither", false, "the same, as the proxy counts them"},

	{"balance.max_over_mean", "ratio", "lower", false, "fullest node's clients over its share by weight, which is the mean of all nodes for equal weights"},
	{"balance.min_over_mean", "ratio", "higher", false, "emptiest node's clients over its share by weight"},
	{"balance.cv", "ratio", "lower", false, "coefficient of variation of the nodes' clients over their shares by weight; 0 is level"},
	{"balance.jain", "ratio", "higher", false, "Jain's fairness index of the same: 1 is level, 1/nodes is all on one of equal nodes"},
	{"balance.moved", "ratio", "lower", false, "of the new clients whose source address had connected before, the share that is on another node than the last time; for hashing of addresses only"},
	{"balance.deviation", "count", "lower", false, "largest difference, over the nodes, of the new clients and those expected of the proxy's algorithm"},
	{"balance.p", "ratio", "higher", false, "chance that an algorithm that draws or hashes spreads the new clients as unevenly as this, or more; for the whole trial the smallest"},
	{"balance.fair", "ratio", "higher", false, "1 if the new clients went where the proxy's algorithm and weights say, else 0: see the null hypotheses in the balance table"},

	{"declared.idle_timeout", "s", "neither", false, "what the proxy's configuration grants an idle tunnel; absent when nothing limits it"},
	{"declared.closed_after", "s", "neither", false, "when, by the configuration and the keepalive, a client should be closed; absent when it should survive the watch"},
	{"declared.survived", "ratio", "neither", false, "share of clients that should survive the watch: 0 or 1"},
	{"idle.closed_after", "s", "neither", true, "101 to the end of the connection, for clients closed while they idled"},
	{"idle.silence", "s", "neither", true, "last byte in either direction to the end of the connection"},
	{"idle.survived", "ratio", "neither", false, "share of the clients open at the start of the idling that were open at its end"},
	{"idle.clients", "count", "neither", false, "clients open when the idling began"},

	{"delivery.latency", "s", "lower", true, "intended publish time to receipt, per receiver"},
	{"delivery.latency_same_node", "s", "lower", true, "the same, publisher and receiver on one node"},
	{"delivery.latency_cross_node", "s", "lower", true, "the same, publisher and receiver on two nodes"},
	{"delivery.backplane_tax", "s", "lower", false, "median cross-node minus median same-node delivery latency"},
	{"delivery.last_receiver", "s", "lower", true, "intended publish time to receipt by the last of a message's receivers, per message that all owed it got"},
	{"delivery.incomplete", "count", "lower", false, "messages that a receiver owed them did not get; they have no last receiver"},
	{"delivery.reach", "ratio", "higher", false, "deliveries made over deliveries owed"},
	{"delivery.sent", "count", "neither", false, "messages published"},
	{"delivery.owed", "count", "neither", false, "deliveries owed: each message to each member connected when it was sent"},
	{"delivery.received", "count", "neither", false, "deliveries made in time or late"},
	{"delivery.lost", "count", "lower", false, "owed and not delivered"},
	{"delivery.lost_unexplained", "count", "lower", false, "lost outside the window of every mark"},
	{"delivery.duplicate", "count", "lower", false, "delivered again"},
	{"delivery.reordered", "count", "lower", false, "delivered out of the publisher's order"},
	{"delivery.late", "count", "lower", false, "delivered after the grace window"},
	{"delivery.misrouted", "count", "lower", false, "delivered to a client of another room than the publisher's; in no other figure"},
	{"delivery.rate", "/s", "higher", false, "deliveries made over the length of the publish steps, or up to the last send where that came later"},
	{"delivery.per_node_core", "/s", "higher", false, "deliveries made while publishing, by each second of CPU that the nodes used for it"},

	{"hop.client_to_node", "s", "lower", true, "part of the delivery latency: intended publish time to the publisher's node having read the message"},
	{"hop.bus", "s", "lower", true, "part of the delivery latency: from there, through the bus and behind the room's earlier messages, to the receiver's node beginning to hand it out"},
	{"hop.node_to_client", "s", "lower", true, "part of the delivery latency: from there to receipt"},

	{"rate.asked", "/s", "neither", false, "arrival rate asked for; absent for a closed loop without a ceiling"},
	{"rate.achieved", "/s", "neither", false, "arrivals sent over the length of the steps, or up to the last send where that came later"},
	{"rate.dropped", "count", "lower", false, "arrivals the generator never sent"},
	{"schedule.lag", "s", "lower", true, "actual minus intended time of the generator's own actions"},

	{"capacity.rate", "/s", "higher", false, "highest arrival rate at which a probe of the search kept the objective: p99 of the delivery latency within its bound, every delivery made, no arrival dropped"},
	{"capacity.p99_at", "s", "neither", false, "p99 of the delivery latency in that probe"},
	{"capacity.generator_cpu", "ratio", "neither", false, "share of the cores it may use that the busiest load worker used in that probe"},
	{"capacity.probes", "count", "neither", false, "probes of the search, repetitions included"},

	{"reload.old_processes", "count", "lower", false, "proxy processes of earlier configurations still alive at the end"},

	{"usage.cpu_proxy", "cores", "lower", false, "CPU of the proxy, mean over the trial"},
	{"usage.cpu_nodes", "cores", "lower", false, "CPU of all nodes, mean over the trial"},
	{"usage.cpu_worker", "cores", "neither", false, "CPU of the load workers, mean over the trial"},
	{"usage.rss_proxy", "bytes", "lower", false, "largest resident memory of the proxy"},
	{"usage.rss_nodes", "bytes", "lower", false, "largest resident memory of all nodes together"},
	{"usage.rss_worker", "bytes", "neither", false, "largest resident memory of the load workers"},
	{"usage.rss_per_connection_proxy", "bytes", "lower", false, "resident memory of the proxy while the clients idled, less that before they came, by each of them; from 1,000 clients on"},
	{"usage.rss_per_connection_nodes", "bytes", "lower", false, "the same of all nodes together"},
	{"usage.rss_per_connection_worker", "bytes", "lower", false, "the same of the load workers"},
}

// Lookup finds the row of a metric name such as "delivery.lost" or, for a
// distribution, "delivery.latency.p99". A metric of a phase has the row of the whole
// trial's; see Phases.
func Lookup(name string) (Def, error) {
	whole, phased := withoutPhase(name)
	for _, d := range Metrics {
		if !d.Dist {
			if d.Name == name || phased && d.Name == whole {
				d.Name = name
				return d, nil
			}
			continue
		}
		if stat, ok := strings.CutPrefix(name, d.Name+"."); ok && slices.Contains(Stats, stat) {
			return d, nil
		}
		if d.Name == name {
			return d, fmt.Errorf("%s is a distribution: say which figure, as in %s.p50 (one of %s)", name, name, strings.Join(Stats, ", "))
		}
	}
	return Def{}, fmt.Errorf("unknown metric %q%s", name, DidYouMean(name, MetricNames()))
}

// MetricNames lists every name that Lookup accepts, in table order.
func MetricNames() []string {
	var names []string
	for _, d := range Metrics {
		if !d.Dist {
			names = append(names, d.Name)
			if name, phased := strings.CutPrefix(d.Name, balanceFamily); phased {
				for _, phase := range Phases {
					names = append(names, BalanceMetric(phase, name))
				}
			}
			continue
		}
		for _, s := range Stats {
			names = append(names, d.Name+"."+s)
		}
	}
	return names
}

// Set records a figure under a name of the table. It panics on a name that is not
// in the table, which is a mistake in this program.
func Set(m map[string]Metric, name string, value float64, n int64) {
	d, err := Lookup(name)
	if err != nil {
		panic("result: " + err.Error())
	}
	m[name] = Metric{Value: value, Unit: d.Unit, Better: d.Better, N: n}
}
