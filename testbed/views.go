package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// viewTimeout is how long the nodes, or the proxy, may take to answer. A frozen one
// never would.
const viewTimeout = 5 * time.Second

func viewContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, viewTimeout, fmt.Errorf("no answer within %s; is it frozen?", viewTimeout))
}

// NodeConnections asks every node how many connections it holds, within 5 s. A node
// that a fault has ended holds none. Of nodes of another make, which do not tell, there
// is none in the map.
func (tb *Testbed) NodeConnections(ctx context.Context) (map[string]int, error) {
	if len(tb.Spec.NodeCmd) > 0 {
		return map[string]int{}, nil
	}
	ctx, cancel := viewContext(ctx)
	defer cancel()
	counts := make(map[string]int, len(tb.Nodes))
	for _, n := range tb.Nodes {
		u := n.Unit()
		if e := n.Exit(); e != nil && e.Asked {
			counts[u.Name] = 0
			continue
		}
		body, err := httpGet(ctx, "http://"+u.Ports["http"].Host+"/connections?summary=1")
		if err != nil {
			return nil, fmt.Errorf("%s: count connections: %w", u.Name, err)
		}
		var page struct {
			Open int `json:"open"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, fmt.Errorf("%s: count connections: %w", u.Name, err)
		}
		counts[u.Name] = page.Open
	}
	return counts, nil
}

// ProxyStats reads the proxy's own counters, within 5 s; ok is false for direct.
func (tb *Testbed) ProxyStats(ctx context.Context) (stats ProxyStats, ok bool, err error) {
	if tb.Proxy == nil {
		return ProxyStats{}, false, nil
	}
	ctx, cancel := viewContext(ctx)
	defer cancel()
	for _, p := range tb.Proxies {
		one, err := tb.Spec.Proxy.Stats(ctx, p)
		if err != nil {
			return ProxyStats{}, false, fmt.Errorf("%s: read statistics: %w", p.Unit().Name, err)
		}
		stats.add(one)
	}
	return stats, true, nil
}

// add counts another unit of the same proxy in.
func (s *ProxyStats) add(o ProxyStats) {
	s.Open += o.Open
	s.Processes += o.Processes
	s.Old += o.Old
	for node, n := range o.ByNode {
		if s.ByNode == nil {
			s.ByNode = map[string]int{}
		}
		s.ByNode[node] += n
	}
}
