package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// observer counts what the clients do.
type observer struct {
	upgrader websocket.Upgrader
	echoed   atomic.Int64
	arrivals arrivals

	mu          sync.Mutex
	conns       map[*websocket.Conn]struct{}
	accepted    int64
	first, last int64 // wire time of the first and last handshake
	serving     sync.WaitGroup
}

func newObserver() *observer {
	return &observer{
		upgrader: websocket.Upgrader{
			ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &sync.Pool{},
			CheckOrigin: func(*http.Request) bool { return true }, // a generator is no browser
		},
		conns: map[*websocket.Conn]struct{}{},
	}
}

// echo upgrades a client and sends back what it sends until it goes. The reader gets a
// goroutine of its own: that of the HTTP handler has a stack that grew.
func (o *observer) echo(w http.ResponseWriter, r *http.Request, times *arrivals) {
	c, err := o.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	now := wire.Now()
	o.mu.Lock()
	if o.accepted++; o.accepted == 1 {
		o.first = now
	}
	o.last = now
	o.conns[c] = struct{}{}
	o.mu.Unlock()
	o.serving.Go(func() { o.answer(c, times) })
}

func (o *observer) answer(c *websocket.Conn, times *arrivals) {
	defer func() {
		o.mu.Lock()
		delete(o.conns, c)
		o.mu.Unlock()
		c.Close()
	}()
	for {
		kind, msg, err := c.ReadMessage()
		if err != nil {
			return
		}
		if times != nil {
			times.note(wire.Now())
		}
		if c.WriteMessage(kind, msg) != nil {
			return
		}
		o.echoed.Add(1)
	}
}

// resetAll ends every connection with a reset and waits for its reader.
func (o *observer) resetAll() {
	o.mu.Lock()
	for c := range o.conns {
		if tcp, ok := c.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // socket(7); a connection that is gone needs none
		}
		c.Close()
	}
	o.mu.Unlock()
	o.serving.Wait()
}

// Stats is what /stats answers.
type Stats struct {
	At       int64 `json:"at"`       // wire time
	Open     int   `json:"open"`     // connections now
	Accepted int64 `json:"accepted"` // handshakes so far
	First    int64 `json:"first"`    // wire time of the first handshake
	Last     int64 `json:"last"`     // and of the last
	Echoed   int64 `json:"echoed"`   // messages sent back
	// Pacing is there when /stats?rate=R was asked for and messages came to /paced.
	Pacing *Pacing `json:"pacing,omitempty"`
}

// stats answers /stats.
func (o *observer) stats(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	s := Stats{
		At: wire.Now(), Open: len(o.conns), Accepted: o.accepted, First: o.first, Last: o.last, Echoed: o.echoed.Load(),
	}
	o.mu.Unlock()
	if text := r.URL.Query().Get("rate"); text != "" {
		rate, err := strconv.ParseFloat(text, 64)
		if err != nil || !(rate > 0) || math.IsInf(rate, 0) {
			http.Error(w, fmt.Sprintf("rate %q: use a number of messages a second above 0", text), http.StatusBadRequest)
			return
		}
		s.Pacing = o.arrivals.against(rate)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // the caller may be gone
}

// maxArrivals bounds the times that are kept.
const maxArrivals = 1 << 20

// arrivals are the wire times of messages.
type arrivals struct {
	mu sync.Mutex
	at []int64
}

func (a *arrivals) note(at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.at) < maxArrivals {
		a.at = append(a.at, at)
	}
}

// Pacing is how messages came, held against even gaps of a rate. The way to the server
// is in it, but for its shortest case, and so is all that a generator fell behind.
type Pacing struct {
	N        int     `json:"n"`
	Achieved float64 `json:"achieved"` // messages a second
	P50      float64 `json:"p50"`      // seconds of lateness
	P99      float64 `json:"p99"`
}

// against lays the grid of the rate so that the earliest message is in time; nil with
// fewer than 100 messages, of which no 99th percentile can be told.
func (a *arrivals) against(rate float64) *Pacing {
	a.mu.Lock()
	at := slices.Clone(a.at)
	a.mu.Unlock()
	n := len(at)
	if n < 100 {
		return nil
	}
	late := make([]float64, n)
	for i, t := range at {
		late[i] = float64(t-at[0])/1e9 - float64(i)/rate
	}
	slices.Sort(late)
	p := &Pacing{N: n, P50: late[n/2] - late[0], P99: late[n*99/100] - late[0]}
	if took := time.Duration(at[n-1] - at[0]); took > 0 {
		p.Achieved = float64(n-1) / took.Seconds()
	}
	return p
}
