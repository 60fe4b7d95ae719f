package chatnode

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// startTight starts a node whose connections have small send buffers in the kernel.
func startTight(t testing.TB, edit func(*Config)) *runningNode {
	t.Helper()
	cfg, log := testConfig(edit)
	node, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, node, listen(t, func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 16<<10)
		})
		return errors.Join(err, failed)
	}), log)
}

// deaf joins a client with a small receive buffer that does not grow, so that a node
// soon finds its socket full when the client does not read.
func (n *runningNode) deaf(t testing.TB, room, name string) peer {
	t.Helper()
	dialer := websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(32 << 10)
		}
		return c, err
	}}
	ws, _, err := dialer.Dial(n.url(room, name), http.Header{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return peer{ws, t}
}

// flood has p say count messages of size bytes and hear each, numbered, in order.
func flood(p peer, count, size int) {
	p.t.Helper()
	pad := strings.Repeat("x", size)
	for i := range count {
		p.say(fmt.Sprintf("%d %s", i, pad))
		if e := p.hear(); !strings.HasPrefix(e.Body, fmt.Sprintf("%d ", i)) {
			p.t.Fatalf("want message %d, heard %.20q", i, e.Body)
		}
	}
}

// floodCount messages of floodSize bytes are more than the kernel holds for a deaf client of a
// tight node.
const (
	floodCount = 60
	floodSize  = 20_000
)

func TestSlowConsumerIsDisconnectedAndNobodyElseNotices(t *testing.T) {
	t.Parallel()
	n := startTight(t, func(c *Config) { c.SendQueue, c.WriteWait = 8, time.Minute })
	talker := n.join(t, "r", "talker")
	slow := n.deaf(t, "r", "slow")
	flood(talker, floodCount, floodSize)
	if got := n.metric(t, "chatnode_slow_consumers_total"); got != 1 {
		t.Errorf("%v slow consumers counted, want 1", got)
	}
	// It was only slow: now it reads, and learns why it was closed.
	if got := slow.closeCode(); got != websocket.ClosePolicyViolation {
		t.Errorf("close code %d, want 1008", got)
	}
	if c := n.awaitClosed(t, "slow"); c.By != wire.ByNode || c.Cause != wire.CauseSlowConsumer || c.Code != 1008 {
		t.Errorf("logged %+v", c)
	}
	flood(talker, 10, 100)
	if got := n.metric(t, "chatnode_drops_total"); got != 0 {
		t.Errorf("%v messages dropped, want 0", got)
	}
}

func TestDropOldestKeepsTheSlowConsumerAndTheNewest(t *testing.T) {
	t.Parallel()
	const queue = 8
	n := startTight(t, func(c *Config) { c.SendQueue, c.WriteWait, c.SlowConsumer = queue, time.Minute, SlowDropOldest })
	talker := n.join(t, "r", "talker")
	slow := n.deaf(t, "r", "slow")
	flood(talker, floodCount, floodSize)
	drops := int(n.metric(t, "chatnode_drops_total"))
	if drops == 0 {
		t.Fatal("no drop was counted")
	}
	// What it hears now is in order, ends with the newest, and lacks what was
	// counted as dropped.
	last, heard := -1, 0
	for last < floodCount-1 {
		var i int
		if _, err := fmt.Sscan(slow.hear().Body, &i); err != nil || i <= last {
			t.Fatalf("heard message %d after %d (%v)", i, last, err)
		}
		last = i
		heard++
	}
	if heard+drops != floodCount {
		t.Errorf("heard %d and dropped %d of %d", heard, drops, floodCount)
	}
	if got := n.metric(t, "chatnode_slow_consumers_total"); got != 0 {
		t.Errorf("%v slow consumers closed, want 0", got)
	}
	slow.say("thanks")
	if e := talker.hear(); e.Body != "thanks" {
		t.Errorf("heard %+v", e)
	}
}

func TestClientThatNeverReadsIsDropped(t *testing.T) {
	t.Parallel()
	n := startTight(t, func(c *Config) {
		c.WriteWait, c.CloseWait = 200*time.Millisecond, 50*time.Millisecond
		c.SlowConsumer = SlowDropOldest
	})
	talker := n.join(t, "r", "talker")
	n.deaf(t, "r", "deaf")
	// The node's own buffers never fill this client's queue beyond its rule, so
	// only the write deadline can end it.
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				flood(talker, 10, floodSize)
			}
		}
	})
	c := n.awaitClosed(t, "deaf")
	close(stop)
	wg.Wait()
	if c.By != wire.ByNode || c.Kind != wire.KindRST || c.Code != 0 || c.Cause != wire.CauseWriteTimeout {
		t.Errorf("logged %+v, want a reset by the node for a write timeout", c)
	}
	if got := n.metric(t, `chatnode_closes_total{by="node",cause="write timeout",kind="RST"}`); got != 1 {
		t.Errorf("%v write timeouts counted, want 1", got)
	}
}

func TestPingFloodOfAClientThatNeverReadsIsBounded(t *testing.T) {
	t.Parallel()
	n := startTight(t, func(c *Config) { c.WriteWait = 200 * time.Millisecond })
	p := n.deaf(t, "r", "pinger")
	payload := []byte(strings.Repeat("p", 125))
	var err error
	for deadline := time.Now().Add(patience); err == nil && time.Now().Before(deadline); {
		err = p.WriteControl(websocket.PingMessage, payload, time.Now().Add(patience))
	}
	if err == nil {
		t.Error("the node answered a ping flood without end")
	}
	if c := n.awaitClosed(t, "pinger"); c.Cause != wire.CauseWriteTimeout {
		t.Errorf("logged %+v, want a write timeout", c)
	}
}
