package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wsrig/internal/result"
)

// side is a cell with one trial, changed.
func side(change func(*result.Cell, *result.Trial)) result.Cell {
	c := result.Cell{ID: "haproxy:a", Proxy: "haproxy:a", Params: map[string]string{}, Trials: []result.Trial{{Index: 1, Metrics: map[string]result.Metric{}}}}
	change(&c, &c.Trials[0])
	result.Aggregate(&c)
	return c
}

func declares(seconds float64, directive string) func(*result.Cell, *result.Trial) {
	return func(c *result.Cell, _ *result.Trial) {
		c.Declared = &result.Declared{IdleTimeout: seconds, Directive: directive, Where: "a.cfg:7 (backend b)"}
	}
}

func measures(metric string, value float64) func(*result.Cell, *result.Trial) {
	return func(_ *result.Cell, t *result.Trial) { result.Set(t.Metrics, metric, value, 1) }
}

func answers(outcomes map[string]int) func(*result.Cell, *result.Trial) {
	return func(_ *result.Cell, t *result.Trial) { t.Handshakes = outcomes }
}

func ends(groups ...result.CloseGroup) func(*result.Cell, *result.Trial) {
	return func(_ *result.Cell, t *result.Trial) { t.Closes = groups }
}

func spreads(algorithm string, open ...int) func(*result.Cell, *result.Trial) {
	return func(_ *result.Cell, t *result.Trial) {
		b := result.Balance{Phase: "restart", Algorithm: algorithm, Where: "a.cfg:9 (backend b)", Open: map[string]int{}}
		for i, n := range open {
			b.Open[string(rune('a'+i))] = n
		}
		t.Balance = []result.Balance{b}
	}
}

func finds(amiss ...string) func(*result.Cell, *result.Trial) {
	return func(_ *result.Cell, t *result.Trial) { t.Failed = amiss }
}

func TestFactsAreComparedAsTheyAre(t *testing.T) {
	idle := result.CloseGroup{By: "proxy", Kind: "FIN", Cause: "idle timeout", Count: 20}
	killed := result.CloseGroup{By: "node", Kind: "RST", Cause: "killed", Count: 5}
	byPlan := result.CloseGroup{By: "client", Kind: "close frame", Code: 1000, Cause: "asked", Count: 5}
	for _, row := range []struct {
		name          string
		base, head    func(*result.Cell, *result.Trial)
		fact, verdict string
		says          string // part of its sentence
	}{
		{"a shorter timeout", declares(3600, "timeout tunnel"), declares(30, "timeout tunnel"), "declared.idle_timeout", Worse, "3,600 s -> 30 s (base timeout tunnel, a.cfg:7 (backend b); head timeout tunnel"},
		{"a limit where there was none", declares(0, "timeout tunnel"), declares(30, "timeout client"), "declared.idle_timeout", Worse, "no limit -> 30 s"},
		{"no limit any more", declares(30, "timeout tunnel"), declares(0, "timeout tunnel"), "declared.idle_timeout", Changed, "30 s -> no limit"},
		{"a longer timeout", declares(30, "timeout tunnel"), declares(60, "timeout tunnel"), "declared.idle_timeout", Changed, ""},
		{"another directive", declares(30, "timeout tunnel"), declares(30, "timeout client"), "declared.idle_timeout", Changed, "head timeout client"},
		{"the same", declares(30, "timeout tunnel"), declares(30, "timeout tunnel"), "declared.idle_timeout", Same, ""},
		{"a lost message", measures("delivery.lost", 0), measures("delivery.lost", 1), "delivery.lost", Worse, "0 -> 1"},
		{"no duplicate any more", measures("delivery.duplicate", 3), measures("delivery.duplicate", 0), "delivery.duplicate", Improved, ""},
		{"clients closed", measures("idle.survived", 1), measures("idle.survived", 0.5), "idle.survived", Worse, "100 % -> 50 %"},
		{"another answer", answers(map[string]int{"101": 20}), answers(map[string]int{"101": 19, "HTTP 502": 1}), "handshake", Worse, "20 101 -> 19 101, 1 HTTP 502 (head has handshakes that ended with HTTP 502)"},
		{"fewer of an answer that base has too", answers(map[string]int{"101": 10, "refused": 10}), answers(map[string]int{"101": 20}), "handshake", Improved, ""},
		{"no handshake", answers(map[string]int{"101": 20}), answers(nil), "handshake", Unknown, "one side made no handshake"},
		{"a new end", ends(byPlan), ends(byPlan, idle), "closes", Worse, "none -> 20 FIN by proxy (idle timeout)"},
		{"an end that is gone", ends(killed), ends(), "closes", Improved, ""},
		{"another end", ends(killed), ends(idle), "closes", Changed, ""},
		{"another algorithm", spreads("round-robin", 5, 15), spreads("least-connections", 10, 10), "balance.restart.algorithm", Changed, "round-robin -> least-connections (base a.cfg:9 (backend b)"},
		{"another spread", spreads("round-robin", 5, 15), spreads("least-connections", 10, 10), "balance.restart.open", Changed, "5 15 -> 10 10"},
		{"the nodes the other way round", spreads("round-robin", 5, 15), spreads("round-robin", 15, 5), "balance.restart.open", Same, ""},
		{"views that disagree", finds(), finds("the proxy counts 3 clients more"), "amiss", Worse, "the proxy counts 3 clients more"},
		{"views that agree again", finds("x"), finds(), "amiss", Improved, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			base, head := newFixture("x", []result.Cell{side(row.base)}, nil), newFixture("x", []result.Cell{side(row.head)}, nil)
			c := compared(t, base, head, CompareOptions{})
			i := slices.IndexFunc(c.Cells[0].Facts, func(f FactComparison) bool { return f.Name == row.fact })
			if i < 0 {
				t.Fatalf("no fact %s among %v", row.fact, c.Cells[0].Facts)
			}
			if f := c.Cells[0].Facts[i]; f.Verdict != row.verdict || !strings.Contains(f.sentence(), row.says) {
				t.Errorf("%s: %s, want %s with %q", f.Verdict, f.sentence(), row.verdict, row.says)
			}
			if fails := c.Verdict.Status == result.Fail; fails != (row.verdict == Worse) {
				t.Errorf("the comparison is %v", c.Verdict)
			}
		})
	}
}

