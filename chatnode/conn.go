package chatnode

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// client is one connection. Two goroutines at most work for it: serve reads, and
// drainQueue writes while the socket cannot take everything at once. Whichever ends
// last hangs up.
type client struct {
	node   *Node
	id     uint64
	name   string
	room   *room
	seat   int // index in room.members; guarded by room.mu
	ws     *websocket.Conn
	sock   *socket
	opened int64 // wire.Now of the 101

	publishing atomic.Bool // it waits for the bus, so its silence is not its own
	closing    atomic.Bool // end is set

	mu         sync.Mutex
	queue      []*websocket.PreparedMessage
	writing    bool         // only the goroutine that set it may write messages
	end        *wire.Closed // nil while the connection is open
	closeSent  bool
	readerDone bool
	lingering  bool        // input is left that must be swallowed before the end
	overdue    *time.Timer // aborts a client that takes too long to take its last bytes

	pace pace // guarded by the pacer
}

// newClient returns a client that collects what is sent to it until open.
func newClient(n *Node, id uint64, name string) *client {
	return &client{node: n, id: id, name: name, writing: true}
}

// open gives a client its WebSocket, once the 101 is written.
func (c *client) open(ws *websocket.Conn, sock *socket) {
	ws.SetReadLimit(c.node.cfg.MessageLimit)
	ws.SetPingHandler(c.onPing)
	ws.SetPongHandler(c.onPong)
	ws.SetCloseHandler(c.onClose)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws, c.sock = ws, sock
	c.opened = wire.Now()
	c.writing = false
	if len(c.queue) > 0 || c.end != nil || sock.stalled() {
		c.startWriter()
	}
}

// serve reads until the connection ends. Between messages it waits on a small stack;
// see socket.waiter.
func (c *client) serve() {
	wait := c.sock.waiter()
	for {
		wait()
		if err := c.readMessage(); err != nil {
			c.readEnded(err)
			return
		}
	}
}

var readPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest read buffer that is kept for another message.
const maxPooled = 64 << 10

// readMessage takes one message and publishes it. The error is a *refusal when the
// message breaks a rule, and else what gorilla says.
func (c *client) readMessage() error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	if c.closing.Load() {
		_, err = io.Copy(io.Discard, r) // after the node's close frame nothing counts
		return err
	}
	if kind == websocket.BinaryMessage {
		return &refusal{websocket.CloseUnsupportedData, wire.CauseBinaryFrame, "only text is taken"}
	}
	buf := readPool.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= maxPooled {
			buf.Reset()
			readPool.Put(buf)
		}
	}()
	// gorilla's own limit counts compressed bytes.
	limit := c.node.cfg.MessageLimit
	if _, err := buf.ReadFrom(io.LimitReader(r, limit+1)); err != nil {
		return err
	}
	if int64(buf.Len()) > limit {
		return &refusal{websocket.CloseMessageTooBig, wire.CauseMessageTooBig, ""}
	}
	if !utf8.Valid(buf.Bytes()) {
		return &refusal{websocket.CloseInvalidFramePayloadData, wire.CauseNotUTF8, ""}
	}
	c.publish(buf.String())
	return nil
}

func (c *client) publish(body string) {
	c.node.metrics.messagesIn.Inc()
	e := wire.Envelope{Room: c.room.name, From: c.name, Node: c.node.cfg.Name, In: wire.Now(), Body: body}
	head := wire.AppendHead(make([]byte, 0, len(body)+len(c.room.name)+len(c.name)+headSize), e)
	c.publishing.Store(true)
	c.node.bus.publish(c.room.name, head)
	c.publishing.Store(false)
}

// headSize is room for what an envelope's head has beside room, from and body.
const headSize = 160

// onPing answers at once, unless earlier bytes still wait: an endpoint may leave out
// the pong to a ping that a later one follows (RFC 6455 section 5.5.3), and a client
// that does not read must not make the node collect pongs.
func (c *client) onPing(data string) error {
	c.node.metrics.pingsReceived.Inc()
	if c.sock.stalled() {
		return nil
	}
	return c.control(websocket.PongMessage, []byte(data))
}

func (c *client) onPong(string) error {
	c.node.metrics.pongsReceived.Inc()
	return nil
}

// onClose runs when the peer's close frame was read: as the answer to the node's, or
// as the first one, which is answered with its own code (RFC 6455 section 5.5.1).
func (c *client) onClose(code int, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end != nil {
		return nil
	}
	c.setEnd(wire.Closed{By: wire.ByPeer, Kind: wire.KindCloseFrame, Code: code, Cause: wire.CauseClosedByPeer, Detail: text})
	c.queue = nil
	c.closeSent = true
	// The peer may be gone already; it does not matter to an end it chose itself.
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Time{})
	c.flushLater()
	return nil
}

// control writes a control frame; it does not wait.
func (c *client) control(kind int, data []byte) error {
	err := c.ws.WriteControl(kind, data, time.Time{})
	if err == websocket.ErrCloseSent {
		return nil
	}
	if err == nil && c.sock.stalled() {
		c.mu.Lock()
		c.flushLater()
		c.mu.Unlock()
	}
	return err
}
