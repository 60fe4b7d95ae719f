package report

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// The fixtures are runs as the rig would write them, from a fixed seed. They are
// kept as testdata/<scenario>/run.json, which is all that the reports are made
// from; `go test -update` makes them again.
var fixtures = map[string]func(*testing.T) *result.Run{
	"idle-timeout": idleFixture,
	"smoke":        smokeFixture,
	"restart":      restartFixture,
	"nodes":        nodesFixture,
	"capacity":     capacityFixture,
}

var fixtureStart = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newFixture(scenario string, cells []result.Cell, marks []result.Mark) *result.Run {
	return &result.Run{
		Schema:   result.Schema,
		Scenario: scenario,
		Environment: result.Environment{
			RunID: "0123abcd", Started: fixtureStart, Ended: fixtureStart.Add(80 * time.Second),
			Command: []string{"wsrig", "run", scenario}, Wsrig: "v0.1.0", Go: "go1.26.0", OS: "linux", Kernel: "6.1.0",
			CPU: "example", Cores: 2, Memory: 24 << 30, Limits: map[string]string{"descriptors": "20000"},
			Runtime: "process", Bus: "redis",
			Versions: map[string]string{"haproxy": "2.6.12", "nginx": "1.22.1", "redis-server": "7.0.15"},
			SelfNoise: &result.SelfNoise{
				PingPong: result.NoiseFigures{P50: 61e-6, P99: new(142e-6), Max: 1.1e-3, N: 1000, Rate: 1000},
				Echo:     result.NoiseFigures{P50: 148e-6, P99: new(402e-6), Max: 2.3e-3, N: 1000, Rate: 1000},
				Lag:      result.NoiseFigures{P50: 2e-6, P99: new(38e-6), Max: 0.4e-3, N: 1001, Rate: 1000},
				AddedP50: 87e-6, AddedP99: new(260e-6), Doubts: []string{},
			},
		},
		Plan:  json.RawMessage(`{"scenario":"` + scenario + `","seed":7}`),
		Cells: cells,
		Marks: marks,
	}
}

// judgedFixture aggregates, checks and judges a fixture as the runner does.
func judgedFixture(t *testing.T, run *result.Run, exprs ...string) *result.Run {
	t.Helper()
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, tr := range c.Trials {
			if c.Proxy == "direct" {
				delete(tr.Metrics, "usage.cpu_proxy")
				delete(tr.Metrics, "usage.rss_proxy")
			}
		}
		result.Aggregate(c)
	}
	if err := Check(run, exprs); err != nil {
		t.Fatal(err)
	}
	run.Verdict = Verdict(run)
	return run
}

// idleWatch is how long the idle fixture idles, in seconds.
const idleWatch = 8.0

var idleProxies = []struct {
	proxy    string
	declared *result.Declared
	measured float64 // what closes a silent tunnel, in seconds; 0 nothing
	flags    string
}{
	{"direct", nil, 0, ""},
	{"haproxy:short-tunnel", &result.Declared{IdleTimeout: 2, Directive: "timeout tunnel", Where: "haproxy.cfg:14 (defaults)", Why: "after the 101 it replaces timeout client and timeout server"}, 2, "cD--"},
	{"haproxy:no-tunnel-timeout", &result.Declared{IdleTimeout: 3, Directive: "timeout client", Where: "haproxy.cfg:12 (defaults)", Why: "without timeout tunnel the shorter of timeout client and timeout server stays in force"}, 1.6, "cD--"},
	{"nginx:short-read", &result.Declared{IdleTimeout: 5, Directive: "proxy_read_timeout", Where: "nginx.conf:21 (location /ws)", Why: "it ends a tunnel in which the node sends nothing for that long"}, 5, ""},
	{"nginx:defaults", &result.Declared{IdleTimeout: 60, Directive: "proxy_read_timeout", Where: "built-in default", Why: "no directive sets it"}, 60, ""},
}

var idleKeepalives = []struct {
	name  string
	every float64 // seconds between bytes; 0 never
}{
	{"none", 0}, {"client-ping 500ms", 0.5}, {"client-ping 4s", 4}, {"node-ping 500ms", 0.5}, {"node-ping 4s", 4},
}

// idleFixture has 5 proxies, 5 keepalives, 200 clients and 2 trials. One proxy
// closes earlier than it declares.
func idleFixture(t *testing.T) *result.Run {
	rng := rand.New(rand.NewPCG(1, 2))
	var cells []result.Cell
	var marks []result.Mark
	for _, p := range idleProxies {
		for _, k := range idleKeepalives {
			c := result.Cell{
				ID: p.proxy + " keepalive=" + k.name, Proxy: p.proxy,
				Params: map[string]string{"keepalive": k.name}, Declared: p.declared,
			}
			for index := 1; index <= 2; index++ {
				closes := func(limit float64) bool { return limit > 0 && limit < idleWatch && (k.every == 0 || k.every > limit) }
				declared := 0.0
				if p.declared != nil {
					declared = p.declared.IdleTimeout
				}
				tr := idleTrial(t, rng, index, declared, closes(declared), p.measured, closes(p.measured), p.flags)
				c.Trials = append(c.Trials, tr)
				marks = append(marks,
					result.Mark{Cell: c.ID, Trial: index, Step: 0, Kind: "connect", Text: "connect 200 clients", Start: 0, End: 1},
					result.Mark{Cell: c.ID, Trial: index, Step: 1, Kind: "idle", Text: "idle for 8s", Start: 1, End: 1 + idleWatch})
			}
			cells = append(cells, c)
		}
	}
	return judgedFixture(t, newFixture("idle-timeout", cells, marks),
		"idle.closed_after.p50 within 10% of declared.closed_after when declared.survived == 0",
		"idle.survived == declared.survived")
}

