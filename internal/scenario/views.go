package scenario

import (
	"context"
	"fmt"
	"time"

	"wsrig/internal/result"
)

// viewsAgreeWithin is how long the three counts may take to settle: a node counts a
// client a moment after the client has its 101.
const viewsAgreeWithin = 2 * time.Second

// compareViews counts the open connections as the clients, the nodes and the proxy
// see them, until they agree. A disagreement that stays is a failed check.
func (t *trial) compareViews(ctx context.Context, step string) error {
	if t.tb.Offline() {
		return nil // who is disconnected cannot be asked
	}
	deadline := time.Now().Add(viewsAgreeWithin)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := t.view(ctx, step)
		if err != nil {
			return err
		}
		disagreement := disagree(v)
		if disagreement == "" || time.Now().After(deadline) {
			t.views = append(t.views, v)
			if disagreement != "" {
				t.failed = append(t.failed, disagreement)
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// view counts once. The clients' count is read before and after the others, so that
// a count that moves in between is not taken for a disagreement.
func (t *trial) view(ctx context.Context, step string) (result.View, error) {
	for ctx.Err() == nil {
		before, err := t.openClients(ctx)
		if err != nil {
			return result.View{}, err
		}
		v := result.View{At: step, Step: t.step, Client: before}
		if v.Node, err = t.tb.NodeConnections(ctx); err != nil {
			return v, err
		}
		stats, ok, err := t.tb.ProxyStats(ctx)
		if err != nil {
			return v, err
		}
		if ok {
			v.Proxy = &stats.Open
		}
		after, err := t.openClients(ctx)
		if err != nil {
			return v, err
		}
		if after == before {
			return v, nil
		}
	}
	return result.View{}, context.Cause(ctx)
}

// openClients asks the workers how many of their clients are connected.
func (t *trial) openClients(ctx context.Context) (int, error) {
	open, err := t.openByWorker(ctx)
	n := 0
	for _, of := range open {
		n += of
	}
	return n, err
}

// disagree says in what the views differ; "" if they do not. Nodes that do not tell
// have no view to differ.
func disagree(v result.View) string {
	nodes, tell := v.Nodes()
	switch {
	case tell && nodes != v.Client:
		return fmt.Sprintf("views disagree after %s: the clients count %d open connections, the nodes %d", v.At, v.Client, nodes)
	case v.Proxy != nil && *v.Proxy != v.Client:
		return fmt.Sprintf("views disagree after %s: the clients count %d open connections, the proxy %d", v.At, v.Client, *v.Proxy)
	}
	return ""
}
