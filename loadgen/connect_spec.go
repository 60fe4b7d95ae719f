package loadgen

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
)

// maxClients bounds what one connect command may ask for, well above what a
// machine holds, so that a mistake does not take all memory.
const maxClients = 10_000_000

func (s *ConnectSpec) validate() error {
	switch {
	case s.Clients < 0 || s.Offset < 0 || s.Total > maxClients || s.Clients > s.Total || s.Offset > s.Total-s.Clients:
		return fmt.Errorf("connect: %d clients from number %d do not fit into a total of %d", s.Clients, s.Offset, s.Total)
	case s.InFlight < 0:
		return fmt.Errorf("connect: %d handshakes in flight; use 1 or more, or 0 for no limit", s.InFlight)
	case len(s.URLs) == 0:
		return errors.New("connect: no URL to connect to")
	case s.Rate <= 0:
		return fmt.Errorf("connect: rate %g/s; it must be above 0", s.Rate)
	case s.Rooms < 1:
		return fmt.Errorf("connect: %d rooms; there must be one at least", s.Rooms)
	case s.Timeout <= 0:
		return fmt.Errorf("connect: handshake timeout %s; it must be above 0", s.Timeout)
	}
	if err := s.Keepalive.validate(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	for _, addr := range s.Sources {
		if _, err := netip.ParseAddr(addr); err != nil {
			return fmt.Errorf("connect: source address: %w", err)
		}
	}
	if s.CAFile != "" {
		if _, err := authorities(s.CAFile); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	return nil
}

// dialing is what all clients of the spec dial with, but for the URL.
func (s *ConnectSpec) dialing() Dial {
	header := make(http.Header, len(s.Header))
	for name, values := range s.Header { // which may be in any case
		for _, v := range values {
			header.Add(name, v)
		}
	}
	return Dial{
		Header: header, Subprotocol: s.Subprotocol, Timeout: s.Timeout,
		NoPong: s.NoPong, Insecure: s.Insecure, CAFile: s.CAFile,
	}
}