// TestASideThatDisagreesWithItselfIsNoFact: what differs between trials of one side is
// noise, and needs statistics.
func TestASideThatDisagreesWithItselfIsNoFact(t *testing.T) {
	base := figures("a", "idle.survived", 1, 0.99, 1, 1)
	head := figures("a", "idle.survived", 0.99, 1, 1, 0.98)
	c := compared(t, newFixture("x", []result.Cell{base}, nil), newFixture("x", []result.Cell{head}, nil), CompareOptions{})
	if len(c.Cells[0].Facts) != 0 || len(c.Cells[0].Metrics) != 1 || c.Cells[0].Metrics[0].Verdict != Same {
		t.Errorf("facts %v and figures %+v, want one figure that is the same", c.Cells[0].Facts, c.Cells[0].Metrics)
	}
}

func TestChecksThatFlip(t *testing.T) {
	yes, no := true, false
	for _, row := range []struct {
		name       string
		base, head *bool
		absolute   bool
		verdict    string
		status     string
	}{
		{"holds no more", &yes, &no, false, Worse, result.Fail},
		{"holds now", &no, &yes, false, Improved, result.Pass},
		{"fails on both sides", &no, &no, false, Same, result.Pass},
		{"fails on both sides and is absolute", &no, &no, true, Worse, result.Fail},
		{"cannot be judged any more", &yes, nil, false, Unknown, result.Inconclusive},
		{"could be judged on neither side", nil, nil, false, Same, result.Pass},
	} {
		t.Run(row.name, func(t *testing.T) {
			runs := []*result.Run{newFixture("x", []result.Cell{figures("a", "delivery.lost", 0)}, nil), newFixture("x", []result.Cell{figures("a", "delivery.lost", 0)}, nil)}
			for i, ok := range []*bool{row.base, row.head} {
				runs[i].Checks = []result.Check{{Cell: "a", Expr: "delivery.lost == 0", OK: ok, Got: "g", Want: "w"}}
				if row.absolute {
					runs[i].Plan = json.RawMessage(`{"checks": [{"expr": "delivery.lost == 0", "file": "results/baseline/x.yaml"}]}`)
				}
			}
			c := compared(t, runs[0], runs[1], CompareOptions{})
			i := slices.IndexFunc(c.Cells[0].Facts, func(f FactComparison) bool { return f.Name == "check delivery.lost == 0" })
			if f := c.Cells[0].Facts[i]; f.Verdict != row.verdict || c.Verdict.Status != row.status {
				t.Errorf("%s and %v, want %s and %s", f.Verdict, c.Verdict, row.verdict, row.status)
			}
			noted := slices.ContainsFunc(c.Notes, func(n string) bool { return strings.Contains(n, "Fails on both sides") })
			if want := row.name == "fails on both sides"; noted != want {
				t.Errorf("notes %q; that it fails on both sides is noted: %v, want %v", c.Notes, noted, want)
			}
		})
	}
}
