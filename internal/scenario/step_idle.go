package scenario

import (
	"context"
	"time"

	"wsrig/loadgen"
)

// Idle lets the clients sit.
type Idle struct {
	For         Duration  `json:"for" wsrig:"required" eg:"15s" doc:"how long to watch"`
	UntilClosed bool      `json:"until_closed" doc:"whether the step ends early once every client is closed"`
	Keepalive   Keepalive `json:"keepalive,omitzero" doc:"from here on: none stops the clients' pings, client-ping INTERVAL begins them"`
}

func newIdle() *Idle { return &Idle{UntilClosed: true} }

// Kind is "idle".
func (s *Idle) Kind() string { return "idle" }

// Text is "idle for 15s".
func (s *Idle) Text() string {
	text := "idle for " + s.For.String()
	if s.Keepalive.By != "" {
		text += ", keepalive " + s.Keepalive.String()
	}
	return text
}

// Validate judges the step; see checkedStep.
func (s *Idle) Validate(p *progress) {
	p.needClients("idle")
	switch {
	case s.Keepalive.By == NodePing:
		p.fail("keepalive", "nodes ping from their start or not at all; set %s on the connect", s.Keepalive)
	case s.Keepalive.By == KeepaliveNone && p.pings != nil && p.pings.keepalive.By == NodePing:
		p.fail("keepalive", "the pings of the connect at %s come from the nodes and cannot stop; use client-ping there, or leave keepalive out here",
			p.where(p.pings.path))
	}
}

// idleWindow is one idle step as it went.
type idleWindow struct {
	step       int
	start, end int64 // wire time
	clients    int   // open at the start
	left       int   // open at the end
}

// run does the step; see runStep.
func (s *Idle) run(ctx context.Context, t *trial) error {
	spec := loadgen.IdleSpec{For: time.Duration(s.For), UntilClosed: s.UntilClosed}
	if s.Keepalive.By != "" {
		spec.Keepalive = &loadgen.Keepalive{Kind: s.Keepalive.By, Every: s.Keepalive.Every}
	}
	results, err := each[loadgen.IdleResult](ctx, t, loadgen.CommandIdle, t.bar(s.Text()), func(int) any { return spec })
	if err != nil {
		return err
	}
	w := idleWindow{step: t.step, start: results[0].Start, end: results[0].End}
	for _, r := range results {
		w.start, w.end = min(w.start, r.Start), max(w.end, r.End)
		w.clients += r.Clients
		w.left += r.Left
	}
	t.idles = append(t.idles, w)
	return nil
}
