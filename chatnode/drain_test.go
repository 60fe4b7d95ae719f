package chatnode

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

func TestDrainSpreadsTheGoodbyesAndRefusesNewClients(t *testing.T) {
	t.Parallel()
	const clients, window = 10, time.Second
	n := startNode(t, func(c *Config) { c.DrainWindow = window })
	var peers []peer
	for i := range clients {
		peers = append(peers, n.join(t, "r", fmt.Sprint("c", i)))
	}
	n.awaitMetric(t, "chatnode_connections_open", clients) // a 101 may be a moment ahead
	began := wire.Now()
	done := make(chan error, 1)
	go func() { done <- n.quit() }()

	eventually(t, "readyz says 503", func() bool { return n.status(t, "/readyz") == http.StatusServiceUnavailable })
	if got := n.metric(t, "chatnode_draining"); got != 1 {
		t.Errorf("chatnode_draining is %v", got)
	}
	_, resp, err := websocket.DefaultDialer.Dial(n.url("r", "late"), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a handshake in the drain got %v, %v; want 503", resp, err)
	}
	for _, p := range peers {
		if got := p.closeCode(); got != CloseServiceRestart {
			t.Errorf("close code %d, want 1012", got)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for i := range clients {
		c := n.awaitClosed(t, fmt.Sprint("c", i))
		if c.By != wire.ByNode || c.Kind != wire.KindCloseFrame || c.Code != CloseServiceRestart || c.Cause != wire.CauseDrain {
			t.Errorf("logged %+v", c)
		}
		// The oldest goes first, each has its share of the window.
		due := window * time.Duration(i) / clients
		if at := time.Duration(c.At - began); at < due-50*time.Millisecond || at > due+5*time.Second {
			t.Errorf("client %d was told after %v, want %v", i, at, due)
		}
	}
	if _, err := plain.Get("http://" + n.addr + "/healthz"); err == nil {
		t.Error("the drained node still answers")
	}
}

func TestDrainDeliversWhatIsQueuedFirst(t *testing.T) {
	t.Parallel()
	n := startTight(t, func(c *Config) { c.SendQueue, c.DrainCode, c.CloseWait = floodCount, CloseGoingAway, patience })
	talker, slow := n.join(t, "r", "talker"), n.deaf(t, "r", "slow")
	flood(talker, floodCount, floodSize)
	if queued := n.queued("slow"); queued == 0 {
		t.Fatal("nothing is queued: the test shows nothing")
	}
	done := make(chan error, 1)
	go func() { done <- n.quit() }()
	for i := range floodCount {
		var got int
		if _, err := fmt.Sscan(slow.hear().Body, &got); err != nil || got != i {
			t.Fatalf("heard message %d, want %d (%v)", got, i, err)
		}
	}
	if got := slow.closeCode(); got != CloseGoingAway {
		t.Errorf("close code %d, want 1001", got)
	}
	if got := talker.closeCode(); got != CloseGoingAway {
		t.Errorf("close code %d, want 1001", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// queued is how many messages wait for the client called name.
func (n *runningNode) queued(name string) int {
	for _, c := range n.open() {
		if c.name == name {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.queue)
		}
	}
	return 0
}

func TestServeReportsAFailingListener(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	p := n.join(t, "r", "p")
	cfg, log := testConfig(nil)
	node, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t, nil)
	l.Close()
	broken := make(chan error, 1)
	go func() { broken <- node.Serve(t.Context(), l) }()
	select {
	case err := <-broken:
		if err == nil {
			t.Error("Serve on a closed listener returned nil")
		}
	case <-time.After(patience):
		t.Errorf("Serve on a closed listener did not return; log: %s", log.bytes())
	}
	p.say("unharmed")
	p.hear()
}
