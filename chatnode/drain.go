package chatnode

import (
	"cmp"
	"slices"
	"time"

	"wsrig/internal/wire"
)

// drain refuses new clients and says goodbye to the present ones, the oldest first,
// spread evenly over the drain window, so that they do not all come back elsewhere at
// once. It returns when all are gone, or when the last has had its time to answer.
func (n *Node) drain() {
	n.mu.Lock()
	n.draining = true
	n.mu.Unlock()
	all := n.open()
	slices.SortFunc(all, func(a, b *client) int { return cmp.Compare(a.id, b.id) })
	n.log.Info("draining", "clients", len(all), "window", n.cfg.DrainWindow.String(), "code", n.cfg.DrainCode)

	gone := make(chan struct{})
	go func() {
		n.gone.Wait()
		close(gone)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	start := time.Now()
	for i, c := range all {
		due := start.Add(n.cfg.DrainWindow * time.Duration(i) / time.Duration(len(all)))
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-gone: // all have left by themselves
				return
			}
		}
		n.sayGoodbye(c)
	}
	timer.Reset(n.cfg.CloseWait + goodbyeGrace)
	select {
	case <-gone:
	case <-timer.C:
	}
}

// goodbyeGrace is what clients get beyond CloseWait at the end of a drain, so that
// those who do not answer end in their own goroutine and not by an abort.
const goodbyeGrace = 500 * time.Millisecond

// sayGoodbye sends c the close frame of a drain, after what is queued for it.
func (n *Node) sayGoodbye(c *client) {
	c.close(n.cfg.DrainCode, wire.CauseDrain, "node is draining", true)
}

// abortAll resets whatever is left after a drain.
func (n *Node) abortAll() {
	for _, c := range n.open() {
		c.sock.abort()
	}
}
