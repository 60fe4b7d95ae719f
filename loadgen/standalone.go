package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Load is a stand-alone run against one server: connect, publish, wait for the last
// deliveries, and go.
type Load struct {
	URL         string // ws:// or wss://; {client}, {name} and {room} stand for a client's own
	Relay       string // who gets what a client publishes
	Clients     int
	ConnectRate float64 // handshakes a second
	Rooms       int
	Rate        float64 // messages a second; 0 publishes nothing
	For         time.Duration
	Arrival     string
	Size        int
	Publishers  int
	Grace       time.Duration
	Keepalive   Keepalive
	NoPong      bool
	Timeout     time.Duration
	Header      map[string][]string
	Subprotocol []string
	Insecure    bool
	CAFile      string
	Seed        uint64
}

// Validate returns every mistake at once.
func (l Load) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	u, err := url.Parse(strings.NewReplacer("{client}", "0", "{name}", "n", "{room}", "r").Replace(l.URL))
	switch {
	case l.URL == "":
		bad("url: say where to connect, as ws://127.0.0.1:8080/ws")
	case err != nil:
		bad("url %s: %w", l.URL, err)
	case u.Scheme != "ws" && u.Scheme != "wss":
		bad("url %s: the scheme is %q; use ws:// or wss://", l.URL, u.Scheme)
	case u.Host == "":
		bad("url %s: it names no host", l.URL)
	}
	if l.Clients < 1 {
		bad("clients %d: use 1 or more", l.Clients)
	}
	if l.ConnectRate <= 0 {
		bad("connect-rate %g/s: use a rate above 0", l.ConnectRate)
	}
	if l.Rate < 0 {
		bad("rate %g/s: use 0 to publish nothing, or more", l.Rate)
	}
	if l.Rooms < 1 || l.Rooms > max(1, l.Clients) {
		bad("rooms %d: use 1 to %d, the number of clients", l.Rooms, max(1, l.Clients))
	}
	if l.For <= 0 {
		bad("for %s: use a length above 0", l.For)
	}
	if l.Timeout <= 0 {
		bad("timeout %s: use a length above 0", l.Timeout)
	}
	return errors.Join(errs...)
}

// Run makes a stand-alone run with an engine. progress is called from other
// goroutines with the step's name.
func (l Load) Run(ctx context.Context, engine Engine, progress func(step string, p Progress)) (*Summary, error) {
	fleet, err := NewFleet(engine, BeginSpec{Relay: l.Relay})
	if err != nil {
		return nil, err
	}
	finished := false
	defer func() {
		if !finished {
			fleet.Abandon()
		}
	}()
	in := func(step string) func(Progress) { return func(p Progress) { progress(step, p) } }
	if _, err := fleet.Connect(ctx, l.connect(), in("connect")); err != nil {
		return nil, err
	}
	var published []PublishResult
	if l.Rate > 0 {
		res, err := fleet.Publish(ctx, PublishSpec{
			Phase: uint32(l.Seed) | 1, Rate: l.Rate, For: l.For, Arrival: l.Arrival, Seed: l.Seed,
			Size: l.Size, Publishers: l.Publishers, Grace: l.Grace,
		}, in("publish"))
		if err != nil {
			return nil, err
		}
		published = append(published, res)
		if _, err := fleet.Await(ctx, AwaitSpec{Logs: res.Logs, Grace: l.Grace}, in("wait for deliveries")); err != nil {
			return nil, err
		}
	} else if _, err := fleet.Idle(ctx, IdleSpec{For: l.For, UntilClosed: true}, in("idle")); err != nil {
		return nil, err
	}
	finished = true
	snapshot, err := fleet.Finish(ctx)
	if err != nil {
		return nil, err
	}
	return Summarize([]Snapshot{snapshot}, published, nil)
}

func (l Load) connect() ConnectSpec {
	return ConnectSpec{
		URLs: []string{l.URL}, Clients: l.Clients, Total: l.Clients, Rate: l.ConnectRate, Rooms: l.Rooms, Seed: l.Seed,
		Keepalive: l.Keepalive, NoPong: l.NoPong, Timeout: l.Timeout, Header: l.Header,
		Subprotocol: l.Subprotocol, Insecure: l.Insecure, CAFile: l.CAFile,
	}
}
