package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// maxRedirects is how many redirects one visit follows.
const maxRedirects = 10

// maxVisits is how many visits are under way at once where nothing else bounds them:
// each is a TCP connection, and the requests of a page would be a load of their own.
const maxVisits = 128

// outcomeRedirects is a visit that was sent from one place to the next without end.
const outcomeRedirects = "too many redirects"

var errRedirects = fmt.Errorf("more than %d redirects", maxRedirects)

// visitor makes the HTTP requests that precede handshakes. Each client has its own
// cookie jar and TCP connection, as each would from a browser of its own; HTTP_PROXY is
// meant for other traffic.
type visitor struct {
	transport *http.Transport
	timeout   time.Duration
	turns     chan struct{} // has an element for each visit under way
}

// newVisitor makes the visitor of a connect command.
func (s *ConnectSpec) newVisitor() (*visitor, error) {
	tlsConfig, err := new(trust).config(s.CAFile, s.Insecure)
	if err != nil {
		return nil, err
	}
	limit := maxVisits
	if s.InFlight > 0 {
		limit = min(s.InFlight, maxVisits)
	}
	return &visitor{
		transport: &http.Transport{
			DialContext: dialFromSource, TLSClientConfig: tlsConfig, DisableKeepAlives: true,
		},
		timeout: s.Timeout, turns: make(chan struct{}, limit),
	}, nil
}

// sourceKey is the context key of the local address of a visit.
type sourceKey struct{}

// dialFromSource opens a visit's TCP connection from the address that the handshake
// will come from, so that a proxy which goes by it sends both the same way.
func dialFromSource(ctx context.Context, network, addr string) (net.Conn, error) {
	source, _ := ctx.Value(sourceKey{}).(netip.Addr)
	nd := dialerFrom(source)
	return nd.DialContext(ctx, network, addr)
}

// visit gets a page, after it has waited for its turn, and tells how long that took
// from there. The jar takes and gives the cookies. A failure is a *HandshakeError.
func (v *visitor) visit(ctx context.Context, page string, source netip.Addr, jar http.CookieJar) (took time.Duration, err error) {
	select {
	case v.turns <- struct{}{}:
	case <-ctx.Done():
		return 0, &HandshakeError{outcomeCancelled, ctx.Err()}
	}
	defer func() { <-v.turns }()
	begin := time.Now()
	err = v.get(ctx, page, source, jar)
	return time.Since(begin), err
}

func (v *visitor) get(ctx context.Context, page string, source netip.Addr, jar http.CookieJar) error {
	within, cancel := context.WithTimeout(context.WithValue(ctx, sourceKey{}, source), v.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodGet, page, nil)
	if err != nil {
		return &HandshakeError{visitOutcome(outcomeOther), err}
	}
	client := http.Client{Transport: v.transport, Jar: jar, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errRedirects
		}
		return nil
	}}
	resp, err := client.Do(req)
	if err != nil {
		return visitError(ctx, err)
	}
	_ = resp.Body.Close() // the cookies are in the header
	if resp.StatusCode >= http.StatusBadRequest {
		return &HandshakeError{visitOutcome(httpOutcome(resp.StatusCode)), answeredInstead(resp.StatusCode)}
	}
	return nil
}

// visitOutcome is the outcome of a handshake that its visit kept from beginning.
func visitOutcome(cause string) string { return "visit: " + cause }

// visitError names the cause of a visit that got no last answer. ctx is that of the
// whole command.
func visitError(ctx context.Context, err error) error {
	var wrapped *url.Error // with the URL, which may hold a secret
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &HandshakeError{outcomeCancelled, err}
	case errors.Is(err, errRedirects):
		return &HandshakeError{visitOutcome(outcomeRedirects), err}
	case errors.Is(err, http.ErrSchemeMismatch):
		return &HandshakeError{visitOutcome(outcomeTLS), err}
	}
	return &HandshakeError{visitOutcome(failureOutcome(err)), err}
}
