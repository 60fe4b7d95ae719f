//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// stats is what a server says of itself.
type stats struct {
	At       int64 // nanoseconds of a clock of its own
	Open     int   // connections
	Accepted int64 // handshakes, and the time of the first and last
	First    int64
	Last     int64
	Echoed   int64 // messages that went out
	Pacing   *struct {
		N                  int
		Achieved, P50, P99 float64
	}
}

// server is what the generators connect to.
type server struct {
	name, path string
	argv       []string
	stats      func(ctx context.Context, addr, query string) (stats, error)
}

// echoServer is this folder's.
func (b *bench) echoServer() server {
	return server{name: "echo", path: "/ws", argv: []string{filepath.Join(b.bin, "peers", "echo")}, stats: echoStats}
}

// node is a chat node by itself.
func (b *bench) node() server {
	return server{
		name: "node", path: "/ws?room={room}&name={name}", stats: nodeStats,
		argv: []string{filepath.Join(b.bin, "wsrig"), "chatnode", "--listen", "127.0.0.1:0", "--bus", "none"},
	}
}

// get reads what an address answers.
func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}

func echoStats(ctx context.Context, addr, query string) (s stats, err error) {
	text, err := get(ctx, "http://"+addr+"/stats"+query)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// nodeStats reads a node's metrics.
func nodeStats(ctx context.Context, addr, _ string) (s stats, err error) {
	text, err := get(ctx, "http://"+addr+"/metrics")
	if err != nil {
		return s, err
	}
	s.At = time.Now().UnixNano()
	found := 0
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "chatnode_connections_open" && name != "chatnode_deliveries_total" {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return s, fmt.Errorf("metric %s: %w", name, err)
		}
		found++
		if name == "chatnode_connections_open" {
			s.Open = int(v)
		} else {
			s.Echoed = int64(v)
		}
	}
	if found != 2 {
		return s, errors.New("the node does not tell its connections and deliveries")
	}
	return s, nil
}

// pair is a server and a generator, each on its core.
type pair struct {
	server, generator *process
	of                server
	addr              string
}

// startPair starts both, fresh.
func (b *bench) startPair(ctx context.Context, of server, g *generator, w work) (*pair, error) {
	running, err := b.start(command{name: of.name, core: serverCore, argv: of.argv})
	if err != nil {
		return nil, err
	}
	p := &pair{server: running, of: of}
	if p.addr, err = running.listening(ctx); err != nil {
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

// end ends both. The echo server, which is asked first, resets what is open and so
// leaves no port in TIME_WAIT; a chat node would take its time to drain.
func (p *pair) end() {
	p.server.end(p.of.name == "echo")
	if p.generator != nil {
		p.generator.end(false)
	}
}

// stats asks the server.
func (p *pair) stats(ctx context.Context, query string) (stats, error) {
	s, err := p.of.stats(ctx, p.addr, query)
	if err != nil {
		err = errors.Join(err, p.server.over())
	}
	return s, err
}

// reading is a server's word and what both sides have used at the same time.
type reading struct {
	stats
	generator, server usage
}

func (p *pair) read(ctx context.Context) (x reading, err error) {
	if x.stats, err = p.stats(ctx, ""); err != nil {
		return x, err
	}
	if x.generator, err = p.generator.usage(); err != nil {
		return x, err
	}
	x.server, err = p.server.usage()
	return x, err
}

// over reads at the start and at the end of a while.
func (p *pair) over(ctx context.Context, length time.Duration) (from, to reading, err error) {
	if from, err = p.read(ctx); err != nil {
		return from, to, err
	}
	if err = rest(ctx, length); err != nil {
		return from, to, err
	}
	to, err = p.read(ctx)
	return from, to, err
}
