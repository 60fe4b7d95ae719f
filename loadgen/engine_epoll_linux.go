package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wsrig/internal/wire"
)

// epollEngine serves plain ws:// connections on a few threads of its own, each with
// one epoll instance and one read buffer for all of its connections. An idle client
// has no goroutine and no buffer.
type epollEngine struct {
	conns sync.WaitGroup
	names nameCache

	mu      sync.Mutex
	loops   []*epollLoop // while there may be connections
	next    int
	release func() // the loops' processors
}

// NewEpoll returns the engine on epoll(7), which speaks ws:// only. Its threads
// start with the first Dial and end with Wait.
func NewEpoll() Engine { return &epollEngine{} }

func (e *epollEngine) Name() string { return "epoll" }

// loopThreads is how many threads serve connections: on one the work of a client and
// of its answer never meet, and more than two gain nothing for one generator.
func loopThreads() int { return min(2, usableCores()) }

// loop returns the loop for the next connection, and counts the connection.
func (e *epollEngine) loop() (*epollLoop, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.loops) == 0 {
		if err := e.start(loopThreads()); err != nil {
			return nil, fmt.Errorf("epoll engine: %w", err)
		}
	}
	e.conns.Add(1)
	e.next++
	return e.loops[e.next%len(e.loops)], nil
}

// start starts n loops, or none; e.mu is held.
func (e *epollEngine) start(n int) error {
	loops := make([]*epollLoop, 0, n)
	for range n {
		l, err := newEpollLoop(e)
		if err != nil {
			for _, l := range loops {
				l.closeFDs()
			}
			return err
		}
		loops = append(loops, l)
	}
	e.loops, e.release = loops, holdProcessors(n)
	for _, l := range loops {
		go l.run()
	}
	return nil
}

// Wait implements Engine.
func (e *epollEngine) Wait() {
	e.conns.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.loops {
		l.post(func() { l.stopped = true })
		<-l.done
	}
	if e.loops = nil; e.release != nil {
		e.release()
		e.release = nil
	}
}

// Dial implements Engine.
func (e *epollEngine) Dial(ctx context.Context, d Dial, h Handler) error {
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "ws" {
		return &HandshakeError{outcomeOther, fmt.Errorf("the epoll engine speaks ws:// only, not %s", d.URL)}
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	addr, err := e.names.resolve(ctx, u)
	if err != nil {
		return &HandshakeError{failureOutcome(err), err}
	}
	loop, err := e.loop()
	if err != nil {
		return &HandshakeError{failureOutcome(err), err}
	}
	c := &epollConn{loop: loop, handler: h, fd: -1, noPong: d.NoPong}
	hs := &epollHandshake{dial: &d, key: newKey(), done: make(chan error, 1), start: wire.Now()}
	hs.request = appendRequest(nil, u, &d, hs.key)
	c.handshake = hs
	if err := c.connect(addr, d.Source); err != nil {
		e.conns.Done()
		return &HandshakeError{failureOutcome(err), err}
	}
	c.loop.post(func() { c.loop.add(c) })
	select {
	case err = <-hs.done:
	case <-ctx.Done():
		c.loop.post(func() { c.fail(context.Cause(ctx)) })
		err = <-hs.done // it may have succeeded meanwhile
	}
	return err
}

// epollConn is one connection. Its fields belong to its loop's thread, but those
// below mu.
type epollConn struct {
	loop      *epollLoop
	handler   Handler
	handshake *epollHandshake // nil once open
	assembler assembler
	partial   []byte // a frame of which the rest has not come
	deadline  int64  // wire time by which the peer must have closed; 0 without Close
	noPong    bool
	gone      bool

	mu     sync.Mutex
	fd     int    // -1 once closed
	out    []byte // what the kernel has not taken yet
	since  int64  // wire time since which it has taken nothing
	asked  bool   // this side began the end
	closed bool   // a Close frame was sent: nothing may follow it
	broken error  // why nothing can be sent any more
}

// maxUnsent bounds what waits for a connection that takes nothing, in bytes.
const maxUnsent = 4 << 20

var (
	errConnClosed = errors.New("the connection is closed")
	errNotTaken   = errors.New("the peer takes no bytes")
)

// outBuffers are for frames on their way to write(2).
var outBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

// send sends one frame, or keeps what the kernel does not take for later. It does
// not wait.
func (c *epollConn) send(op opcode, payload []byte) error {
	buf := outBuffers.Get().(*[]byte)
	defer outBuffers.Put(buf)
	*buf = appendFrame((*buf)[:0], op, payload, maskKey())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errConnClosed
	}
	return c.write(*buf)
}

