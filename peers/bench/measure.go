//go:build linux

package main

import (
	"context"
	"fmt"
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
	rate              float64 // handshakes a second, as the server saw them; 0 if it does not tell
	perCore           float64 // handshakes by each second of CPU of the generator
}

// idleClients has n clients connect and stay.
func (b *bench) idleClients(ctx context.Context, of server, g *generator, n int) (r idleResult, err error) {
	p, err := b.startPair(ctx, of, g, work{kind: workIdle, path: of.path, clients: n, hold: holdIdle})
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
	spent, err := p.generator.usage()
	if err != nil {
		return r, err
	}
	r.perCore = float64(n) / spent.cpu
	if err := rest(ctx, settle); err != nil {
		return r, err
	}
	if s, err = p.stats(ctx, ""); err == nil && s.Open < n {
		err = fmt.Errorf("%d of %d clients were left after %s", s.Open, n, settle)
	}
	if err != nil {
		return r, err
	}
	near, err := p.generator.usage()
	if err != nil {
		return r, err
	}
	far, err := p.server.usage()
	r.generator, r.server = near.rss, far.rss
	return r, err
}

// idlePerClient is what one more idle client takes on either side, in bytes, between
// few and n, each in fresh processes: memory is not given back. Its rates are those
// of n.
func (b *bench) idlePerClient(ctx context.Context, of server, g *generator, n int) (r idleResult, err error) {
	few, err := b.idleClients(ctx, of, g, fewClients)
	if err != nil {
		return r, err
	}
	if r, err = b.idleClients(ctx, of, g, n); err != nil {
		return r, err
	}
	more := float64(n - fewClients)
	r.generator, r.server = (r.generator-few.generator)/more, (r.server-few.server)/more
	return r, nil
}

// echoResult is a closed loop.
type echoResult struct {
	rate              float64 // messages a second
	generator, server float64 // cores used
}

// echo has clients send their next message when their last came back.
func (b *bench) echo(ctx context.Context, g *generator) (r echoResult, err error) {
	p, err := b.startPair(ctx, b.echoServer(), g, work{kind: workEcho, path: "/ws", clients: echoClients, hold: echoWarmUp + echoFor + 20*time.Second})
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
	from, to, err := p.over(ctx, echoFor)
	if err != nil {
		return r, err
	}
	if to.Echoed == from.Echoed {
		return r, fmt.Errorf("no message came in %s; its last lines: %s", echoFor, p.generator.lastLines())
	}
	r.rate = float64(to.Echoed-from.Echoed) / float64(to.At-from.At) * 1e9
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
	p, err := b.startPair(ctx, b.echoServer(), g, work{kind: workPace, path: "/paced", clients: 1, rate: paceRate, hold: paceFor + 10*time.Second})
	if err != nil {
		return r, err
	}
	defer p.end()
	if _, err := p.connected(ctx, 1); err != nil {
		return r, err
	}
	from, to, err := p.over(ctx, paceFor)
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
	return paceResult{p99: s.Pacing.P99, achieved: s.Pacing.Achieved, generator: cores(from.generator, to.generator)}, nil
}
