package loadgen

import (
	"context"
	"net/http/httptest"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// slowed is an engine on whose connections every message takes a while to send: a
// generator that cannot keep up.
type slowed struct {
	Engine
	by time.Duration
}

func (s slowed) Dial(ctx context.Context, d Dial, h Handler) error {
	return s.Engine.Dial(ctx, d, slowedHandler{h, s.by})
}

type slowedHandler struct {
	Handler
	by time.Duration
}

func (h slowedHandler) Open(c Conn, hs Handshake) { h.Handler.Open(slowedConn{c, h.by}, hs) }

type slowedConn struct {
	Conn
	by time.Duration
}

func (c slowedConn) SendText(b []byte) error {
	time.Sleep(c.by)
	return c.Conn.SendText(b)
}

func TestAGeneratorThatIsTooSlowSaysSo(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{self: true}, httptest.NewServer)
	f := fleetOf(t, slowed{NewPortable(), 20 * time.Millisecond}, RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 1})
	// 50 messages a second are possible, 400 are asked for; what waits at the end is
	// given half a second more.
	res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 400, For: time.Second, Grace: 500 * time.Millisecond})
	if res.Sent > 100 || res.Dropped < 250 || res.Sent+res.Dropped != res.Due {
		t.Errorf("sent %d, dropped %d of %d", res.Sent, res.Dropped, res.Due)
	}
	s := finish(t, f)
	reasons := strings.Join(s.Saturation, "; ")
	for _, want := range []string{"messages left late: schedule lag p99", "arrivals were never sent"} {
		if !strings.Contains(reasons, want) {
			t.Errorf("no word of %q in %q", want, reasons)
		}
	}
	sum, err := Summarize([]Snapshot{s}, []PublishResult{res}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if asked, achieved := sum.Metrics["rate.asked"].Value, sum.Metrics["rate.achieved"].Value; asked != 400 || achieved > 100 {
		t.Errorf("asked %v/s, achieved %v/s", asked, achieved)
	}
	if len(sum.Saturation) != len(s.Saturation) {
		t.Errorf("the summary has the reasons %q", sum.Saturation)
	}
}

func TestLatenessIsJudgedForEachKindOfAction(t *testing.T) {
	for _, c := range []struct {
		why                  string
		connects, messages   int
		connectLag, messaged time.Duration
		want                 string
	}{
		{"nothing was done", 0, 0, 0, 0, ""},
		{"all in time", 1000, 1000, time.Millisecond, time.Millisecond, ""},
		{"just within the limit", 1000, 1000, maxMessageLag - time.Millisecond, maxMessageLag - time.Millisecond, ""},
		{"few late messages beside many handshakes in time", 100_000, 50, 0, time.Second, "messages left late"},
		{"late handshakes beside many messages in time", 50, 100_000, time.Second, 0, "handshakes left late"},
	} {
		r := newRecorder(0, nil)
		for range c.connects {
			r.lag[connecting].record(c.connectLag.Nanoseconds())
		}
		for range c.messages {
			r.lag[publishing].record(c.messaged.Nanoseconds())
		}
		got := strings.Join(newSaturation().verdict(r), "; ")
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: reasons %q, want %q", c.why, got, c.want)
		}
	}
}

func TestDroppedArrivalsAreAReason(t *testing.T) {
	for _, c := range []struct {
		dropped, due int64
		reason       bool
	}{{0, 0, false}, {0, 1000, false}, {1, 1000, false}, {2, 1000, true}, {1, 10, true}} {
		s := newSaturation()
		s.drops(c.dropped, c.due)
		if (len(s.reasons) > 0) != c.reason {
			t.Errorf("%d of %d dropped: reasons %q", c.dropped, c.due, s.reasons)
		}
	}
}

func TestLongestPauseIsThatBetweenTwoReadings(t *testing.T) {
	reading := func(counts ...uint64) *metrics.Float64Histogram {
		return &metrics.Float64Histogram{Counts: counts, Buckets: []float64{0, 0.001, 0.01, 0.1, 1}}
	}
	for _, c := range []struct {
		why           string
		before, after *metrics.Float64Histogram
		want          float64
	}{
		{"none", reading(5, 1, 0, 1), reading(5, 1, 0, 1), 0},
		{"a short one beside a long one of earlier", reading(5, 1, 0, 1), reading(6, 2, 0, 1), 0.001},
		{"a long one", reading(5, 1, 0, 1), reading(5, 1, 3, 1), 0.01},
		{"a runtime that does not tell", nil, reading(1, 1, 1, 1), 0},
	} {
		if got := longestPause(c.before, c.after); got != c.want {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
	if gcPauses() == nil {
		t.Error("this runtime does not tell its pauses")
	}
}

// A machine that is busy with other things may make even a light load late, so this
// looks at what does not depend on that.
func TestALightLoadDropsNothing(t *testing.T) {
	r := newRelay(t, &relay{self: true}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 4})
	res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 50, For: time.Second})
	s := finish(t, f)
	if res.Dropped != 0 || res.Sent != 50 {
		t.Errorf("sent %d, dropped %d", res.Sent, res.Dropped)
	}
	for _, reason := range s.Saturation {
		if !strings.Contains(reason, "left late") {
			t.Errorf("a light load has the reason %q", reason)
		}
	}
	// Handshakes and messages are judged apart, and the lag that is told is both.
	h, err := s.Lag.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if slowest := time.Duration(h.Max()); slowest <= maxMessageLag && len(s.Saturation) > 0 {
		t.Errorf("a lag of at most %s gave the reasons %q", slowest, s.Saturation)
	}
}
