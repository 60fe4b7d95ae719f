package chatnode

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

func TestNodePingsEachClientFromItsOwnStart(t *testing.T) {
	t.Parallel()
	const interval = 300 * time.Millisecond
	n := startNode(t, func(c *Config) { c.PingInterval = interval })
	for range 3 {
		p := n.join(t, "r", "p")
		start := time.Now()
		pings := make(chan time.Duration, 16)
		p.SetPingHandler(func(data string) error {
			pings <- time.Since(start)
			return p.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(patience))
		})
		go func() { _, _, _ = p.ReadMessage() }() // ends with the connection
		for k := 1; k <= 3; k++ {
			select {
			case at := <-pings:
				due := time.Duration(k) * interval
				// Never early, as it counts from the 101; late only as far as a
				// busy machine makes it.
				if at < due-50*time.Millisecond || at > due+2*time.Second {
					t.Errorf("ping %d came after %v, want %v", k, at, due)
				}
			case <-time.After(patience):
				t.Fatalf("ping %d did not come", k)
			}
		}
	}
	eventually(t, "pongs are counted", func() bool { return n.metric(t, "chatnode_pongs_received_total") >= 9 })
	if got := n.metric(t, "chatnode_pings_sent_total"); got < 9 {
		t.Errorf("%v pings counted, want at least 9", got)
	}
}

func TestNodeAnswersPings(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	p := n.join(t, "r", "p")
	pong := make(chan string, 1)
	p.SetPongHandler(func(data string) error { pong <- data; return nil })
	go func() { _, _, _ = p.ReadMessage() }()
	if err := p.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-pong:
		if got != "are you there" {
			t.Errorf("the pong carries %q", got)
		}
	case <-time.After(patience):
		t.Error("no pong came")
	}
	if got := n.metric(t, "chatnode_pings_received_total"); got != 1 {
		t.Errorf("%v pings counted, want 1", got)
	}
}

func TestSilentClientIsDroppedAndATalkingOneIsNot(t *testing.T) {
	t.Parallel()
	const pongWait = 500 * time.Millisecond
	n := startNode(t, func(c *Config) { c.PingInterval, c.PongWait = pongWait/5, pongWait })
	ponging := n.join(t, "r", "ponging") // gorilla answers pings while it reads
	gone := make(chan error, 1)
	go func() {
		_, _, err := ponging.ReadMessage()
		gone <- err
	}()
	silent := n.join(t, "r", "silent")
	silent.SetPingHandler(func(string) error { return nil })
	if got := silent.closeCode(); got != websocket.ClosePolicyViolation {
		t.Errorf("close code %d, want 1008", got)
	}
	c := n.awaitClosed(t, "silent")
	if c.By != wire.ByNode || c.Cause != wire.CausePongTimeout {
		t.Errorf("logged %+v", c)
	}
	// The age counts from the 101, a little after the request that was the last to be heard.
	if c.ReadSilence < pongWait.Seconds() || c.ReadSilence-c.AgeS > pongWait.Seconds()/2 {
		t.Errorf("dropped after %v s of silence at the age of %v s, want at least %v of both, or almost", c.ReadSilence, c.AgeS, pongWait)
	}
	select {
	case err := <-gone:
		t.Errorf("the client that answers pings was dropped: %v", err)
	default:
	}
}
