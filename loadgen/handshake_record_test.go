package loadgen

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"wsrig/internal/result"
)

func TestErrorsAreKeptFitForATerminal(t *testing.T) {
	long := strings.Repeat("\u00e9", 150)
	for text, want := range map[string]string{
		"connect: connection refused": "connect: connection refused",
		"two\n lines\tand tabs ":      "two lines and tabs",
		"\x1b[31mred\x07":             "?[31mred?",
		"not \xff UTF-8":              "not ? UTF-8",
		"right to left \u202e":        "right to left ?",
		long:                          strings.Repeat("\u00e9", 98) + "...",
		strings.Repeat("x", 200):      strings.Repeat("x", 200),
		strings.Repeat("x", 201):      strings.Repeat("x", 197) + "...",
		"":                            "",
	} {
		if got := plainText(text); got != want || len(got) > maxErrorText || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q (%d bytes), want %q", text, got, len(got), want)
		}
	}
}

func TestTheFirstErrorOfAnOutcomeIsKept(t *testing.T) {
	workers := make([]Snapshot, 2)
	for i, at := range [][]int64{{30, 40, 90}, {20, 80, 95}} {
		rec := newRecorder(0, &nodeTable{})
		rec.handshakeFailed("refused", errors.New("first of "+string('a'+rune(i))), at[0])
		rec.handshakeFailed("refused", errors.New("second"), at[1])
		if i == 0 {
			rec.handshakeFailed("timeout", errors.New("too late"), at[2])
		}
		workers[i] = Snapshot{Handshakes: rec.handshakes, Failures: rec.failures}
	}
	s := summarize(t, workers, nil, nil)
	if s.Failures["refused"] != "first of b" || s.Failures["timeout"] != "too late" || len(s.Failures) != 2 {
		t.Errorf("failures %v", s.Failures)
	}
}

// Rates are not added up: the time is that of all workers together.
func TestHandshakeRateIsOverTheTimeOfAllWorkers(t *testing.T) {
	const s = int64(1e9)
	worker := func(firstDue, lastOK int64, ok int) Snapshot {
		return Snapshot{Handshakes: map[string]int{outcomeOK: ok, "refused": 5}, FirstDue: firstDue, LastOK: lastOK}
	}
	for _, c := range []struct {
		why     string
		workers []Snapshot
		want    float64 // 0: none
	}{
		{"one worker", []Snapshot{worker(10*s, 12*s, 100)}, 50},
		{"two at once", []Snapshot{worker(10*s, 12*s, 100), worker(10*s, 12*s, 100)}, 100},
		{"two one after the other", []Snapshot{worker(10*s, 12*s, 100), worker(12*s, 14*s, 100)}, 50},
		{"one that had nothing to do", []Snapshot{worker(10*s, 12*s, 100), {}}, 50},
		{"one whose handshakes all failed, earlier", []Snapshot{worker(10*s, 12*s, 100), worker(8*s, 0, 0)}, 25},
		{"no 101", []Snapshot{worker(10*s, 0, 0)}, 0},
	} {
		m, there := summarize(t, c.workers, nil, nil).Metrics["handshake.rate"]
		if there != (c.want > 0) || m.Value != c.want {
			t.Errorf("%s: %+v (there: %v), want %g/s", c.why, m, there, c.want)
		}
	}
}

func TestFailedHandshakesShowAnExampleWithEveryEngine(t *testing.T) {
	teapot := listenRaw(t, func(p *peer) {
		if _, err := http.ReadRequest(p.in); err == nil {
			p.say("HTTP/1.1 502 Bad\x1b Gateway\r\nContent-Length: 6\r\n\r\nsecret")
		}
	})
	for _, engine := range []string{"portable", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			newEngine, err := NewEngine(engine)
			if err != nil {
				t.Fatal(err)
			}
			l := shortLoad("ws://" + teapot + "/")
			s, err := l.Run(deadline(t), newEngine(), func(string, Progress) {})
			if want := "the server answered 502 Bad Gateway"; err != nil || s.Failures["HTTP 502"] != want {
				t.Errorf("%v, failures %q, want %q", err, s.Failures, want)
			}
			l = shortLoad("ws://127.0.0.1:1/")
			if s, err = l.Run(deadline(t), newEngine(), func(string, Progress) {}); err != nil || !strings.Contains(s.Failures[outcomeRefused], "connection refused") {
				t.Errorf("%v, failures %q", err, s.Failures)
			}
		})
	}
}

// A closed loop without a ceiling asks for no rate.
func TestRateAskedIsAbsentWithoutACeiling(t *testing.T) {
	for _, c := range []struct {
		why   string
		asked float64
		there bool
	}{{"closed loop without a ceiling", 0, false}, {"with one", 50, true}} {
		s := summarize(t, []Snapshot{{}}, []PublishResult{{Phase: 1, Loop: LoopClosed, For: 1e9, Asked: c.asked, Due: 100, Sent: 100}}, nil)
		if _, there := s.Metrics["rate.asked"]; there != c.there {
			t.Errorf("%s: rate.asked is there: %v", c.why, there)
		}
		if m := s.Metrics["rate.achieved"]; m != (result.Metric{Value: 100, Unit: "/s", Better: "neither", N: 100}) {
			t.Errorf("%s: rate.achieved is %+v", c.why, m)
		}
	}
}
