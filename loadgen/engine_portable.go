package loadgen

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// portable is the engine on gorilla/websocket: a goroutine a connection, any
// system, TLS.
type portable struct {
	buffers sync.Pool // write buffers, shared by all connections
	readers sync.WaitGroup
	trust   trust
}

// NewPortable returns the engine on gorilla/websocket.
func NewPortable() Engine { return &portable{} }

func (p *portable) Name() string { return "portable" }

const (
	// readBuffer is small: an idle client is mostly this buffer.
	readBuffer = 512
	// writeBuffer is the largest message that goes out as one frame and in one
	// write. A connection has one only while it sends.
	writeBuffer = 64 << 10
	// messageLimit is the largest message that is read, in bytes.
	messageLimit = 64 << 20
)

func (p *portable) Dial(ctx context.Context, d Dial, h Handler) error {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	tlsConfig, err := p.trust.config(d.CAFile, d.Insecure)
	if err != nil {
		return &HandshakeError{Outcome: outcomeTLS, Err: err}
	}
	a := attempt{start: wire.Now(), sock: &socket{handler: h}, source: d.Source}
	dialer := websocket.Dialer{
		Subprotocols:   d.Subprotocol,
		ReadBufferSize: readBuffer, WriteBufferSize: writeBuffer, WriteBufferPool: &p.buffers,
		NetDialContext: a.connect, TLSClientConfig: tlsConfig,
	}
	ws, resp, err := dialer.DialContext(ctx, d.URL, d.Header)
	if err == nil && !a.release() {
		_ = ws.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		a.release()
		outcome := handshakeOutcome(ctx, resp, err)
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = answeredInstead(resp.StatusCode)
		}
		return &HandshakeError{Outcome: outcome, Err: err}
	}
	now := wire.Now()
	c := &portableConn{ws: ws, sock: a.sock}
	c.prepare(d.NoPong)
	h.Open(c, Handshake{
		Connect: time.Duration(a.connected - a.start), Upgrade: time.Duration(now - a.connected), At: now,
		Local: a.sock.LocalAddr().(*net.TCPAddr).AddrPort(), Header: resp.Header,
	})
	p.readers.Go(c.read)
	return nil
}

func (p *portable) Wait() { p.readers.Wait() }

// attempt is one handshake under way.
type attempt struct {
	start, connected int64 // wire time
	sock             *socket
	source           netip.Addr
	stop             func() bool // of the watch on the context
}

// connect opens the TCP connection. The dialer looks at its context only while it
// connects, so from there on the context's end is turned into a deadline.
func (a *attempt) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	nd := dialerFrom(a.source)
	c, err := nd.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	a.connected, a.sock.Conn = wire.Now(), c
	a.stop = context.AfterFunc(ctx, func() { _ = c.Close() })
	return a.sock, nil
}

// dialerFrom dials TCP from a local address; the zero Addr lets the kernel choose.
func dialerFrom(source netip.Addr) net.Dialer {
	nd := net.Dialer{KeepAlive: -1}
	if source.IsValid() {
		nd.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
		nd.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			if control := c.Control(func(fd uintptr) { err = bindWithoutPort(int(fd)) }); control != nil {
				return control
			}
			return err
		}
	}
	return nd
}

// release ends the watch on the context. It returns false if the context's end has
// closed the connection, or is about to.
func (a *attempt) release() bool { return a.stop == nil || a.stop() }

// socket tells the handler of every read and write once the handshake is over.
type socket struct {
	net.Conn
	handler Handler
	open    atomic.Bool // the handshake is over and the peer has sent no Close frame
	reset   atomic.Bool // a write met a reset, which the reader then sees as a plain end
	heard   int64       // wire time of a read not told yet; the reader's alone
}

// Read tells of a read when the next one begins: what came before has been
// understood by then, and was no Close frame.
func (s *socket) Read(b []byte) (int, error) {
	if s.heard != 0 {
		s.handler.Heard(s.heard)
		s.heard = 0
	}
	n, err := s.Conn.Read(b)
	if n > 0 && s.open.Load() {
		s.heard = wire.Now()
	}
	return n, err
}

func (s *socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if n > 0 && s.open.Load() {
		s.handler.Said(wire.Now())
	}
	if isReset(err) {
		s.reset.Store(true)
	}
	return n, err
}

// portableConn is an open connection of the portable engine.
type portableConn struct {
	ws      *websocket.Conn
	sock    *socket
	write   sync.Mutex // one message at a time; control frames have gorilla's own lock
	asked   atomic.Bool
	closeAt int64 // wire time of the peer's Close frame; the reader's alone
}

// writeTimeout is how long one write may take.
const writeTimeout = time.Second

// prepare sets how control frames are answered.
func (c *portableConn) prepare(noPong bool) {
	c.sock.open.Store(true)
	c.ws.SetReadLimit(messageLimit)
	answer := c.ws.CloseHandler()
	c.ws.SetCloseHandler(func(code int, text string) error {
		c.closeAt = wire.Now()
		c.sock.open.Store(false)
		return answer(code, text)
	})
	if noPong {
		c.ws.SetPingHandler(func(string) error { return nil })
	}
}

func (c *portableConn) SendText(payload []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, payload)
}

func (c *portableConn) Ping() error {
	return c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
}

func (c *portableConn) Close(code int, timeout time.Duration) {
	c.asked.Store(true)
	deadline := time.Now().Add(timeout)
	if err := c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline); err != nil {
		c.Abort()
		return
	}
	// The reader ends with the peer's Close, or at this deadline.
	if err := c.ws.SetReadDeadline(deadline); err != nil {
		c.Abort()
	}
}

func (c *portableConn) Abort() {
	c.asked.Store(true)
	if tcp, ok := c.sock.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, which leaves no TIME_WAIT behind
	}
	_ = c.sock.Conn.Close() // ends the reader, which reports
}

// read serves the connection until it ends.
func (c *portableConn) read() {
	var err error
	for err == nil {
		err = c.readMessage()
	}
	asked := c.asked.Load()
	end := endOf(err, asked)
	if end.Kind == EndFIN && c.sock.reset.Load() {
		end.Kind = EndRST
	}
	if end.At = c.closeAt; end.Kind != EndCloseFrame {
		end.At = wire.Now()
	}
	end.Asked = asked
	_ = c.sock.Conn.Close() // nothing more to say; the end is known
	c.sock.handler.End(end)
}

// messages are read into shared buffers: an idle client holds none.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (c *portableConn) readMessage() error {
	_, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	buf := messages.Get().(*bytes.Buffer)
	defer messages.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(r); err != nil {
		return err
	}
	c.sock.handler.Text(buf.Bytes(), wire.Now())
	return nil
}

// handshakeOutcome names the cause of a failed handshake.
func handshakeOutcome(ctx context.Context, resp *http.Response, err error) string {
	switch {
	case resp != nil && resp.StatusCode == http.StatusSwitchingProtocols:
		return outcomeBad101
	case resp != nil:
		return httpOutcome(resp.StatusCode)
	case errors.Is(ctx.Err(), context.Canceled):
		return outcomeCancelled
	case ctx.Err() != nil:
		return outcomeTimeout
	}
	return failureOutcome(err)
}
