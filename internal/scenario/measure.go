package scenario

import (
	"math"
	"slices"

	"wsrig/internal/result"
	"wsrig/loadgen"
)

// measure turns a trial's records into its result. The testbed is down by now.
func (t *trial) measure() error {
	e, err := t.gather()
	if err != nil {
		return err
	}
	s, err := loadgen.Summarize(t.snapshots, t.publishes, t.faultAt)
	if err != nil {
		return err
	}
	for i := range s.Closes {
		e.blame(&s.Closes[i])
	}
	t.closes = s.Closes
	t.result = result.Trial{
		Index: t.index, Started: t.begun, Seed: t.seed, Duration: s.Duration,
		Metrics: s.Metrics, Histograms: s.Histograms, Intervals: s.Intervals, Handshakes: s.Handshakes, HandshakeErrors: s.Failures, Losses: s.Losses,
		Views: t.views, Usage: t.usage, Failed: t.failed, Inconclusive: s.Saturation, ClosedLoop: s.ClosedLoop,
	}
	if err := t.measureIdle(); err != nil {
		return err
	}
	t.measureOpen()
	t.measureBalance()
	t.measureUsage()
	t.measureNodeCores()
	t.measureCapacity()
	if t.hasStats {
		t.set("reload.old_processes", float64(t.stats.Old), 1)
	}
	t.result.Closes, err = closeGroups(t.closes)
	return err
}

func (t *trial) set(name string, value float64, n int64) {
	result.Set(t.result.Metrics, name, value, n)
}

// measureOpen takes the last comparison of views.
func (t *trial) measureOpen() {
	if len(t.views) == 0 {
		return
	}
	v := t.views[len(t.views)-1]
	t.set("connections.open", float64(v.Client), 1)
	if nodes, tell := v.Nodes(); tell {
		t.set("connections.open_node", float64(nodes), 1)
	}
	if v.Proxy != nil {
		t.set("connections.open_proxy", float64(*v.Proxy), 1)
	}
}

// closeGroups puts clients whose connections ended alike together.
func closeGroups(closes []loadgen.Close) ([]result.CloseGroup, error) {
	type key struct {
		by, kind    string
		code        int
		cause, flag string
	}
	type group struct{ after, silent *loadgen.Distribution }
	groups := map[key]*group{}
	var order []key
	for _, c := range closes {
		if c.Kind == loadgen.EndOpen {
			continue
		}
		k := key{c.By, c.Kind, c.Code, c.Cause, c.Flags}
		g := groups[k]
		if g == nil {
			g = &group{loadgen.NewDistribution(), loadgen.NewDistribution()}
			groups[k] = g
			order = append(order, k)
		}
		g.after.Put(milliseconds(c.After))
		g.silent.Put(milliseconds(min(c.ReadSilence, c.WriteSilence)))
	}
	slices.SortFunc(order, func(a, b key) int {
		if d := groups[b].after.Count() - groups[a].after.Count(); d != 0 {
			return int(d)
		}
		return slices.Compare([]string{a.by, a.kind, a.cause, a.flag}, []string{b.by, b.kind, b.cause, b.flag})
	})
	var out []result.CloseGroup
	for _, k := range order {
		g := groups[k]
		after, err := g.after.Encode("ms")
		if err != nil {
			return nil, err
		}
		silent, err := g.silent.Encode("ms")
		if err != nil {
			return nil, err
		}
		out = append(out, result.CloseGroup{
			By: k.by, Kind: k.kind, Code: k.code, Cause: k.cause, Flags: k.flag,
			Count: int(g.after.Count()), After: &after, Silent: &silent,
		})
	}
	return out, nil
}

// milliseconds is a length of time in seconds as whole milliseconds.
func milliseconds(seconds float64) int64 { return int64(math.Round(seconds * 1000)) }

// Window of a fault in which losses are laid to it, in nanoseconds: messages that were
// under way when it began, and those of the time in which the system recovers.
const (
	markBefore = 250_000_000
	markAfter  = 2_000_000_000
)

// faultAt is the text of the fault in whose window a wire time falls, "" for none.
func (t *trial) faultAt(at int64) string {
	for _, f := range t.faults {
		if at >= f.start-markBefore && at <= f.end+markAfter {
			return f.text
		}
	}
	return ""
}
