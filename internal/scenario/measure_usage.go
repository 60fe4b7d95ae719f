package scenario

import (
	"slices"
	"strings"

	"wsrig/internal/result"
)

// minClientsForRSS is from how many idle clients on their memory is told apart from
// what a process takes and gives back by itself.
const minClientsForRSS = 1000

// roleUsage is what the units of one role used together.
type roleUsage struct {
	cpu, span float64
	rss       []rssSample // by sample number
	n         int64       // samples of single units
}

// rssSample is the resident memory of a role at one time.
type rssSample struct {
	at    float64 // seconds since the trial's start
	bytes uint64
}

// roleOf is the metric suffix of a unit, "" for one that is not measured.
func roleOf(unit string) string {
	switch {
	case strings.HasPrefix(unit, "proxy"): // proxy2, ... where several share the port
		return "proxy"
	case unit == "redis":
		return ""
	case strings.HasPrefix(unit, "worker"):
		return "worker"
	default:
		return "nodes"
	}
}

// measureUsage adds up what the units of each role used.
func (t *trial) measureUsage() {
	roles := map[string]*roleUsage{}
	for _, u := range t.usage {
		role := roleOf(u.Unit)
		if role == "" {
			continue
		}
		if roles[role] == nil {
			roles[role] = &roleUsage{}
		}
		roles[role].add(u.Samples)
	}
	for role, r := range roles {
		if r.span > 0 {
			t.set("usage.cpu_"+role, r.cpu/r.span, r.n)
		}
		most := slices.MaxFunc(r.rss, func(a, b rssSample) int { return int(int64(a.bytes) - int64(b.bytes)) })
		t.set("usage.rss_"+role, float64(most.bytes), r.n)
		if per, clients, ok := t.rssPerConnection(r.rss); ok {
			t.set("usage.rss_per_connection_"+role, per, int64(clients))
		}
	}
}

// add takes the samples of one more unit of the role. There is at least one.
func (r *roleUsage) add(samples []result.UsageSample) {
	first, last := samples[0], samples[len(samples)-1]
	r.cpu += last.CPU - first.CPU
	r.span = max(r.span, last.At-first.At)
	for i, s := range samples {
		if i == len(r.rss) {
			r.rss = append(r.rss, rssSample{at: s.At})
		}
		r.rss[i].bytes += s.RSS
		r.n++
	}
}

// rssPerConnection is by how much the median in the first idle step is above the
// first sample, which is from before any client, for each client. ok is false where
// that says nothing.
func (t *trial) rssPerConnection(samples []rssSample) (bytes float64, clients int, ok bool) {
	if len(t.idles) == 0 || t.idles[0].clients < minClientsForRSS || t.idles[0].left < t.idles[0].clients {
		return 0, 0, false
	}
	w := t.idles[0]
	var within []uint64
	for _, s := range samples {
		if s.at >= t.seconds(w.start) && s.at <= t.seconds(w.end) {
			within = append(within, s.bytes)
		}
	}
	if len(within) == 0 {
		return 0, 0, false
	}
	slices.Sort(within)
	grown := float64(within[len(within)/2]) - float64(samples[0].bytes)
	return grown / float64(w.clients), w.clients, true
}
