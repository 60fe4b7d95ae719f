package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"wsrig/internal/wire"
)

// epollHandshake is what a connection has only until its 101.
type epollHandshake struct {
	dial      *Dial
	key       string
	request   []byte // what is left to send
	answer    []byte
	start     int64
	connected int64
	done      chan error
}

// connect begins a TCP connection without waiting for it.
func (c *epollConn) connect(addr netip.AddrPort, source netip.Addr) error {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil && source.IsValid() {
		if err = bindWithoutPort(fd); err == nil {
			err = unix.Bind(fd, sockaddr(netip.AddrPortFrom(source, 0)))
		}
	}
	if err == nil {
		err = unix.Connect(fd, sockaddr(addr))
	}
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return fmt.Errorf("connect: %w", err)
	}
	c.fd = fd
	return nil
}

// nameCache resolves host names once: ten thousand clients of one server ask once.
type nameCache struct {
	mu    sync.Mutex
	addrs map[string]netip.AddrPort
}

func (n *nameCache) resolve(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.addrs[u.Host]; ok {
		return a, nil
	}
	port := 80
	if p := u.Port(); p != "" {
		var err error
		if port, err = strconv.Atoi(p); err != nil || port > 65535 {
			return netip.AddrPort{}, fmt.Errorf("%q is no port", p)
		}
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, err
	}
	a := netip.AddrPortFrom(ips[0].Unmap(), uint16(port))
	if n.addrs == nil {
		n.addrs = make(map[string]netip.AddrPort)
	}
	n.addrs[u.Host] = a
	return a, nil
}

// sockaddr is an address for one system call, which writes into it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// shake goes on with the handshake.
func (c *epollConn) shake(events uint32) {
	hs := c.handshake
	if hs.connected == 0 {
		if code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			if err == nil {
				err = unix.Errno(code)
			}
			c.fail(fmt.Errorf("connect: %w", err))
			return
		}
		hs.connected = wire.Now()
	}
	if len(hs.request) > 0 {
		n, err := writeNow(c.fd, hs.request)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			c.fail(fmt.Errorf("send the request: %w", err))
			return
		}
		if hs.request = hs.request[max(n, 0):]; len(hs.request) == 0 {
			if err := c.loop.watch(c, false); err != nil {
				c.fail(fmt.Errorf("epoll_ctl: %w", err))
				return
			}
		}
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
		return
	}
	n, err := readNow(c.fd, c.loop.buffer)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		c.fail(fmt.Errorf("read the answer: %w", err))
	case n == 0 && len(hs.answer) >= len(httpStart) && !bytes.HasPrefix(hs.answer, httpStart):
		c.fail(errors.New("the answer is no HTTP"))
	case n == 0:
		c.fail(io.ErrUnexpectedEOF)
	default:
		c.answered(c.loop.buffer[:n])
	}
}

// httpStart begins every HTTP/1 answer.
var httpStart = []byte("HTTP/")

// answered takes a part of the HTTP answer.
func (c *epollConn) answered(b []byte) {
	hs := c.handshake
	at := wire.Now()
	if len(hs.answer) > 0 {
		hs.answer = append(hs.answer, b...)
		b = hs.answer
	}
	header, rest, ok, err := parseAnswer(b, hs.dial, hs.key)
	if err != nil {
		c.fail(err)
		return
	}
	if !ok {
		if len(hs.answer) == 0 {
			hs.answer = append(hs.answer, b...)
		}
		return
	}
	var local netip.AddrPort
	if sa, err := unix.Getsockname(c.fd); err == nil {
		switch sa := sa.(type) {
		case *unix.SockaddrInet4:
			local = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
		case *unix.SockaddrInet6:
			local = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
		}
	}
	c.handshake = nil
	c.handler.Open(c, Handshake{
		Connect: time.Duration(hs.connected - hs.start), Upgrade: time.Duration(at - hs.connected), At: at,
		Local: local, Header: header,
	})
	hs.done <- nil
	if len(rest) > 0 {
		c.input(rest, at)
	}
}

// fail ends a handshake that did not succeed; on the loop's thread.
func (c *epollConn) fail(err error) {
	if c.handshake == nil || c.gone {
		return
	}
	var he *HandshakeError
	if !errors.As(err, &he) {
		he = &HandshakeError{failureOutcome(err), err}
		if errors.Is(err, context.Canceled) {
			he.Outcome = outcomeCancelled
		}
	}
	c.release()
	c.handshake.done <- he
	c.loop.engine.conns.Done()
}
