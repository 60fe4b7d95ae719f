package scenario

import (
	"context"
	"time"
)

// nodeCPU is the CPU that each node has used so far, by the channel that its life ends
// with: a node that was started again is another one. A node that does not tell, as
// after a kill, is left out.
func (t *trial) nodeCPU(ctx context.Context) map[<-chan struct{}]time.Duration {
	used := make(map[<-chan struct{}]time.Duration, len(t.tb.Nodes))
	for _, n := range t.tb.Nodes {
		if u, err := n.Usage(ctx); err == nil && u.Procs > 0 {
			used[n.Done()] = u.CPU
		}
	}
	return used
}

// cpuSpent adds up what the nodes used in the publish steps.
type cpuSpent struct {
	sum     time.Duration
	unknown bool
}

// add adds one step, by the nodes' CPU before and after it. A node that ended in it
// took the rest of what it used with it, so that the whole is not known. One that
// began in it counts from nothing.
func (c *cpuSpent) add(before, after map[<-chan struct{}]time.Duration) {
	for life, from := range before {
		if to, alive := after[life]; !alive || to < from {
			c.unknown = true
		}
		c.sum -= from
	}
	for _, to := range after {
		c.sum += to
	}
}

// measureNodeCores tells how many deliveries a second of CPU of the nodes made.
func (t *trial) measureNodeCores() {
	received, ok := t.result.Metrics["delivery.received"]
	if ok && received.Value > 0 && t.publishCPU.sum > 0 && !t.publishCPU.unknown {
		t.set("delivery.per_node_core", received.Value/t.publishCPU.sum.Seconds(), int64(received.Value))
	}
}
