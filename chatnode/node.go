package chatnode

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Node is one chat node. It is made by New and serves once.
type Node struct {
	cfg      Config
	log      *slog.Logger
	metrics  *metrics
	bus      bus
	rooms    *rooms
	pacer    *pacer
	upgrader websocket.Upgrader
	origins  []origin
	lastID   atomic.Uint64

	mu       sync.Mutex
	draining bool
	admitted int // clients, and handshakes on their way to become one
	clients  map[*client]struct{}
	gone     sync.WaitGroup // admitted ones
}

// New checks the whole of c and returns a node that is ready to serve. Its error
// lists everything that is wrong with c.
func New(c Config) (*Node, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: c, log: c.Log, rooms: newRooms(), clients: map[*client]struct{}{}}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	n.metrics = newMetrics(n)
	n.pacer = newPacer(c, n.metrics.pingsSent.Inc)
	for _, s := range c.Origins {
		o, err := parseOrigin(s)
		if err != nil {
			return nil, err
		}
		n.origins = append(n.origins, o)
	}
	n.upgrader = websocket.Upgrader{
		HandshakeTimeout:  c.HandshakeTimeout,
		WriteBufferPool:   &sync.Pool{},
		CheckOrigin:       func(r *http.Request) bool { return true }, // done before, with a reason
		EnableCompression: c.Compression,
		Error:             n.upgradeRefused,
	}
	var err error
	n.bus, err = buses[c.Bus](c, busEvents{
		deliver: n.deliver,
		failed:  func(messages int) { n.metrics.publishesFailed.Add(float64(messages)) },
		waited:  n.metrics.publishWaits.Inc,
		log:     n.log,
	})
	if err != nil {
		return nil, fmt.Errorf("bus %s: %w", c.Bus, err)
	}
	return n, nil
}

// Serve accepts connections on l until ctx ends, drains the node, and returns nil once
// everything is closed, l included. It returns an error only when l fails. A bus that
// is away is no error: see /readyz.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	helpers.Go(func() { n.bus.run(work) })
	helpers.Go(func() { n.pacer.run(work) })

	srv := n.server(work)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(acceptor{l, n.metrics}) }()

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-served:
		failure = fmt.Errorf("serve %s: %w", l.Addr(), failure)
		served <- http.ErrServerClosed
	}
	n.drain()
	stop() // ends what still waits for the bus
	if err := srv.Close(); err != nil && failure == nil {
		n.log.Warn("close of the listener failed", "error", err.Error())
	}
	if err := <-served; failure == nil && !errors.Is(err, http.ErrServerClosed) {
		failure = fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	n.abortAll()
	n.gone.Wait()
	helpers.Wait()
	return failure
}

// server is the HTTP side. Each of its timeouts ends with the 101.
func (n *Node) server(base context.Context) *http.Server {
	return &http.Server{
		Handler:           n.routes(),
		ReadHeaderTimeout: n.cfg.HandshakeTimeout,
		ReadTimeout:       n.cfg.HandshakeTimeout,
		WriteTimeout:      n.cfg.HandshakeTimeout + n.cfg.JoinWait + n.cfg.WriteWait,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnContext:       markServed,
	}
}

// deliver is what the bus calls for every message that arrives.
func (n *Node) deliver(name, head string) {
	r := n.rooms.get(name)
	if r == nil {
		return // its last member has just left
	}
	receivers, ok := r.deliver(head)
	if !ok {
		n.metrics.foreign.Inc()
		return
	}
	n.metrics.deliveries.Add(float64(receivers))
}

// Reasons for not admitting a handshake.
var (
	errDraining = errors.New("node is draining")
	errFull     = errors.New("node has its maximum of clients")
)

// admit reserves a client's place, which forget gives back.
func (n *Node) admit() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.draining:
		return errDraining
	case n.cfg.MaxConnections > 0 && n.admitted >= n.cfg.MaxConnections:
		return errFull
	}
	n.admitted++
	n.gone.Add(1)
	return nil
}

// register lists an opened client. It reports whether the node is draining already,
// so that the drain has not seen it.
func (n *Node) register(c *client) (draining bool) {
	n.pacer.add(c)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clients[c] = struct{}{}
	return n.draining
}

// retire ends all that is sent to c. Called once, by its reading goroutine.
func (n *Node) retire(c *client) {
	n.rooms.exit(c)
	n.bus.leave(c.room.name)
	n.pacer.remove(c)
}

// forget gives back the place of an admitted handshake; c is nil if it did not become
// a client.
func (n *Node) forget(c *client) {
	n.mu.Lock()
	delete(n.clients, c)
	n.admitted--
	n.mu.Unlock()
	n.gone.Done()
}

// open lists the clients that are connected.
func (n *Node) open() []*client {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*client, 0, len(n.clients))
	for c := range n.clients {
		all = append(all, c)
	}
	return all
}

func (n *Node) openCount() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.clients)
}

func (n *Node) isDraining() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.draining
}
