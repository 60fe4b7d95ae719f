package chatnode

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"wsrig/internal/wire"
)

// Write implements net.Conn without ever waiting: bytes that the kernel does not take
// now are kept for flush. It fails only on a dead connection.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	if s.flushing || len(s.rest) > 0 {
		s.rest = append(s.rest, p...)
		return len(p), nil
	}
	n, err := s.writeNow(p)
	if err != nil {
		s.fail(err)
		return 0, err
	}
	if n > 0 {
		s.lastWrite.Store(wire.Now())
	}
	if n < len(p) {
		s.rest = slices.Clone(p[n:])
	}
	return len(p), nil
}

// writeNow writes what the kernel takes at once, possibly nothing.
func (s *socket) writeNow(p []byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	s.try, s.tried, s.tryErr = p, 0, nil
	err := s.raw.Write(s.attempt)
	s.try = nil
	switch {
	case err != nil:
		return 0, err
	case s.tryErr == nil:
		return s.tried, nil
	case s.tryErr == syscall.EAGAIN || s.tryErr == syscall.EINTR:
		return 0, nil
	default:
		return 0, os.NewSyscallError("write", s.tryErr)
	}
}

// stalled reports whether written bytes wait for flush.
func (s *socket) stalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushing || len(s.rest) > 0
}

// flush sends what waits. It gives up when the peer has taken nothing for the time
// wait. Only one goroutine at a time may flush.
func (s *socket) flush(wait time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writeErr == nil && len(s.rest) > 0 {
		b := s.rest
		s.rest, s.flushing = nil, true
		s.mu.Unlock()
		err := s.writeAll(b, wait)
		s.mu.Lock()
		s.flushing = false
		if err != nil {
			s.fail(err)
		}
	}
	return s.writeErr
}

func (s *socket) writeAll(b []byte, wait time.Duration) error {
	for {
		if err := s.Conn.SetWriteDeadline(time.Now().Add(wait)); err != nil {
			return err
		}
		n, err := s.Conn.Write(b)
		if n > 0 {
			s.lastWrite.Store(wire.Now())
		}
		if b = b[n:]; len(b) == 0 {
			// writeNow would refuse to write past an old deadline.
			return s.Conn.SetWriteDeadline(time.Time{})
		}
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

// fail keeps the first write error; s.mu is held.
func (s *socket) fail(err error) { s.writeErr, s.rest = err, nil }

// brokenBy is the first write error, or nil.
func (s *socket) brokenBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeErr
}

// SetWriteDeadline does nothing, as Write never waits. gorilla sets a deadline before
// each write, which costs a timer that nothing here needs.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// abort ends the TCP connection with a reset, so that the kernel keeps no data for a
// peer that does not take it.
func (s *socket) abort() {
	s.aborted.Store(true)
	if l, ok := s.Conn.(interface{ SetLinger(sec int) error }); ok {
		// A failure means that the socket is closed already.
		_ = l.SetLinger(0)
	}
	s.Close()
}

// linger tells the peer that nothing more comes, and swallows what is still on its
// way from it until it ends too or wait has passed. Closing with unread input would
// reset the connection and could destroy the close frame on its way to the peer
// (RFC 6455 section 7.1.1).
func (s *socket) linger(wait time.Duration) {
	if h, ok := s.Conn.(interface{ CloseWrite() error }); ok && h.CloseWrite() != nil {
		return
	}
	if s.SetReadDeadline(time.Now().Add(wait)) != nil {
		return
	}
	var scrap [512]byte
	for {
		if _, err := s.Read(scrap[:]); err != nil {
			return
		}
	}
}
