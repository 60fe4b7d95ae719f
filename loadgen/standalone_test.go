package loadgen

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shortLoad is a short run against a URL.
func shortLoad(url string) Load {
	return Load{
		URL: url, Clients: 6, ConnectRate: 500, Rooms: 2, Rate: 100, For: 300 * time.Millisecond,
		Size: 128, Grace: soon, Timeout: soon, Seed: 3,
	}
}

// steps notes the names of the steps that report.
type steps struct {
	mu    sync.Mutex
	names []string
}

func (s *steps) note(step string, _ Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.names, step) {
		s.names = append(s.names, step)
	}
}

// runClean runs a load that must succeed in all respects, and returns its figures.
func runClean(t *testing.T, l Load) *Summary {
	t.Helper()
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := l.Run(deadline(t), NewPortable(), func(string, Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	if s.Metrics["handshake.ok"].Value != float64(l.Clients) || s.Handshakes[outcomeOK] != l.Clients {
		t.Errorf("handshakes %v", s.Handshakes)
	}
	if m := s.Metrics; m["delivery.reach"].Value != 1 || m["delivery.owed"].Value == 0 || m["delivery.duplicate"].Value != 0 || m["delivery.reordered"].Value != 0 {
		t.Errorf("reach %v of %v owed, %v duplicate, %v reordered", m["delivery.reach"].Value, m["delivery.owed"].Value, m["delivery.duplicate"].Value, m["delivery.reordered"].Value)
	}
	return s
}

func TestLoadAgainstServersOfOthers(t *testing.T) {
	for _, c := range []struct {
		why, mode string
		server    *relay
		copies    float64 // of each message
	}{
		{"an echo server", RelaySelf, &relay{self: true}, 1},
		{"a server that puts the text into its own JSON and sends it to all", RelayAll, &relay{wrap: true}, 6},
		{"a chat with rooms", RelayRoom, &relay{}, 3},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, c.server, httptest.NewServer)
			l := shortLoad(r.URL)
			l.Relay = c.mode
			s := runClean(t, l)
			if sent := s.Metrics["delivery.sent"].Value; sent != 30 || s.Metrics["delivery.received"].Value != c.copies*sent {
				t.Errorf("%v messages, %v deliveries; want 30 and %v each", sent, s.Metrics["delivery.received"].Value, c.copies)
			}
			if n := s.Histograms["delivery.latency"].Count; float64(n) != 30*c.copies {
				t.Errorf("%d latencies", n)
			}
		})
	}
}

func TestLoadSendsHeadersAndSubprotocols(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{self: true}, httptest.NewServer)
	l := shortLoad(r.URL)
	l.Relay, l.Subprotocol = RelaySelf, []string{"chat.v1", "chat.v0"}
	l.Header = map[string][]string{"authorization": {"Bearer abc"}, "Cookie": {"session=1"}, "X-Client": {"wsrig"}}
	runClean(t, l)
	for _, h := range r.headers {
		if h.Get("Authorization") != "Bearer abc" || h.Get("Cookie") != "session=1" || h.Get("X-Client") != "wsrig" {
			t.Errorf("header %v", h)
		}
		if got := h.Get("Sec-WebSocket-Protocol"); got != "chat.v1, chat.v0" {
			t.Errorf("subprotocols %q", got)
		}
	}
}

// quietTLS starts a TLS server that does not log the handshakes that fail.
func quietTLS(h http.Handler) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	return srv
}

func TestLoadOverTLS(t *testing.T) {
	t.Parallel()
	r := &relay{}
	var srv *httptest.Server
	newRelay(t, r, func(h http.Handler) *httptest.Server {
		srv = quietTLS(h)
		return srv
	})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	trusting, insecure, wary := shortLoad(r.URL), shortLoad(r.URL), shortLoad(r.URL)
	trusting.CAFile, insecure.Insecure = ca, true
	runClean(t, trusting)
	runClean(t, insecure)
	s, err := wary.Run(deadline(t), NewPortable(), func(string, Progress) {})
	if err != nil || s.Handshakes["TLS"] != wary.Clients || s.Metrics["handshake.failed"].Value != 6 {
		t.Errorf("a certificate nobody vouches for: %v, handshakes %v", err, s.Handshakes)
	}
	plain := shortLoad("wss://" + listenRaw(t, func(p *peer) { p.in.Peek(1); p.say("HTTP/1.0 400 Bad Request\r\n\r\n") }) + "/")
	if s, err = plain.Run(deadline(t), NewPortable(), func(string, Progress) {}); err != nil || s.Handshakes["TLS"] != plain.Clients {
		t.Errorf("a server that speaks no TLS: %v, handshakes %v", err, s.Handshakes)
	}
}

func TestLoadWithoutMessagesIdles(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	l := shortLoad(r.URL)
	l.Rate, l.Keepalive = 0, Keepalive{Kind: KeepaliveClient, Every: 20 * time.Millisecond}
	var seen steps
	s, err := l.Run(deadline(t), NewPortable(), seen.note)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Metrics["delivery.sent"]; ok || !slices.Equal(seen.names, []string{"connect", "idle"}) {
		t.Errorf("steps %v, metrics %v", seen.names, s.Metrics)
	}
	for _, c := range s.Closes {
		if c.Kind != EndOpen || c.ReadSilence >= c.After || c.WriteSilence >= c.After {
			t.Errorf("no ping or pong in %+v", c)
		}
	}
}

func TestLoadThatReachesNobodyEndsAtOnce(t *testing.T) {
	t.Parallel()
	l := shortLoad("ws://" + listenRaw(t, func(p *peer) { p.reset() }) + "/")
	l.For = time.Hour
	var seen steps
	s, err := l.Run(deadline(t), NewPortable(), seen.note)
	if err != nil {
		t.Fatal(err)
	}
	if s.Metrics["handshake.ok"].Value != 0 || s.Metrics["handshake.failed"].Value != 6 || !slices.Equal(seen.names, []string{"connect"}) {
		t.Errorf("handshakes %v, steps %v", s.Handshakes, seen.names)
	}
}

func TestLoadStopsWhenToldTo(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	l := shortLoad(r.URL)
	l.For = time.Hour
	l.Rate = 10
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := l.Run(ctx, NewPortable(), func(string, Progress) {}); err == nil {
		t.Error("a cancelled run gave a result")
	}
	if took := time.Since(begin); took > soon {
		t.Errorf("it took %s to stop", took)
	}
}

func TestLoadValidatesEverythingAtOnce(t *testing.T) {
	if err := shortLoad("wss://chat.example/{client}?room={room}&name={name}").Validate(); err != nil {
		t.Errorf("a good load: %v", err)
	}
	for url, want := range map[string]string{
		"": "say where to connect", "http://x/": "use ws:// or wss://", "ws:///p": "names no host", "ws://a b/": "url ws://a b/",
	} {
		if err := shortLoad(url).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("url %q: error %v, want %q", url, err, want)
		}
	}
	err := Load{
		URL: "x", Clients: -1, ConnectRate: -1, Rooms: 0, Rate: 5, For: time.Second, Arrival: "burst", Size: 3, Publishers: -1,
		Relay: "both", Keepalive: Keepalive{Kind: KeepaliveClient}, CAFile: "none.pem",
	}.Validate()
	for _, want := range []string{"url x", "clients -1", "connect-rate -1/s", "rooms 0", "timeout 0s", "burst", "size 3", "publishers -1", "grace 0s", "both", "a ping every 0s", "none.pem"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in: %v", want, err)
		}
	}
}
