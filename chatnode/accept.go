package chatnode

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// acceptor is the node's listener. It counts TCP connections, and those that end
// without ever having sent a whole HTTP request: port scans, plain TCP health checks,
// garbage.
type acceptor struct {
	net.Listener
	metrics *metrics
}

// Accept implements net.Listener.
func (a acceptor) Accept() (net.Conn, error) {
	c, err := a.Listener.Accept()
	if err != nil {
		return nil, err
	}
	a.metrics.accepted.Inc()
	return &accepted{Conn: c, metrics: a.metrics}, nil
}

// accepted is a TCP connection as long as it speaks HTTP.
type accepted struct {
	net.Conn
	metrics *metrics
	served  atomic.Bool // a request came over it
	once    sync.Once
}

// Close implements net.Conn.
func (a *accepted) Close() error {
	a.once.Do(func() {
		if !a.served.Load() {
			a.metrics.unserved.Inc()
		}
	})
	return a.Conn.Close()
}

// unwrapAccepted returns the TCP connection itself, for the life after the 101.
func unwrapAccepted(c net.Conn) net.Conn {
	if a, ok := c.(*accepted); ok {
		return a.Conn
	}
	return c
}

type acceptedKey struct{}

// markServed and countServed carry the connection of a request to its handler.
func markServed(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, acceptedKey{}, c)
}

// countServed notes that a request has come over its connection.
func countServed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := r.Context().Value(acceptedKey{}).(*accepted); ok {
			a.served.Store(true)
		}
		next.ServeHTTP(w, r)
	})
}
