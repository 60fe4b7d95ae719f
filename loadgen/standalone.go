package loadgen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"wsrig/internal/wire"
)

// Load is a stand-alone run against one server: connect, publish, wait for the last
// deliveries, and go.
type Load struct {
	URL         string // ws:// or wss://; see fill for what it may hold
	Relay       string // who gets what a client publishes
	Clients     int
	ConnectRate float64 // handshakes a second
	Rooms       int
	InFlight    int     // most handshakes under way at once; 0 sets no limit
	Rate        float64 // messages a second; 0 publishes nothing, and in closed loop has no ceiling
	Loop        string  // LoopOpen, which "" stands for, or LoopClosed
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
	Cookies     []string // NAME=VALUE, for the host of URL
	CookieJar   string   // file of cookies in the format of Netscape
	Visit       string   // page that each client gets before its handshake; "" for none
	Seed        uint64
}

// Validate returns every mistake at once.
func (l Load) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if l.URL == "" {
		bad("url: say where to connect, as ws://127.0.0.1:8080/ws")
	} else if err := checkURL(l.URL, "ws", "wss"); err != nil {
		bad("url %s: %w", l.URL, err)
	}
	if l.Visit != "" {
		if err := checkURL(l.Visit, "http", "https"); err != nil {
			bad("visit %s: %w", l.Visit, err)
		}
	}
	spec := l.connect()
	if _, err := spec.cookies(); err != nil {
		errs = append(errs, err)
	}
	if l.Clients < 1 {
		bad("clients %d: use 1 or more", l.Clients)
	}
	if l.ConnectRate <= 0 {
		bad("connect-rate %g/s: use a rate above 0", l.ConnectRate)
	}
	if l.InFlight < 0 {
		bad("in-flight %d: use 1 or more, or 0 for no limit", l.InFlight)
	}
	if l.Rooms < 1 || l.Rooms > max(1, l.Clients) {
		bad("rooms %d: use 1 to %d, the number of clients", l.Rooms, max(1, l.Clients))
	}
	if l.Timeout <= 0 {
		bad("timeout %s: use a length above 0", l.Timeout)
	}
	if err := l.Keepalive.validate(); err != nil {
		errs = append(errs, err)
	}
	if l.CAFile != "" {
		if _, err := authorities(l.CAFile); err != nil {
			errs = append(errs, err)
		}
	}
	if l.For <= 0 {
		bad("for %s: use a length above 0", l.For)
	}
	return errors.Join(append(errs, l.validatePublish()...)...)
}

// validatePublish returns the mistakes in what is to be published.
func (l Load) validatePublish() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !(l.Rate >= 0) {
		bad("rate %g/s: use 0 to publish nothing, or more", l.Rate)
	}
	if l.Rate > 0 && l.For > 0 {
		if err := checkSchedule(l.Arrival, l.Rate, l.For); err != nil {
			errs = append(errs, err)
		}
	}
	if l.Size < wire.StampSize || l.Size > messageLimit {
		bad("size %d: use %d, which the stamp of a message takes, to %d bytes", l.Size, wire.StampSize, messageLimit)
	}
	if l.Publishers < 0 || l.Publishers > max(1, l.Clients) {
		bad("publishers %d: use 1 to %d, the number of clients, or 0 for one in each room", l.Publishers, max(1, l.Clients))
	}
	if l.Grace <= 0 {
		bad("grace %s: use a length above 0", l.Grace)
	}
	if !isLoop(l.Loop) {
		bad("loop %q: use %s or %s", l.Loop, LoopOpen, LoopClosed)
	}
	if !isRelay(l.Relay) {
		bad("relay %q: use %s, %s or %s", l.Relay, RelayRoom, RelayAll, RelaySelf)
	}
	return errs
}

// Run makes a stand-alone run with an engine. progress is called with the step's
// name, from one goroutine at a time. When no client gets a 101 the rest is left out.
func (l Load) Run(ctx context.Context, engine Engine, progress func(step string, p Progress)) (*Summary, error) {
	fleet, err := NewFleet(engine, BeginSpec{Relay: l.Relay})
	if err != nil {
		return nil, err
	}
	published, err := l.act(ctx, fleet, func(step string) func(Progress) {
		return func(p Progress) { progress(step, p) }
	})
	if err != nil {
		return nil, errors.Join(err, fleet.Abandon())
	}
	snapshot, err := fleet.Finish(ctx)
	if err != nil {
		return nil, err
	}
	return Summarize([]Snapshot{snapshot}, published, nil)
}

// act makes the steps of a run.
func (l Load) act(ctx context.Context, fleet *Fleet, in func(step string) func(Progress)) ([]PublishResult, error) {
	connected, err := fleet.Connect(ctx, l.connect(), in("connect"))
	if err != nil || connected.OK == 0 {
		return nil, err
	}
	if l.Rate == 0 && l.Loop != LoopClosed {
		_, err := fleet.Idle(ctx, IdleSpec{For: l.For, UntilClosed: true}, in("idle"))
		return nil, err
	}
	publish := fleet.Publish
	if l.Rate == 0 {
		publish = fleet.PublishClosed
	}
	res, err := publish(ctx, PublishSpec{
		Phase: uint32(l.Seed) | 1, Rate: l.Rate, For: l.For, Arrival: l.Arrival, Loop: l.Loop, Seed: l.Seed,
		Size: l.Size, Publishers: l.Publishers, Grace: l.Grace,
	}, in("publish"))
	if err != nil {
		return nil, err
	}
	_, err = fleet.Await(ctx, AwaitSpec{Logs: res.Logs, Grace: l.Grace}, in("wait for deliveries"))
	return []PublishResult{res}, err
}

func (l Load) connect() ConnectSpec {
	return ConnectSpec{
		URLs: []string{l.URL}, Clients: l.Clients, Total: l.Clients, Rate: l.ConnectRate, InFlight: l.InFlight, Rooms: l.Rooms, Seed: l.Seed,
		Keepalive: l.Keepalive, NoPong: l.NoPong, Timeout: l.Timeout, Header: l.Header,
		Subprotocol: l.Subprotocol, Insecure: l.Insecure, CAFile: l.CAFile,
		Cookies: l.Cookies, CookieJar: l.CookieJar, Visit: l.Visit,
	}
}
