package chatnode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"wsrig/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test; nothing that works comes near it.
const patience = 20 * time.Second

// runningNode is a node that serves on loopback.
type runningNode struct {
	*Node
	addr string
	log  *logBuffer
	quit func() error // drains it, and returns what Serve returned
}

// testConfig is the default configuration on the bus "none", with a drain that takes
// no time, after edit.
func testConfig(edit func(*Config)) (Config, *logBuffer) {
	log := &logBuffer{}
	cfg := Default()
	cfg.Bus = "none"
	cfg.DrainWindow = 0
	cfg.Log = slog.New(slog.NewJSONHandler(log, nil))
	if edit != nil {
		edit(&cfg)
	}
	return cfg, log
}

// startNode serves a node with testConfig until the test ends, and waits until it is
// ready.
func startNode(t testing.TB, edit func(*Config)) *runningNode {
	t.Helper()
	n := serveNode(t, edit)
	eventually(t, "the node is ready", func() bool { return n.status(t, "/readyz") == http.StatusOK })
	return n
}

// serveNode is startNode without the wait.
func serveNode(t testing.TB, edit func(*Config)) *runningNode {
	t.Helper()
	cfg, log := testConfig(edit)
	node, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, node, listen(t, nil), log)
}

// listen takes a free port of loopback. control may set options of the socket, which
// the accepted connections inherit.
func listen(t testing.TB, control func(network, address string, c syscall.RawConn) error) net.Listener {
	t.Helper()
	lc := net.ListenConfig{Control: control}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t testing.TB, node *Node, l net.Listener, log *logBuffer) *runningNode {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- node.Serve(ctx, l) }()
	quit := sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-served:
			return err
		case <-time.After(patience):
			return errors.New("Serve did not return after its context ended")
		}
	})
	t.Cleanup(func() {
		if err := quit(); err != nil {
			t.Errorf("node %s: %v", node.cfg.Name, err)
		}
	})
	return &runningNode{Node: node, addr: l.Addr().String(), log: log, quit: quit}
}

// plain is an HTTP client that keeps no connection.
var plain = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

func (n *runningNode) get(t testing.TB, path string) (*http.Response, string) {
	t.Helper()
	resp, err := plain.Get("http://" + n.addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func (n *runningNode) status(t testing.TB, path string) int {
	t.Helper()
	resp, _ := n.get(t, path)
	return resp.StatusCode
}

// metric reads one sample of /metrics, such as chatnode_rooms.
func (n *runningNode) metric(t testing.TB, sample string) float64 {
	t.Helper()
	_, body := n.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatalf("metric %s: %v", sample, err)
			}
			return v
		}
	}
	if strings.Contains(sample, "{") {
		return 0 // a labelled counter appears with its first count
	}
	t.Fatalf("no metric %s in:\n%s", sample, body)
	return 0
}

// awaitMetric waits until a sample has the value want.
func (n *runningNode) awaitMetric(t testing.TB, sample string, want float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is %v", sample, want), func() bool { return n.metric(t, sample) == want })
}

// awaitClosed waits for the log line about the end of the client called name.
func (n *runningNode) awaitClosed(t testing.TB, name string) wire.Closed {
	t.Helper()
	var found wire.Closed
	eventually(t, "the log tells how "+name+" ended", func() bool {
		for line := range bytes.Lines(n.log.bytes()) {
			if c, ok := wire.ParseClosed(line); ok && c.Name == name {
				found = c
				return true
			}
		}
		return false
	})
	return found
}

func (n *runningNode) url(room, name string) string {
	return "ws://" + n.addr + "/ws?" + url.Values{"room": {room}, "name": {name}}.Encode()
}

// eventually polls until ok, and fails the test when that takes longer than patience.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("still not true after %v: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// peer is a client of a node.
type peer struct {
	*websocket.Conn
	t testing.TB
}

// join connects a client, which the end of the test closes.
func (n *runningNode) join(t testing.TB, room, name string) peer {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(n.url(room, name), nil)
	if err != nil {
		t.Fatalf("%s joins %s: %v", name, room, err)
	}
	t.Cleanup(func() { ws.Close() })
	if got := resp.Header.Get(NodeHeader); got != n.cfg.Name {
		t.Errorf("%s of the 101 is %q, want %q", NodeHeader, got, n.cfg.Name)
	}
	return peer{ws, t}
}

func (p peer) say(text string) {
	p.t.Helper()
	if err := p.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// hear returns the next message.
func (p peer) hear() wire.Envelope {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	_, frame, err := p.ReadMessage()
	if err != nil {
		p.t.Fatal(err)
	}
	e, ok := wire.ParseEnvelope(frame)
	if !ok {
		p.t.Fatalf("not an envelope: %s", frame)
	}
	return e
}

// closeCode reads until the connection ends, and returns the code of its close frame,
// or 0 if it ended without one.
func (p peer) closeCode() int {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	for {
		_, _, err := p.ReadMessage()
		var ce *websocket.CloseError
		var ne net.Error
		switch {
		case err == nil:
		case errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure:
			return ce.Code
		case errors.As(err, &ne) && ne.Timeout():
			p.t.Fatalf("the connection did not end in %v", patience)
		default:
			return 0
		}
	}
}

// logBuffer collects a node's log.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.buf.Bytes())
}

// decode reads a JSON answer.
func decode[T any](t testing.TB, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in: %s", err, body)
	}
	return v
}