func idleTrial(t *testing.T, rng *rand.Rand, index int, declared float64, closesDeclared bool, measured float64, closes bool, flags string) result.Trial {
	const clients = 200
	m := map[string]result.Metric{}
	result.Set(m, "idle.clients", clients, clients)
	result.Set(m, "declared.survived", 1, 1)
	if closesDeclared {
		result.Set(m, "declared.survived", 0, 1)
		result.Set(m, "declared.closed_after", declared, 1)
	}
	handshakes(m, rng, clients)
	usage(m, rng)
	tr := result.Trial{Index: index, Started: fixtureStart, Duration: idleWatch + 1.5, Seed: 7, Metrics: m, Handshakes: map[string]int{"101": clients}}
	survived := 1.0
	if closes {
		h, lo, hi := record(clients, func() float64 { return measured*1000 + 1 + rng.Float64()*8 })
		result.SetDist(m, "idle.closed_after", h, lo, hi, 1e-3)
		survived = 0
		after := pack(t, h, "ms", lo, hi)
		tr.Closes = []result.CloseGroup{{By: "proxy", Kind: "FIN", Cause: "idle timeout", Flags: flags, Count: clients, After: &after, Silent: &after}}
	} else {
		h, lo, hi := record(clients, func() float64 { return idleWatch*1000 + 50 + rng.Float64()*50 })
		after := pack(t, h, "ms", lo, hi)
		tr.Closes = []result.CloseGroup{{By: "client", Kind: "close frame", Code: 1000, Cause: "asked", Count: clients, After: &after, Silent: &after}}
	}
	result.Set(m, "idle.survived", survived, clients)
	return tr
}

// smokeFixture has three proxies, three trials, and nothing amiss.
func smokeFixture(t *testing.T) *result.Run {
	rng := rand.New(rand.NewPCG(3, 4))
	var cells []result.Cell
	for i, proxy := range []string{"direct", "haproxy:leastconn", "nginx:least-conn"} {
		c := result.Cell{ID: proxy, Proxy: proxy}
		for index := 1; index <= 3; index++ {
			c.Trials = append(c.Trials, chatTrial(t, rng, index, 5, float64(i)*60e3, nil))
		}
		cells = append(cells, c)
	}
	return judgedFixture(t, newFixture("smoke", cells, nil), "delivery.reach == 100%", "delivery.lost == 0", "delivery.duplicate == 0", "delivery.reordered == 0")
}

// restartFixture has a node killed under load, a trial that proves nothing, and
// parties that count connections differently.
func restartFixture(t *testing.T) *result.Run {
	rng := rand.New(rand.NewPCG(5, 6))
	kill := result.Mark{Trial: 1, Step: 2, Kind: "kill", Text: "kill n1", Start: 6, End: 8.5}
	var cells []result.Cell
	var marks []result.Mark
	for i, proxy := range []string{"direct", "haproxy:leastconn"} {
		c := result.Cell{ID: proxy, Proxy: proxy}
		kill.Cell = proxy
		marks = append(marks, kill)
		c.Trials = []result.Trial{chatTrial(t, rng, 1, 15, float64(i)*60e3, &kill)}
		cells = append(cells, c)
	}
	slow := chatTrial(t, rng, 2, 5, 60e3, nil)
	slow.Inconclusive = []string{"the generator was saturated: schedule lag p99 51 ms, limit 5 ms"}
	cells[1].Trials = append(cells[1].Trials, slow)
	seen := 99
	first := &cells[1].Trials[0]
	first.Views = []result.View{{At: "connect", Step: 0, Client: 100, Node: map[string]int{"n1": 50, "n2": 50}, Proxy: &seen}}
	first.Failed = []string{"after connect 100 clients count 100 connections, the nodes 100, the proxy 99"}
	first.Handshakes["HTTP 503"] = 4
	first.Handshakes["refused"] = 11
	first.HandshakeErrors = map[string]string{
		"HTTP 503": "the server answered 503 Service Unavailable",
		"refused":  "connect: connection refused",
	}
	result.Set(first.Metrics, "handshake.failed", 15, 115)
	return judgedFixture(t, newFixture("restart", cells, marks), "delivery.lost_unexplained == 0", "idle.survived == 100%")
}

