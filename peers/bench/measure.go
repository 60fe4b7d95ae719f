//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

// Sizes and lengths of the measurements.
const (
	fewClients  = 100 // of the smaller of the two sizes between which memory is compared
	echoClients = 100
	paceRate    = 1000.0 // messages a second
	paceFor     = 5 * time.Second
	echoWarmUp  = time.Second
	echoFor     = 4 * time.Second
	settle      = 3 * time.Second // after the last handshake, before memory is read
	// holdIdle is longer than any connecting may take.
	holdIdle = 5 * time.Minute
	// connectWithin bounds the connecting; stalledFor is how long nobody may connect.
	connectWithin = 2 * time.Minute
	stalledFor    = 15 * time.Second
)

// stats is what the echo server answers; see the command echo.
type stats struct {
	At, Accepted, First, Last, Echoed int64
	Open                              int
	Pacing                            *struct {
		N                  int
		Achieved, P50, P99 float64
	}
}

// pair is an echo server and a generator, each on its core.
type pair struct {
	server, generator *process
	addr              string
}

// startPair starts both, fresh.
func (b *bench) startPair(ctx context.Context, g *generator, w work) (*pair, error) {
	server, err := b.start(command{name: "echo", core: serverCore, argv: []string{filepath.Join(b.bin, "peers", "echo")}})
	if err != nil {
		return nil, err
	}
	p := &pair{server: server}
	if p.addr, err = server.listening(ctx); err != nil {
		p.end()
		return nil, err
	}
	w.addr = p.addr
	argv, env, err := g.command(b, w)
	if err == nil {
		p.generator, err = b.start(command{name: "generator", core: generatorCore, argv: argv, env: env})
	}
	if err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// end ends both: the server first, which resets what is open and so leaves no port in
// TIME_WAIT.
func (p *pair) end() {
	p.server.end(true)
	if p.generator != nil {
		p.generator.end(false)
	}
}

// stats asks the server.
func (p *pair) stats(ctx context.Context, query string) (s stats, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/stats"+query, nil)
	if err != nil {
		return s, err
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return s, errors.Join(err, p.server.over())
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("the echo server answers %s", resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// connected waits until n clients are open, or no more come.
func (p *pair) connected(ctx context.Context, n int) (s stats, err error) {
	best, since := 0, time.Now()
	err = await(ctx, connectWithin, fmt.Sprintf("%d clients", n), func() (bool, error) {
		if s, err = p.stats(ctx, ""); err != nil {
			return false, err
		}
		if s.Open > best {
			best, since = s.Open, time.Now()
		}
		if s.Open < n && time.Since(since) > stalledFor {
			return false, fmt.Errorf("%d of %d clients were open, and no more came for %s; its last lines: %s", s.Open, n, stalledFor, p.generator.lastLines())
		}
		return s.Open >= n, p.generator.over()
	})
	return s, err
}

// idleResult is what idle clients cost and how fast they came.
type idleResult struct {
	generator, server float64 // resident bytes of each
	rate              float64 // handshakes a second, as the server saw them
}

// idle has n clients connect and stay.
func (b *bench) idleClients(ctx context.Context, g *generator, n int) (r idleResult, err error) {
	p, err := b.startPair(ctx, g, work{kind: workIdle, path: "/ws", clients: n, hold: holdIdle})
	if err != nil {
		return r, err
	}
	defer p.end()
	s, err := p.connected(ctx, n)
	if err != nil {
		return r, err
	}
	if took := float64(s.Last-s.First) / 1e9; took > 0 {
		r.rate = float64(s.Accepted-1) / took
	}
	if err := rest(ctx, settle); err != nil {
		return r, err
	}
	if s, err = p.stats(ctx, ""); err == nil && s.Open < n {
		err = fmt.Errorf("%d of %d clients were left after %s", s.Open, n, settle)
	}
	if err != nil {
		return r, err
	}
	of, err := p.generator.usage()
	if err != nil {
		return r, err
	}
	by, err := p.server.usage()
	r.generator, r.server = of.rss, by.rss
	return r, err
}

// idlePerClient is what one more idle client takes, in bytes, between few and n, each
// in a fresh process: memory is not given back.
func (b *bench) idlePerClient(ctx context.Context, g *generator, n int) (perClient, rate float64, err error) {
	few, err := b.idleClients(ctx, g, fewClients)
	if err != nil {
		return 0, 0, err
	}
	many, err := b.idleClients(ctx, g, n)
	if err != nil {
		return 0, 0, err
	}
	return (many.generator - few.generator) / float64(n-fewClients), many.rate, nil
}

// echoResult is a closed loop.
type echoResult struct {
	rate              float64 // messages a second
	generator, server float64 // cores used
}

// echo has clients send their next message when their last came back.
func (b *bench) echo(ctx context.Context, g *generator) (r echoResult, err error) {
	p, err := b.startPair(ctx, g, work{kind: workEcho, path: "/ws", clients: echoClients, hold: echoWarmUp + echoFor + 20*time.Second})
	if err != nil {
		return r, err
	}
	defer p.end()
	if _, err := p.connected(ctx, echoClients); err != nil {
		return r, err
	}
	if err := rest(ctx, echoWarmUp); err != nil {
		return r, err
	}
	type reading struct {
		stats             stats
		generator, server usage
	}
	read := func() (x reading, err error) {
		if x.stats, err = p.stats(ctx, ""); err != nil {
			return x, err
		}
		if x.generator, err = p.generator.usage(); err != nil {
			return x, err
		}
		x.server, err = p.server.usage()
		return x, err
	}
	from, err := read()
	if err != nil {
		return r, err
	}
	if err := rest(ctx, echoFor); err != nil {
		return r, err
	}
	to, err := read()
	if err != nil {
		return r, err
	}
	if to.stats.Echoed == from.stats.Echoed {
		return r, fmt.Errorf("no message came in %s; its last lines: %s", echoFor, p.generator.lastLines())
	}
	r.rate = float64(to.stats.Echoed-from.stats.Echoed) / float64(to.stats.At-from.stats.At) * 1e9
	r.generator, r.server = cores(from.generator, to.generator), cores(from.server, to.server)
	return r, nil
}

// paceResult is an open loop.
type paceResult struct {
	p99, achieved float64 // lateness in seconds; messages a second
	generator     float64 // cores used
}

// pace has one client send at even gaps.
func (b *bench) pace(ctx context.Context, g *generator) (r paceResult, err error) {
	p, err := b.startPair(ctx, g, work{kind: workPace, path: "/paced", clients: 1, rate: paceRate, hold: paceFor + 10*time.Second})
	if err != nil {
		return r, err
	}
	defer p.end()
	if _, err := p.connected(ctx, 1); err != nil {
		return r, err
	}
	from, err := p.generator.usage()
	if err != nil {
		return r, err
	}
	if err := rest(ctx, paceFor); err != nil {
		return r, err
	}
	to, err := p.generator.usage()
	if err != nil {
		return r, err
	}
	s, err := p.stats(ctx, fmt.Sprintf("?rate=%g", paceRate))
	if err == nil && s.Pacing == nil {
		err = fmt.Errorf("too few messages came in %s; its last lines: %s", paceFor, p.generator.lastLines())
	}
	if err != nil {
		return r, err
	}
	return paceResult{p99: s.Pacing.P99, achieved: s.Pacing.Achieved, generator: cores(from, to)}, nil
}
