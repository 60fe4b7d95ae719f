package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"wsrig/loadgen"
	"wsrig/testbed"
)

// Connect opens clients.
type Connect struct {
	Clients   Count             `json:"clients" wsrig:"required" eg:"100" doc:"clients to open"`
	Rate      Rate              `json:"rate" doc:"arrivals of handshakes; they do not wait for each other"`
	Rooms     Count             `json:"rooms" doc:"rooms that the clients join: client i joins room i mod rooms"`
	Keepalive Keepalive         `json:"keepalive" doc:"who pings: none, client-ping INTERVAL, or node-ping INTERVAL, which makes every node of the cell ping"`
	Pong      bool              `json:"pong" doc:"whether the clients answer pings"`
	Timeout   Duration          `json:"timeout" doc:"longest handshake; past it the client has failed"`
	Sources   Count             `json:"sources" doc:"addresses that the clients connect from: client i uses number i mod sources, each of the first 64516 in a /24 of its own; they are of 127.0.0.0/8 (Linux only above 1), in containers of 240.0.0.0/8; with 1 the system chooses"`
	InFlight  Count             `json:"in_flight,omitzero" eg:"500" doc:"most handshakes under way at once; one that is due waits until others have ended, and its wait counts; no limit if not given"`
	Path      string            `json:"path" doc:"URL path that the clients ask for"`
	Header    map[string]string `json:"header,omitempty" eg:"{Origin: http://a.example}" doc:"more headers of the HTTP upgrade; {client}, {name} and {room} in a value stand for a client's own"`
}

func newConnect() *Connect {
	return &Connect{Rate: 200, Rooms: 1, Sources: 1, Keepalive: Keepalive{By: KeepaliveNone}, Pong: true, Timeout: Duration(10 * time.Second), Path: "/ws"}
}

// Kind is "connect".
func (s *Connect) Kind() string { return "connect" }

// Text is "connect 200 clients at 200/s, client-ping 500ms".
func (s *Connect) Text() string {
	text := fmt.Sprintf("connect %s at %s", counted(int(s.Clients), "client"), s.Rate)
	if s.Rooms > 1 {
		text += fmt.Sprintf(" into %d rooms", s.Rooms)
	}
	if s.Keepalive.By != KeepaliveNone {
		text += ", " + s.Keepalive.String()
	}
	if !s.Pong {
		text += ", never answering pings"
	}
	return text
}

// ownHeaders are set by the handshake itself (RFC 6455 section 4.1).
var ownHeaders = []string{"connection", "upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol", "content-length", "transfer-encoding"}

// Validate judges the step; see checkedStep.
func (s *Connect) Validate(p *progress) {
	if s.Rooms > s.Clients && s.Clients > 0 {
		p.fail("rooms", "%d rooms for %s leave rooms empty; use %d or fewer", s.Rooms, counted(int(s.Clients), "client"), s.Clients)
	}
	if s.Sources > testbed.MaxSources {
		p.fail("sources", "%d source addresses are above the limit of %d; use %d or fewer", s.Sources, testbed.MaxSources, testbed.MaxSources)
	}
	if took := float64(s.Clients) / float64(s.Rate); took > maxDuration.Seconds() {
		p.fail("rate", "%d clients at %s take longer than the limit of 24h; raise the rate", s.Clients, s.Rate)
	}
	if !strings.HasPrefix(s.Path, "/") || strings.ContainsFunc(s.Path, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' || r == '?' }) {
		p.fail("path", "%q is no URL path; begin with / and use no spaces, ? or #", s.Path)
	}
	for name, value := range s.Header {
		switch {
		case name == "" || strings.ContainsFunc(name, notToken):
			p.fail("header", "%q is no header name; use letters, digits and -", name)
		case slices.Contains(ownHeaders, strings.ToLower(name)):
			p.fail(join("header", name), "the handshake sets %s itself; leave it out", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			p.fail(join("header", name), "the value of %s holds a control character; remove it", name)
		}
	}
	p.connected, p.closedBy = true, ""
	p.clients += int(s.Clients)
	p.rooms = max(p.rooms, int(s.Rooms))
	p.beginPings(s.Keepalive)
}

// sources is how many addresses the step's clients connect from: as many as it says, or
// else as its cell was fitted to; 0 if the kernel chooses.
func (s *Connect) sources(c *CellPlan) int {
	if s.Sources > 1 {
		return int(s.Sources)
	}
	if n := c.Testbed.Size.Sources; n > 1 {
		return n
	}
	return 0
}

// beginPings checks that the clients of a cell agree on pings from nodes, since a
// node pings all of its clients alike.
func (p *progress) beginPings(k Keepalive) {
	if cmd := p.cell.Testbed.NodeCmd; k.By == NodePing && len(cmd) > 0 {
		p.fail("keepalive", "only wsrig's own nodes ping when told to, and the nodes are %s; use client-ping, or node_cmd: wsrig", cmd[0])
	}
	if p.pings == nil {
		p.pings = &pings{k, p.path}
		return
	}
	first := p.pings.keepalive
	if first != k && (first.By == NodePing || k.By == NodePing) {
		p.fail("keepalive", "%s here and %s in the connect at %s cannot both be: a node pings all of its clients alike; use one",
			k, first, p.where(p.pings.path))
	}
}

// notToken is the complement of the characters of a header name (RFC 9110 section 5.6.2).
func notToken(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// counted is "1 client" or "200 clients".
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// run does the step; see runStep.
func (s *Connect) run(ctx context.Context, t *trial) error {
	bar := t.bar(s.Text())
	share := split(int(s.Clients), len(t.workers))
	first, offset := make([]int, len(share)), 0
	for i, n := range share {
		first[i] = offset
		offset += n
	}
	urls := make([]string, 0, len(t.tb.Nodes))
	for _, addr := range t.tb.Targets() {
		urls = append(urls, "ws://"+addr+s.Path+"?room={room}&name={name}")
	}
	header := map[string][]string{}
	for k, v := range s.Header {
		header[k] = []string{v}
	}
	sources := t.tb.Sources[:s.sources(t.cell)]
	base := t.clients
	if err := t.beginPhase(s, sources); err != nil {
		return err
	}
	t.clients += int(s.Clients)
	inFlight := splitAmong(int(s.InFlight), share)
	_, err := each[loadgen.ConnectResult](ctx, t, loadgen.CommandConnect, bar, func(w int) any {
		if share[w] == 0 {
			return nil // as rate and clients of 0 are no connect
		}
		if s.InFlight > 0 {
			inFlight[w] = max(1, inFlight[w]) // 0 would be no limit
		}
		return loadgen.ConnectSpec{
			URLs: urls, First: uint32(base + first[w]), Clients: share[w], Total: int(s.Clients), Offset: first[w],
			Rate: float64(s.Rate) * float64(share[w]) / float64(s.Clients), Rooms: int(s.Rooms), Seed: t.seed,
			Keepalive: loadgen.Keepalive{Kind: s.Keepalive.By, Every: s.Keepalive.Every},
			NoPong:    !s.Pong, Timeout: time.Duration(s.Timeout), Header: header, Sources: sources, InFlight: inFlight[w],
		}
	})
	if err != nil {
		return err
	}
	if err := t.compareViews(ctx, s.Kind()); err != nil {
		return err
	}
	return t.endPhase(ctx)
}
