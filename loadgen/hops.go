package loadgen

import (
	"wsrig/internal/result"
	"wsrig/internal/wire"
)

// Hops of a delivery, in order: they add up to its latency.
const (
	clientToNode = iota // intended time to the publisher's node having read the message
	throughBus          // from there to the receiver's node beginning to hand it out
	nodeToClient        // from there to its receipt
	hopCount
)

// hopMetrics are the hops' names in the table of metrics.
var hopMetrics = [hopCount]string{
	clientToNode: "hop.client_to_node", throughBus: "hop.bus", nodeToClient: "hop.node_to_client",
}

// hop records the parts of a delivery's latency, if its frame is stamped by nodes
// that share this process's clock. The stamps of a node on another host do not lie
// between the intended time and the receipt, but for a coincidence of two clocks
// within milliseconds.
func (r *recorder) hop(frame []byte, intended, at int64) {
	in, out, ok := wire.FindHops(frame)
	if !ok || in < intended || out < in || at < out {
		return
	}
	r.hops[clientToNode].record(in - intended)
	r.hops[throughBus].record(out - in)
	r.hops[nodeToClient].record(at - out)
}

// hopHistograms packs the hops by metric name.
func (r *recorder) hopHistograms() (map[string]result.Histogram, error) {
	hops := make(map[string]result.Histogram, hopCount)
	for i, name := range hopMetrics {
		var err error
		if hops[name], err = r.hops[i].encode(); err != nil {
			return nil, err
		}
	}
	return hops, nil
}

// hops merges the workers' hops.
func (s *Summary) hops() error {
	for _, name := range hopMetrics {
		d := NewDistribution()
		for _, w := range s.snapshots {
			if err := d.Merge(w.Hops[name]); err != nil {
				return err
			}
		}
		if err := s.record(name, d); err != nil {
			return err
		}
	}
	return nil
}
