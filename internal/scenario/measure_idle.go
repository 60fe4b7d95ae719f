package scenario

import (
	"time"

	"wsrig/loadgen"
)

// measureIdle records what the clients saw while they idled, beside what the
// configuration declares.
func (t *trial) measureIdle() error {
	if t.declared != nil && t.declared.IdleTimeout > 0 {
		t.set("declared.idle_timeout", t.declared.IdleTimeout, 1)
	}
	if len(t.idles) == 0 {
		return nil
	}
	t.predict()
	clients, left := 0, 0
	after, silence := loadgen.NewDistribution(), loadgen.NewDistribution()
	for _, w := range t.idles {
		clients += w.clients
		left += w.left
		for _, c := range t.closes {
			if c.Kind != loadgen.EndOpen && !c.ByClient && c.EndedAt >= w.start && c.EndedAt <= w.end {
				after.Put(milliseconds(c.After))
				silence.Put(milliseconds(min(c.ReadSilence, c.WriteSilence)))
			}
		}
	}
	if clients == 0 {
		return nil
	}
	t.set("idle.clients", float64(clients), int64(clients))
	t.set("idle.survived", float64(left)/float64(clients), int64(clients))
	if err := after.Record(t.result.Metrics, t.result.Histograms, "idle.closed_after", "ms"); err != nil {
		return err
	}
	return silence.Record(t.result.Metrics, t.result.Histograms, "idle.silence", "ms")
}

// predict sets what should happen by the configuration: declared.survived, and
// declared.closed_after where the clients should be closed. It stays silent where
// the declared timeout alone does not tell, as after traffic or a fault.
func (t *trial) predict() {
	ping, watched, ok := t.quiet()
	if !ok {
		return
	}
	limit := time.Duration(0)
	if t.declared != nil {
		limit = time.Duration(t.declared.IdleTimeout * float64(time.Second))
	}
	// Clients that connected first have been idle for longer when the watch ends.
	ramp := time.Duration(t.idles[0].start - t.firstOpen())
	switch {
	case limit == 0, ping > 0 && ping < limit, limit > watched+ramp:
		t.set("declared.survived", 1, 1)
	case limit < watched && (ping == 0 || ping > limit):
		t.set("declared.survived", 0, 1)
		t.set("declared.closed_after", limit.Seconds(), 1)
	}
}

// quiet tells whether the cell does nothing but connect, wait and idle once, how
// often its tunnels carry a ping (0: never), and how long they are watched.
func (t *trial) quiet() (ping, watched time.Duration, ok bool) {
	idles := 0
	for _, s := range t.cell.Steps {
		switch s := s.(type) {
		case *Connect:
			if idles > 0 {
				return 0, 0, false
			}
			ping = s.Keepalive.Every
		case *Wait:
			watched += time.Duration(s.For)
		case *Idle:
			if idles++; idles > 1 || s.Keepalive.By != "" {
				return 0, 0, false
			}
			watched += time.Duration(s.For)
		case *Disconnect:
			if idles == 0 {
				return 0, 0, false
			}
		default:
			return 0, 0, false
		}
	}
	return ping, watched, idles == 1
}

// firstOpen is the wire time of the trial's first 101.
func (t *trial) firstOpen() int64 {
	first := t.idles[0].start
	for _, c := range t.closes {
		first = min(first, c.OpenedAt)
	}
	return first
}
