package chatnode

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// refusal is a message that breaks a rule, and the close frame it is answered with.
type refusal struct {
	code   int
	cause  string
	detail string
}

// Error implements error.
func (r *refusal) Error() string { return r.cause + ": " + r.detail }

// close starts the closing handshake: a close frame after what is queued, or instead
// of it. Only the first call for a client does anything.
func (c *client) close(code int, cause, detail string, afterQueue bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(code, cause, detail, afterQueue)
}

func (c *client) closeLocked(code int, cause, detail string, afterQueue bool) {
	if c.end != nil {
		return
	}
	c.setEnd(wire.Closed{By: wire.ByNode, Kind: wire.KindCloseFrame, Code: code, Cause: cause, Detail: detail})
	if !afterQueue {
		c.queue = nil
	}
	if !c.writing {
		c.sendClose()
		c.flushLater()
	}
	c.limitEnd()
}

// limitEnd bounds how long the last bytes may take to leave, as a peer that takes one
// now and then must not live on; c.mu is held.
func (c *client) limitEnd() {
	if c.writing && c.sock != nil && c.overdue == nil {
		c.overdue = time.AfterFunc(c.node.cfg.WriteWait+c.node.cfg.CloseWait, c.sock.abort)
	}
}

// setEnd records the first move of the end; c.mu is held and c.end is nil.
func (c *client) setEnd(e wire.Closed) {
	e.Name, e.Room, e.At = c.name, c.room.name, wire.Now()
	if c.sock != nil {
		e.Remote = c.sock.RemoteAddr().String()
		e.AgeS = seconds(e.At - c.opened)
		e.ReadSilence = seconds(e.At - c.sock.lastRead.Load())
		e.WriteSilence = seconds(e.At - c.sock.lastWrite.Load())
	}
	c.end = &e
	c.closing.Store(true)
}

func seconds(ns int64) float64 { return time.Duration(max(ns, 0)).Seconds() }

// sendClose writes the node's close frame and limits the wait for the peer's; c.mu is
// held, and the caller may write.
func (c *client) sendClose() {
	c.closeSent = true
	// An error means that the peer is gone, or that gorilla has sent the frame.
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(c.end.Code, c.end.Detail), time.Time{})
	_ = c.sock.SetReadDeadline(time.Now().Add(c.node.cfg.CloseWait))
}

// readEnded is the end of the reading goroutine: it records the end if nobody has, and
// takes the client out of its room.
func (c *client) readEnded(err error) {
	c.node.retire(c)
	c.mu.Lock()
	if c.end == nil {
		c.conclude(err)
	}
	c.queue = nil
	c.readerDone = true
	if c.end.Kind != wire.KindCloseFrame {
		c.sock.Close() // nothing can be written any more; this frees a waiting writer
	}
	c.limitEnd()
	last := !c.writing
	c.mu.Unlock()
	if last {
		c.hangUp()
	}
}

// conclude finds out from a read error how the connection ended; c.mu is held.
func (c *client) conclude(err error) {
	var ref *refusal
	switch {
	case errors.As(err, &ref):
	case errors.Is(err, websocket.ErrReadLimit):
		ref = &refusal{websocket.CloseMessageTooBig, wire.CauseMessageTooBig, ""}
	case c.sock.readErr == nil:
		// The socket is fine, so it is what came through it.
		c.node.metrics.protocolErrors.Inc()
		ref = &refusal{websocket.CloseProtocolError, wire.CauseProtocolError, brief(err)}
	}
	if ref != nil {
		c.lingering = true
		c.closeLocked(ref.code, ref.cause, ref.detail, false)
		return
	}
	e := wire.Closed{By: wire.ByPeer, Cause: wire.CauseClosedByPeer}
	err = c.sock.readErr
	if broken := c.sock.brokenBy(); broken != nil && errors.Is(err, io.EOF) {
		err = broken // the kernel reports a failure once, and the write had it
	}
	switch {
	// EPIPE is a write after the peer's FIN.
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE):
		e.Kind = wire.KindFIN
	case errors.Is(err, syscall.ECONNRESET):
		e.Kind = wire.KindRST
	default:
		e.Kind, e.Detail = wire.KindError, err.Error()
	}
	c.setEnd(e)
}

// brief fits an error into the reason of a close frame, which is at most 123 bytes
// (RFC 6455 section 5.5).
func brief(err error) string {
	const most = 100
	s := err.Error()
	return s[:min(len(s), most)]
}

// hangUp closes the TCP connection and reports the end. Both goroutines are done.
func (c *client) hangUp() {
	if c.overdue != nil {
		c.overdue.Stop()
	}
	if c.lingering {
		c.sock.linger(c.node.cfg.CloseWait)
	}
	c.sock.Close()
	if c.sock.aborted.Load() {
		c.end.Kind, c.end.Code = wire.KindRST, 0 // a close frame that was meant did not leave
	}
	if c.end.Remote == "" {
		c.end.Remote = c.sock.RemoteAddr().String()
	}
	c.node.metrics.closes.WithLabelValues(c.end.By, c.end.Kind, c.end.Cause).Inc()
	c.node.log.LogAttrs(context.Background(), slog.LevelInfo, wire.ClosedMsg, c.end.Attrs()...)
	c.node.forget(c)
}
