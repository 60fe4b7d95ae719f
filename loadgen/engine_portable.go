package loadgen

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// portable is the engine on gorilla/websocket: a goroutine a connection, any
// system, TLS and compression.
type portable struct {
	buffers sync.Pool // write buffers, shared by all connections
	readers sync.WaitGroup
}

// NewPortable returns the engine on gorilla/websocket.
func NewPortable() Engine { return &portable{} }

func (p *portable) Name() string { return "portable" }

// readBuffer is small: an idle client is mostly this buffer.
const readBuffer = 512

func (p *portable) Dial(ctx context.Context, d Dial, h Handler) error {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	var hs Handshake
	var sock *socket
	start := wire.Now()
	dialer := websocket.Dialer{
		Subprotocols:   d.Subprotocol,
		ReadBufferSize: readBuffer, WriteBufferSize: readBuffer, WriteBufferPool: &p.buffers,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			var nd net.Dialer
			c, err := nd.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			hs.Connect = time.Duration(wire.Now() - start)
			hs.LocalPort = c.LocalAddr().(*net.TCPAddr).Port
			sock = &socket{Conn: c, handler: h}
			return sock, nil
		},
	}
	var err error
	if dialer.TLSClientConfig, err = tlsConfig(d); err != nil {
		return &HandshakeError{Outcome: "TLS", Err: err}
	}
	ws, resp, err := dialer.DialContext(ctx, d.URL, d.Header)
	if err != nil {
		return &HandshakeError{Outcome: handshakeOutcome(ctx, resp, err), Err: err}
	}
	hs.At = wire.Now()
	hs.Upgrade = time.Duration(hs.At-start) - hs.Connect
	hs.Header = resp.Header
	ws.SetReadLimit(64 << 20)
	sock.open.Store(true)
	c := &portableConn{ws: ws, sock: sock, handler: h}
	if d.NoPong {
		ws.SetPingHandler(func(string) error { return nil })
	}
	h.Open(c, hs)
	p.readers.Go(c.read)
	return nil
}

func (p *portable) Wait() { p.readers.Wait() }

func tlsConfig(d Dial) (*tls.Config, error) {
	if d.CAFile == "" {
		return &tls.Config{InsecureSkipVerify: d.Insecure}, nil //nolint:gosec // asked for by the user
	}
	pem, err := os.ReadFile(d.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", d.CAFile)
	}
	return &tls.Config{RootCAs: pool, InsecureSkipVerify: d.Insecure}, nil //nolint:gosec // asked for by the user
}

// handshakeOutcome names the cause of a failed handshake.
func handshakeOutcome(ctx context.Context, resp *http.Response, err error) string {
	var netErr net.Error
	switch {
	case resp != nil:
		return fmt.Sprintf("HTTP %d", resp.StatusCode)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "no local port"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "no file descriptor"
	case errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil, errors.As(err, &netErr) && netErr.Timeout():
		return "timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "EOF before answer"
	case isTLS(err):
		return "TLS"
	default:
		return "error"
	}
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &alert)
}

// socket tells the handler of every read and write once the handshake is over.
type socket struct {
	net.Conn
	handler Handler
	open    atomic.Bool
}

func (s *socket) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if n > 0 && s.open.Load() {
		s.handler.Heard(wire.Now())
	}
	return n, err
}

func (s *socket) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if n > 0 && s.open.Load() {
		s.handler.Said(wire.Now())
	}
	return n, err
}

type portableConn struct {
	ws      *websocket.Conn
	sock    *socket
	handler Handler
	write   sync.Mutex
	asked   atomic.Bool
}

const writeTimeout = time.Second

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
	end := endOf(err)
	end.At = wire.Now()
	end.Asked = c.asked.Load()
	_ = c.sock.Conn.Close() // nothing more to say; the end is known
	c.handler.End(end)
}

// messages are read into shared buffers: an idle client holds none.
var messages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (c *portableConn) readMessage() error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	buf := messages.Get().(*bytes.Buffer)
	defer messages.Put(buf)
	buf.Reset()
	if _, err := buf.ReadFrom(r); err != nil {
		return err
	}
	if kind == websocket.TextMessage {
		c.handler.Text(buf.Bytes(), wire.Now())
	}
	return nil
}

// endOf turns a reader's last error into what the client saw.
func endOf(err error) End {
	var frame *websocket.CloseError
	switch {
	case errors.As(err, &frame) && frame.Code != websocket.CloseAbnormalClosure:
		return End{Kind: EndCloseFrame, Code: frame.Code, Text: frame.Text}
	case errors.As(err, &frame), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return End{Kind: EndFIN}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return End{Kind: EndRST}
	case errors.Is(err, net.ErrClosed):
		return End{Kind: EndError, Text: "closed here"}
	default:
		return End{Kind: EndProtocol, Text: err.Error()}
	}
}
