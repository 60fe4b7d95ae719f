package testbed

import (
	"context"
	"encoding/json"
	"fmt"
)

// NodeConnections asks every node how many connections it holds.
func (tb *Testbed) NodeConnections(ctx context.Context) (map[string]int, error) {
	counts := make(map[string]int, len(tb.Nodes))
	for _, n := range tb.Nodes {
		u := n.Unit()
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

// ProxyStats reads the proxy's own counters; ok is false for direct.
func (tb *Testbed) ProxyStats(ctx context.Context) (stats ProxyStats, ok bool, err error) {
	if tb.Proxy == nil {
		return ProxyStats{}, false, nil
	}
	stats, err = tb.Spec.Proxy.Stats(ctx, tb.Proxy)
	if err != nil {
		return ProxyStats{}, false, fmt.Errorf("proxy: read statistics: %w", err)
	}
	return stats, true, nil
}
