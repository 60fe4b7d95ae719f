package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer serves until the test ends and returns its address.
func startServer(t *testing.T) (addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, "127.0.0.1:0", in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var l struct{ Addr string }
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		http.DefaultClient.CloseIdleConnections()
		return <-served
	}
	t.Cleanup(func() { _ = stop() })
	return l.Addr, stop
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange sends a message and takes its echo.
func exchange(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.ReadMessage(); err != nil || string(got) != text {
		t.Fatalf("echo of %q is %q, %v", text, got, err)
	}
}

func statsOf(t *testing.T, addr, query string) (s Stats, status int) {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/stats" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
			t.Fatal(err)
		}
	}
	return s, resp.StatusCode
}

func TestStatsCountWhatClientsDid(t *testing.T) {
	addr, stop := startServer(t)
	a, b := dial(t, "ws://"+addr+"/ws"), dial(t, "ws://"+addr+"/ws")
	for range 3 {
		exchange(t, a, "hello")
	}
	exchange(t, b, "world")
	over := time.Now().Add(10 * time.Second)
	s, _ := statsOf(t, addr, "")
	for s.Echoed < 4 && time.Now().Before(over) { // the last is counted once it is out
		s, _ = statsOf(t, addr, "")
	}
	if s.Open != 2 || s.Accepted != 2 || s.Echoed != 4 || s.First == 0 || s.Last <= s.First || s.At <= s.Last || s.Pacing != nil {
		t.Errorf("%+v", s)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.ReadMessage(); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("a client saw %v at the end, not a reset", err)
	}
}

func TestPacingIsOfPacedMessagesAlone(t *testing.T) {
	addr, _ := startServer(t)
	plain, paced := dial(t, "ws://"+addr+"/ws"), dial(t, "ws://"+addr+"/paced")
	for range 150 {
		exchange(t, plain, "x")
		exchange(t, paced, "x")
	}
	if s, _ := statsOf(t, addr, "?rate=1000"); s.Pacing == nil || s.Pacing.N != 150 {
		t.Errorf("%+v", s.Pacing)
	}
	for _, rate := range []string{"fast", "0", "-1", "NaN", "Inf"} {
		if _, status := statsOf(t, addr, "?rate="+rate); status != http.StatusBadRequest {
			t.Errorf("rate %q: status %d", rate, status)
		}
	}
}

func TestLatenessIsHeldAgainstTheGrid(t *testing.T) {
	const ms = int64(time.Millisecond)
	grid := func(n int, at func(i int64) int64) *arrivals {
		var a arrivals
		for i := range int64(n) {
			a.note(1e15 + at(i))
		}
		return &a
	}
	for _, row := range []struct {
		sentence      string
		a             *arrivals
		p50, p99, gap float64 // seconds
	}{
		{"in time", grid(1000, func(i int64) int64 { return i * ms }), 0, 0, 0.001},
		{"the first 5 ms late and the rest in time", grid(1000, func(i int64) int64 {
			if i == 0 {
				return 5 * ms
			}
			return 10*ms + i*ms
		}), 0.005, 0.005, 0.001},
		{"one in ten 2 ms late", grid(1000, func(i int64) int64 {
			if i%10 == 5 {
				return (i + 2) * ms
			}
			return i * ms
		}), 0, 0.002, 0.001},
		{"half the rate falls behind", grid(1000, func(i int64) int64 { return 2 * i * ms }), 0.5, 0.99, 0.002},
	} {
		p := row.a.against(1000)
		const near = 1e-6
		if p == nil || p.N != 1000 || p.P50-row.p50 > near || row.p50-p.P50 > near || p.P99-row.p99 > near || row.p99-p.P99 > near {
			t.Errorf("%s: %+v, want %g and %g", row.sentence, p, row.p50, row.p99)
			continue
		}
		if rate := 1 / row.gap; p.Achieved < 0.98*rate || p.Achieved > 1.02*rate {
			t.Errorf("%s: achieved %g/s of %g/s", row.sentence, p.Achieved, rate)
		}
	}
	if p := grid(99, func(i int64) int64 { return i }).against(1000); p != nil {
		t.Errorf("a 99th percentile of 99 messages: %+v", p)
	}
}