// write writes b, in order behind what waits; c.mu is held.
func (c *epollConn) write(b []byte) error {
	switch {
	case c.broken != nil:
		return c.broken
	case c.fd < 0:
		return errConnClosed
	case len(c.out) > 0:
		if len(c.out)+len(b) > maxUnsent || wire.Now()-c.since > int64(writeTimeout) {
			c.broken = errNotTaken
			return c.broken
		}
		c.out = append(c.out, b...)
		return nil
	}
	n, err := writeNow(c.fd, b)
	if err != nil {
		n = 0
		if err != unix.EAGAIN && err != unix.EINTR {
			c.broken = fmt.Errorf("write: %w", err)
			return c.broken
		}
	}
	if n > 0 {
		c.handler.Said(wire.Now())
	}
	if n < len(b) {
		c.out, c.since = append([]byte(nil), b[n:]...), wire.Now()
		return c.loop.watch(c, true)
	}
	return nil
}

// prompt implements PromptConn.
func (c *epollConn) prompt() {}

// SendText implements Conn.
func (c *epollConn) SendText(payload []byte) error { return c.send(frameText, payload) }

// Ping implements Conn.
func (c *epollConn) Ping() error { return c.send(framePing, nil) }

// Close implements Conn.
func (c *epollConn) Close(code int, timeout time.Duration) {
	c.mu.Lock()
	c.asked = true
	var err error
	if !c.closed {
		err = c.write(appendClose(nil, code))
		c.closed = true
	}
	c.mu.Unlock()
	if err != nil {
		c.Abort()
		return
	}
	deadline := wire.Now() + int64(timeout)
	c.loop.post(func() { c.loop.expect(c, deadline) })
}

// Abort implements Conn.
func (c *epollConn) Abort() {
	c.mu.Lock()
	c.asked = true
	c.mu.Unlock()
	c.loop.post(func() {
		if c.gone {
			return
		}
		// A reset, which leaves no TIME_WAIT behind (socket(7), SO_LINGER).
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.finish(End{Kind: EndError, Text: "closed here"})
	})
}

// finish ends the connection; on the loop's thread, once.
func (c *epollConn) finish(e End) {
	if c.gone {
		return
	}
	if e.At == 0 {
		e.At = wire.Now()
	}
	e.Asked = c.release()
	c.handler.End(e)
	c.loop.engine.conns.Done()
}

// release gives the descriptor back. It tells whether this side began the end.
func (c *epollConn) release() (asked bool) {
	c.gone = true
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.loop.closing, c)
	c.loop.conns[c.fd] = nil
	unix.Close(c.fd) // takes it out of the epoll set too
	c.fd, c.out = -1, nil
	return c.asked
}

// peerClosed answers a Close frame with its own code and ends (section 5.5.1).
func (c *epollConn) peerClosed(payload []byte, at int64) {
	code, reason, err := parseClose(payload)
	if err != nil {
		c.protocolEnd(err)
		return
	}
	c.mu.Lock()
	if !c.closed && c.broken == nil && len(c.out) == 0 {
		_, _ = writeNow(c.fd, appendClose(nil, code)) // the peer may be gone; its Close stands
	}
	c.closed = true
	c.mu.Unlock()
	c.finish(End{Kind: EndCloseFrame, Code: code, Text: reason, At: at})
}

// protocolEnd tells the peer what it did wrong and ends (section 7.1.7).
func (c *epollConn) protocolEnd(err error) {
	code, kind := 1002, EndProtocol
	if err == errTooBig {
		code, kind = 1009, EndError
	}
	c.mu.Lock()
	if !c.closed && c.broken == nil && len(c.out) == 0 {
		_, _ = writeNow(c.fd, appendClose(nil, code))
	}
	c.closed = true
	c.mu.Unlock()
	c.finish(End{Kind: kind, Text: err.Error()})
}

// endOfSocket is what the client saw when a read failed.
func endOfSocket(err error) End {
	switch err {
	case nil:
		return End{Kind: EndFIN}
	case syscall.ECONNRESET, syscall.EPIPE:
		return End{Kind: EndRST}
	default:
		return End{Kind: EndError, Text: err.Error()}
	}
}
