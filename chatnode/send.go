package chatnode

import (
	"errors"
	"os"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// send hands one message to the client without waiting. It reports whether the
// message was written or queued. The fast path writes here, in the delivering
// goroutine: no other goroutine wakes up for a client that keeps up.
func (c *client) send(pm *websocket.PreparedMessage) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return false
	}
	if !c.writing {
		if c.ws.WritePreparedMessage(pm) != nil {
			return false // the reading goroutine sees the same end, and reports it
		}
		c.flushLater()
		return true
	}
	if len(c.queue) < c.node.cfg.SendQueue {
		c.queue = append(c.queue, pm)
		return true
	}
	if c.node.cfg.SlowConsumer == SlowDropOldest {
		c.node.metrics.drops.Inc()
		c.queue = append(c.queue[1:], pm)
		return true
	}
	c.node.metrics.slowConsumers.Inc()
	c.closeLocked(websocket.ClosePolicyViolation, wire.CauseSlowConsumer, "send queue is full", false)
	return false
}

// sendFirst hands a message to a client that is not open yet, before all that it has
// collected.
func (c *client) sendFirst(pm *websocket.PreparedMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append([]*websocket.PreparedMessage{pm}, c.queue...)
}

// flushLater starts the writer if the socket could not take everything; c.mu is held.
func (c *client) flushLater() {
	if !c.writing && c.sock.stalled() {
		c.startWriter()
	}
}

// startWriter starts drainQueue; c.mu is held and c.writing is false.
func (c *client) startWriter() {
	c.writing = true
	go c.drainQueue()
}

// drainQueue writes what waits, waiting for the peer, and ends when nothing is left.
func (c *client) drainQueue() {
	for {
		err := c.sock.flush(c.node.cfg.WriteWait)
		c.mu.Lock()
		if err != nil {
			c.writeFailed(err)
			break
		}
		if len(c.queue) > 0 {
			pm := c.queue[0]
			if c.queue = c.queue[1:]; len(c.queue) == 0 {
				c.queue = nil // an idle client keeps no array
			}
			c.mu.Unlock()
			// An error shows in flush, or a close frame went out before.
			_ = c.ws.WritePreparedMessage(pm)
			continue
		}
		if c.end != nil && c.end.By == wire.ByNode && !c.closeSent {
			c.sendClose()
			c.mu.Unlock()
			continue
		}
		if !c.sock.stalled() {
			break
		}
		c.mu.Unlock()
	}
	c.writing = false
	last := c.readerDone
	c.mu.Unlock()
	if last {
		c.hangUp()
	}
}

// writeFailed ends a connection that cannot be written to; c.mu is held. A dead peer
// is left to the reading goroutine, which sees how it ended.
func (c *client) writeFailed(err error) {
	c.queue = nil
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	if c.end == nil {
		c.setEnd(wire.Closed{By: wire.ByNode, Kind: wire.KindRST, Cause: wire.CauseWriteTimeout})
	}
	c.sock.abort()
}
