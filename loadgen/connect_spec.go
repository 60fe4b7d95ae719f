package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
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
	if s.Visit != "" {
		if err := checkURL(s.Visit, "http", "https"); err != nil {
			return fmt.Errorf("connect: visit %s: %w", s.Visit, err)
		}
	}
	return nil
}

// checkURL tells what is wrong with a URL, templates in it filled in.
func checkURL(text string, schemes ...string) error {
	u, err := url.Parse(sample(text))
	switch {
	case err != nil:
		return err
	case !slices.Contains(schemes, u.Scheme):
		return fmt.Errorf("the scheme is %q; use %s://", u.Scheme, strings.Join(schemes, ":// or "))
	case u.Host == "":
		return errors.New("it names no host")
	}
	return nil
}

// way is how the clients of a connect command get to their server.
type way struct {
	spec    *ConnectSpec
	dial    Dial     // what all clients dial with
	cookies *cookies // nil: clients keep none
	visitor *visitor // nil: no visits
}

func (s *ConnectSpec) way() (*way, error) {
	w := &way{spec: s, dial: s.dialing()}
	var err error
	if w.cookies, err = s.cookies(); err != nil {
		return nil, err
	}
	if s.Visit != "" {
		w.visitor, err = s.newVisitor()
	}
	return w, err
}

// prepare makes what one client dials with. Its visit, if any, is made here; the
// handshake is due so much later.
func (w *way) prepare(ctx context.Context, c *client) (Dial, error) {
	d := w.dial
	d.URL, d.Header = clientURL(w.spec.URLs, c), c.fillHeader(d.Header)
	if n := len(w.spec.Sources); n > 0 {
		d.Source = netip.MustParseAddr(w.spec.Sources[int(c.id)%n]) // validate has parsed it
	}
	if w.cookies == nil {
		return d, nil
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		return d, err
	}
	jar, err := w.cookies.jar(c, u)
	if err != nil {
		return d, err
	}
	if w.visitor != nil {
		took, err := w.visitor.visit(ctx, c.fill(w.spec.Visit), d.Source, jar)
		if err != nil {
			return d, err
		}
		c.due += int64(took)
	}
	d.Header = withCookies(d.Header, jar, u)
	c.fleet.jars.keep(c.id, jar, u)
	return d, nil
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
