package chatnode

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"wsrig/internal/wire"
)

// socket is the TCP connection under a WebSocket. It differs from a plain net.Conn in
// two ways. Write never waits: what the kernel does not take at once is kept, and
// flush sends it later. And a goroutine can wait for input through waiter on its
// smallest stack and without a buffer, which is what keeps an idle client cheap.
type socket struct {
	net.Conn
	raw    syscall.RawConn  // nil where the connection has no file descriptor
	in     *bufio.Reader    // gorilla's reader; its source is this socket
	prime  *[primeSize]byte // borrowed while primed has bytes; both are the reading goroutine's
	primed []byte           // bytes that the waiter has read and Read has not yet returned

	lastRead  atomic.Int64 // wire.Now of the last byte in each direction
	lastWrite atomic.Int64
	aborted   atomic.Bool // the node reset the connection
	readErr   error       // first error of Read; owned by the reading goroutine

	mu       sync.Mutex
	rest     []byte // written by the caller, not yet taken by the kernel
	flushing bool   // flush is writing earlier bytes, so later ones must wait
	writeErr error
	attempt  func(fd uintptr) bool // one write(2) of try; made once, so a write allocates nothing
	try      []byte
	tried    int
	tryErr   error
}

// readSize is the size of the read buffer per client in bytes. gorilla needs at least
// the 125 bytes of a control frame, and reuses a given buffer only above 256.
const readSize = 512

// primeSize is the size of the shared buffers for the first read after silence.
const primeSize = 4096

var primePool = sync.Pool{New: func() any { return new([primeSize]byte) }}

func newSocket(c net.Conn) *socket {
	s := &socket{Conn: c}
	if sc, ok := c.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.attempt = func(fd uintptr) bool {
		s.tried, s.tryErr = syscall.Write(int(fd), s.try)
		return true
	}
	s.in = bufio.NewReaderSize(s, readSize)
	now := wire.Now()
	s.lastRead.Store(now)
	s.lastWrite.Store(now)
	return s
}

// hijacker makes gorilla take over a request's connection as a socket.
type hijacker struct {
	http.ResponseWriter
	taken *socket
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, brw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if brw.Reader.Buffered() > 0 {
		c.Close()
		return nil, nil, errors.New("client sent frames before it had its 101")
	}
	h.taken = newSocket(unwrapAccepted(c))
	return h.taken, bufio.NewReadWriter(h.taken.in, bufio.NewWriterSize(h.taken, 1)), nil
}

// waiter returns a function that waits until there is input, or an error, for the
// reader above. It is to be called from the top of a goroutine, between messages.
func (s *socket) waiter() func() {
	if s.raw == nil {
		return func() {}
	}
	probe := func(fd uintptr) bool {
		buf := primePool.Get().(*[primeSize]byte)
		n, err := syscall.Read(int(fd), buf[:])
		if err == syscall.EAGAIN || err == syscall.EINTR {
			primePool.Put(buf)
			return err == syscall.EINTR // the caller's own read will try again
		}
		if n <= 0 {
			primePool.Put(buf)
			s.readErr = endOfRead(err)
			return true
		}
		s.lastRead.Store(wire.Now())
		s.prime, s.primed = buf, buf[:n]
		return true
	}
	return func() {
		if s.in.Buffered() > 0 || len(s.primed) > 0 || s.readErr != nil {
			return
		}
		if err := s.raw.Read(probe); err != nil && s.readErr == nil {
			s.readErr = err
		}
	}
}

// endOfRead is io.EOF for a read of nothing without an error.
func endOfRead(err error) error {
	if err == nil {
		return io.EOF
	}
	return os.NewSyscallError("read", err)
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	if len(s.primed) > 0 {
		n := copy(p, s.primed)
		s.primed = s.primed[n:]
		if len(s.primed) == 0 {
			primePool.Put(s.prime)
			s.prime, s.primed = nil, nil
		}
		return n, nil
	}
	if s.readErr != nil {
		return 0, s.readErr
	}
	n, err := s.Conn.Read(p)
	if n > 0 {
		s.lastRead.Store(wire.Now())
	}
	s.readErr = err
	return n, err
}
