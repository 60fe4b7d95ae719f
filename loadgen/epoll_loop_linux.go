package loadgen

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"wsrig/internal/wire"
)

// epollLoop is one thread that serves connections.
type epollLoop struct {
	engine *epollEngine
	epfd   int
	wakefd int // an eventfd(2) that post writes to
	conns  []*epollConn
	// closing are connections whose peer must answer a Close frame in time.
	closing map[*epollConn]struct{}
	buffer  []byte // for every read of every connection
	stopped bool
	done    chan struct{}

	mu      sync.Mutex
	posted  []func() // to run on the loop's thread
	scratch []func()
}

const (
	loopBuffer = 64 << 10
	loopEvents = 256
)

func newEpollLoop(e *epollEngine) (*epollLoop, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(epfd)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &epollLoop{
		engine: e, epfd: epfd, wakefd: wakefd, closing: map[*epollConn]struct{}{},
		buffer: make([]byte, loopBuffer), done: make(chan struct{}),
	}
	if err := unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, wakefd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wakefd)}); err != nil {
		unix.Close(wakefd)
		unix.Close(epfd)
		return nil, fmt.Errorf("epoll_ctl: %w", err)
	}
	return l, nil
}

func (l *epollLoop) closeFDs() {
	unix.Close(l.epfd)
	unix.Close(l.wakefd)
}

// post runs f on the loop's thread, soon.
func (l *epollLoop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	first := len(l.posted) == 1
	l.mu.Unlock()
	if first {
		// It fails only when the counter is full, and then the loop is awake.
		_, _ = unix.Write(l.wakefd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (l *epollLoop) runPosted() {
	l.mu.Lock()
	work := l.posted
	l.posted, l.scratch = l.scratch[:0], work
	l.mu.Unlock()
	for i, f := range work {
		f()
		work[i] = nil
	}
}

// run serves until stopped.
func (l *epollLoop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.done)
	defer l.closeFDs()
	events := make([]unix.EpollEvent, loopEvents)
	for !l.stopped {
		n, err := l.wait(events)
		if err != nil {
			panic("loadgen: epoll_wait: " + err.Error()) // the arguments are this file's own
		}
		for _, ev := range events[:n] {
			if int(ev.Fd) == l.wakefd {
				var drain [8]byte
				_, _ = unix.Read(l.wakefd, drain[:]) // only resets the counter
				continue
			}
			if c := l.conns[ev.Fd]; c != nil {
				c.event(ev.Events)
			}
		}
		l.runPosted()
		l.expire()
	}
}

// wait returns the next events. It first looks without waiting, which costs the Go
// scheduler nothing; only an idle loop gives its place up.
func (l *epollLoop) wait(events []unix.EpollEvent) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno == 0 && n > 0 {
		return int(n), nil
	}
	timeout := -1
	if len(l.closing) > 0 {
		timeout = 50 // ms: how closely expire is kept
	}
	m, err := unix.EpollWait(l.epfd, events, timeout)
	if err == unix.EINTR {
		return 0, nil
	}
	return m, err
}

// add takes a connection whose connect has begun.
func (l *epollLoop) add(c *epollConn) {
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, make([]*epollConn, 1024)...)
	}
	l.conns[c.fd] = c
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP, Fd: int32(c.fd)}
	if err := unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		c.fail(fmt.Errorf("epoll_ctl: %w", err))
	}
}

// watch asks for input, and for room to write if output waits. Safe on any
// goroutine while the descriptor is open.
func (l *epollLoop) watch(c *epollConn, output bool) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(c.fd)}
	if output {
		ev.Events |= unix.EPOLLOUT
	}
	return unix.EpollCtl(l.epfd, unix.EPOLL_CTL_MOD, c.fd, &ev)
}

// expect ends c at a wire time unless its peer has closed by then.
func (l *epollLoop) expect(c *epollConn, deadline int64) {
	if !c.gone {
		c.deadline = deadline
		l.closing[c] = struct{}{}
	}
}

func (l *epollLoop) expire() {
	if len(l.closing) == 0 {
		return
	}
	now := wire.Now()
	for c := range l.closing {
		if now >= c.deadline {
			c.finish(End{Kind: EndError, Text: "the peer did not answer the Close frame in time", At: now})
		}
	}
}

// event serves what epoll told of a connection.
func (c *epollConn) event(events uint32) {
	if c.handshake != nil {
		c.shake(events)
		return
	}
	if events&unix.EPOLLOUT != 0 {
		c.flush()
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 && !c.gone {
		c.read()
	}
}

// flush writes what waits.
func (c *epollConn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 || c.broken != nil {
		return
	}
	n, err := writeNow(c.fd, c.out)
	if err != nil {
		if err != unix.EAGAIN && err != unix.EINTR {
			c.broken = fmt.Errorf("write: %w", err) // the read side sees how it ended
			_ = c.loop.watch(c, false)
		}
		return
	}
	if n > 0 {
		c.since = wire.Now()
		c.handler.Said(c.since)
	}
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
		_ = c.loop.watch(c, false) // the descriptor is open and in the set
	}
}

// read takes what has come, once: with more, epoll tells again.
func (c *epollConn) read() {
	n, err := readNow(c.fd, c.loop.buffer)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil || n == 0:
		c.finish(endOfSocket(err))
	default:
		c.input(c.loop.buffer[:n], wire.Now())
	}
}

// input takes bytes that were read at a wire time.
func (c *epollConn) input(b []byte, at int64) {
	if len(c.partial) > 0 {
		c.partial = append(c.partial, b...)
		b = c.partial
	}
	for len(b) > 0 {
		f, rest, need, ok, err := parseFrame(b)
		if err != nil {
			c.protocolEnd(err)
			return
		}
		if !ok {
			c.keep(b, need)
			c.handler.Heard(at)
			return
		}
		b = rest
		if !c.frame(f, at) {
			return
		}
	}
	c.partial = nil
	c.handler.Heard(at)
}

// keep holds on to a part of a frame until the rest comes. It makes room for as much
// of it as is likely, not for whatever length a peer claims.
func (c *epollConn) keep(b []byte, need int) {
	if len(c.partial) == len(b) && &c.partial[0] == &b[0] {
		return // it is there already, and nothing before it
	}
	kept := make([]byte, len(b), max(len(b), min(need, len(b)+1<<20)))
	copy(kept, b)
	c.partial = kept
}

// frame serves one frame. It returns false when the connection has ended.
func (c *epollConn) frame(f frame, at int64) bool {
	switch f.op {
	case framePing:
		if !c.noPong {
			_ = c.send(framePong, f.payload) // an error shows in the next read
		}
	case framePong:
	case frameClose:
		c.peerClosed(f.payload, at)
		return false
	default:
		message, done, err := c.assembler.take(f)
		if err != nil {
			c.protocolEnd(err)
			return false
		}
		if done {
			c.handler.Text(message, at)
		}
	}
	return !c.gone
}