// chatTrial is 100 clients in 4 rooms at 50 messages a second. extra is what the
// proxy adds to a delivery, in nanoseconds.
func chatTrial(t *testing.T, rng *rand.Rand, index, length int, extra float64, fault *result.Mark) result.Trial {
	const clients, perSecond, room = 100, 50, 25
	m := map[string]result.Metric{}
	tr := result.Trial{
		Index: index, Started: fixtureStart, Duration: float64(length) + 1, Seed: 7, Metrics: m,
		Handshakes: map[string]int{"101": clients}, Histograms: map[string]result.Histogram{},
	}
	all, same, cross := result.NewHDR(), result.NewHDR(), result.NewHDR()
	var lost int64
	for s := range length {
		iv := result.Interval{Start: float64(s), Open: clients, Intended: perSecond, Sent: perSecond, ByNode: map[string]int{"n1": 50, "n2": 50}}
		slow, down := 1.0, false
		if fault != nil && float64(s) >= fault.Start && float64(s) < fault.End {
			slow, down = 30, true
			iv.ByNode["n1"], iv.ByNode["n2"] = 0, 80
			iv.Open = 80
		}
		h, lo, hi := record(perSecond*room, func() float64 {
			v := slow * (150e3 + extra + 80e3*rng.ExpFloat64())
			target := same
			if rng.IntN(2) == 0 {
				v += 160e3 * (1 + rng.ExpFloat64())
				target = cross
			}
			must(t, target.RecordValue(int64(v)))
			return v
		})
		all.Merge(h)
		iv.Deliveries = h.TotalCount()
		if down {
			lost += 40
			iv.Deliveries -= 40
		}
		packed := pack(t, h, "ns", lo, hi)
		iv.Latency = &packed
		tr.Intervals = append(tr.Intervals, iv)
	}
	for name, h := range map[string]*hdrhistogram.Histogram{"delivery.latency": all, "delivery.latency_same_node": same, "delivery.latency_cross_node": cross} {
		tr.Histograms[name] = pack(t, h, "ns", h.Min(), h.Max())
		result.SetDist(m, name, h, h.Min(), h.Max(), 1e-9)
	}
	deliveryCounts(m, int64(length*perSecond), int64(length*perSecond*room), lost)
	result.Set(m, "delivery.backplane_tax", m["delivery.latency_cross_node.p50"].Value-m["delivery.latency_same_node.p50"].Value, all.TotalCount())
	if fault != nil {
		tr.Losses = []result.Loss{{Mark: fault.Text, Lost: lost, Deliveries: 3 * perSecond * room}, {Deliveries: int64((length - 3) * perSecond * room)}}
	}
	handshakes(m, rng, clients)
	usage(m, rng)
	return tr
}

func deliveryCounts(m map[string]result.Metric, sent, owed, lost int64) {
	for name, v := range map[string]int64{
		"delivery.sent": sent, "delivery.owed": owed, "delivery.received": owed - lost, "delivery.lost": lost, "delivery.lost_unexplained": 0,
		"delivery.duplicate": 0, "delivery.reordered": 0, "delivery.late": 0, "rate.dropped": 0,
	} {
		result.Set(m, name, float64(v), owed)
	}
	result.Set(m, "delivery.reach", float64(owed-lost)/float64(owed), owed)
	result.Set(m, "rate.asked", 50, sent)
	result.Set(m, "rate.achieved", 49.98, sent)
}

func handshakes(m map[string]result.Metric, rng *rand.Rand, n int) {
	result.Set(m, "handshake.ok", float64(n), int64(n))
	result.Set(m, "handshake.failed", 0, int64(n))
	result.Set(m, "handshake.rate", 200, int64(n))
	for _, part := range []struct {
		name string
		base float64 // nanoseconds
	}{{"handshake.connect", 60e3}, {"handshake.upgrade", 300e3}} {
		h, lo, hi := record(n, func() float64 { return part.base * (1 + rng.ExpFloat64()) })
		result.SetDist(m, part.name, h, lo, hi, 1e-9)
	}
}

func usage(m map[string]result.Metric, rng *rand.Rand) {
	for _, name := range []string{"usage.cpu_proxy", "usage.cpu_nodes", "usage.cpu_worker"} {
		result.Set(m, name, 0.02+0.05*rng.Float64(), 10)
	}
	for _, name := range []string{"usage.rss_proxy", "usage.rss_nodes", "usage.rss_worker"} {
		result.Set(m, name, math.Round(20e6+10e6*rng.Float64()), 10)
	}
}

func record(n int, next func() float64) (h *hdrhistogram.Histogram, lo, hi int64) {
	h, lo = result.NewHDR(), math.MaxInt64
	for range n {
		v := int64(next())
		lo, hi = min(lo, v), max(hi, v)
		if err := h.RecordValue(v); err != nil {
			panic(err)
		}
	}
	return h, lo, hi
}

func pack(t *testing.T, h *hdrhistogram.Histogram, unit string, lo, hi int64) result.Histogram {
	t.Helper()
	packed, err := result.Encode(h, unit, lo, hi)
	must(t, err)
	return packed
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
