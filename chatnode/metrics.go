package chatnode

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are the counters of one node, in a registry of its own, so that several
// nodes fit in one process.
type metrics struct {
	registry *prometheus.Registry

	accepted, unserved       prometheus.Counter
	handshakes               *prometheus.CounterVec
	closes                   *prometheus.CounterVec
	messagesIn, deliveries   prometheus.Counter
	publishesFailed, foreign prometheus.Counter
	publishWaits             prometheus.Counter
	slowConsumers, drops     prometheus.Counter
	protocolErrors           prometheus.Counter
	pingsSent, pongsReceived prometheus.Counter
	pingsReceived            prometheus.Counter
}

func newMetrics(n *Node) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: "chatnode_" + name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "chatnode_" + name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	m.accepted = counter("tcp_connections_total", "TCP connections accepted.")
	m.unserved = counter("tcp_unserved_total", "TCP connections that ended without a whole HTTP request.")
	m.handshakes = vector("handshakes_total", "WebSocket handshakes by outcome.", "outcome")
	m.closes = vector("closes_total", "Ended connections by who moved first, how and why.", "by", "kind", "cause")
	m.messagesIn = counter("messages_in_total", "Messages taken from clients.")
	m.deliveries = counter("deliveries_total", "Messages handed to receivers.")
	m.publishesFailed = counter("publishes_failed_total", "Messages that the bus did not take.")
	m.publishWaits = counter("publish_queue_full_total", "Times that a client had to wait for space in the queue to the bus.")
	m.foreign = counter("bus_foreign_total", "Messages from the bus that no chat node has sent.")
	m.slowConsumers = counter("slow_consumers_total", "Clients closed because their send queue was full.")
	m.drops = counter("drops_total", "Messages dropped from full send queues.")
	m.protocolErrors = counter("protocol_errors_total", "Connections that broke RFC 6455 and were closed with 1002.")
	m.pingsSent = counter("pings_sent_total", "Pings sent to clients.")
	m.pingsReceived = counter("pings_received_total", "Pings received from clients.")
	m.pongsReceived = counter("pongs_received_total", "Pongs received from clients.")
	m.gauges(n)
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// gauges registers what is read from the node when it is asked for.
func (m *metrics) gauges(n *Node) {
	for _, g := range []struct {
		name, help string
		value      func() float64
	}{
		{"connections_open", "Clients connected.", func() float64 { return float64(n.openCount()) }},
		{"rooms", "Rooms with members on this node.", func() float64 { return float64(n.rooms.count()) }},
		{"bus_up", "1 while messages flow between the nodes.", func() float64 { return oneIf(n.bus.ready() == nil) }},
		{"draining", "1 while the node drains.", func() float64 { return oneIf(n.isDraining()) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "chatnode_" + g.name, Help: g.help}, g.value))
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
