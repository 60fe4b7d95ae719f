package loadgen

import (
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wsrig/internal/wire"
)

// pings is a Conn that notes when it is pinged.
type pings struct {
	Conn
	at    chan int64
	block time.Duration
	fail  atomic.Bool
}

func (p *pings) Ping() error {
	p.at <- wire.Now()
	time.Sleep(p.block)
	if p.fail.Load() {
		return errSilent
	}
	return nil
}

// pinged is a client whose 101 was ago before now.
func pinged(ago, block time.Duration) (*client, *pings) {
	conn := &pings{at: make(chan int64, 10_000), block: block}
	return &client{conn: conn, openedAt: wire.Now() - ago.Nanoseconds()}, conn
}

func startPinger(t *testing.T) *pinger {
	p := newPinger()
	t.Cleanup(p.close)
	return p
}

// nextPing waits for a ping.
func nextPing(t *testing.T, conn *pings) int64 {
	t.Helper()
	select {
	case at := <-conn.at:
		return at
	case <-time.After(soon):
		t.Fatal("no ping came")
		return 0
	}
}

func TestPingsAreDueAWholeNumberOfIntervalsAfterThe101(t *testing.T) {
	const every = 100 * time.Millisecond
	for _, c := range []struct {
		why   string
		ago   time.Duration // the 101
		first float64       // intervals from the 101 to the first ping
	}{
		{"a keepalive from the 101 on begins one interval after it", 0, 1},
		{"one that begins later keeps to the 101", 250 * time.Millisecond, 3},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			cl, conn := pinged(c.ago, 0)
			startPinger(t).add(cl, Keepalive{Kind: KeepaliveClient, Every: every})
			for i := range 3 {
				after := float64(nextPing(t, conn)-cl.openedAt) / float64(every)
				// Never early; late as the machine may be, each still comes.
				if want := c.first + float64(i); after < want {
					t.Errorf("ping %d came %.2f intervals after the 101, want %.0f", i, after, want)
				} else if i == 0 && after > want+1 {
					t.Logf("ping %d came %.2f intervals after the 101", i, after)
				}
			}
		})
	}
}

func TestNoOtherKeepalivePings(t *testing.T) {
	p := startPinger(t)
	for _, kind := range []string{"", KeepaliveNone, KeepaliveNode} {
		cl, conn := pinged(0, 0)
		p.add(cl, Keepalive{Kind: kind, Every: time.Millisecond})
		time.Sleep(30 * time.Millisecond)
		if n := len(conn.at); n > 0 {
			t.Errorf("keepalive %q sent %d pings", kind, n)
		}
	}
}

func TestResetReplacesAKeepalive(t *testing.T) {
	t.Parallel()
	const every = 2 * time.Millisecond
	p := startPinger(t)
	cl, conn := pinged(0, 0)
	p.add(cl, Keepalive{Kind: KeepaliveClient, Every: every})
	for range 5 {
		nextPing(t, conn)
	}
	p.reset([]*client{cl}, Keepalive{Kind: KeepaliveNone})
	time.Sleep(50 * time.Millisecond) // one may have been under way
	before := len(conn.at)
	time.Sleep(100 * every)
	if n := len(conn.at) - before; n > 0 {
		t.Errorf("%d pings were sent after the keepalive was turned off", n)
	}
	for len(conn.at) > 0 {
		<-conn.at
	}
	// Over and over: each reset leaves one series of pings, not another on top.
	const long = 50 * time.Millisecond
	for range 20 {
		p.reset([]*client{cl}, Keepalive{Kind: KeepaliveClient, Every: long})
	}
	first := nextPing(t, conn)
	for n := 1; n <= 4; n++ {
		at := nextPing(t, conn)
		if intervals := math.Round(float64(at-first) / float64(long)); intervals < float64(n) {
			t.Errorf("ping %d after the reset came %s after the first: there is more than one series", n, time.Duration(at-first))
		}
	}
}

func TestAStuckClientDoesNotHoldUpThePingsOfOthers(t *testing.T) {
	t.Parallel()
	p := startPinger(t)
	for range 5 {
		cl, _ := pinged(0, time.Second)
		p.add(cl, Keepalive{Kind: KeepaliveClient, Every: 10 * time.Millisecond})
	}
	cl, conn := pinged(0, 0)
	begin := time.Now()
	p.add(cl, Keepalive{Kind: KeepaliveClient, Every: 20 * time.Millisecond})
	for range 10 {
		nextPing(t, conn)
	}
	if took := time.Since(begin); took > 900*time.Millisecond {
		t.Errorf("ten pings, 200 ms, took %s beside clients that block for a second", took)
	}
}

func TestAnEndedClientIsPingedNoMore(t *testing.T) {
	t.Parallel()
	p := startPinger(t)
	ended, a := pinged(0, 0)
	failed, b := pinged(0, 0)
	for _, cl := range []*client{ended, failed} {
		p.add(cl, Keepalive{Kind: KeepaliveClient, Every: 2 * time.Millisecond})
	}
	nextPing(t, a)
	nextPing(t, b)
	ended.ended.Store(true)
	b.fail.Store(true)
	eventually(t, "both are forgotten", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.queue) == 0
	})
}

func TestKeepaliveRefusesWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		k    Keepalive
		want string // part of the error, "" for none
	}{
		{Keepalive{}, ""},
		{Keepalive{Kind: KeepaliveNone}, ""},
		{Keepalive{Kind: KeepaliveNode}, ""},
		{Keepalive{Kind: KeepaliveClient, Every: time.Second}, ""},
		{Keepalive{Kind: KeepaliveClient}, "use 1ms or more"},
		{Keepalive{Kind: KeepaliveClient, Every: -time.Second}, "use 1ms or more"},
		{Keepalive{Kind: "both", Every: time.Second}, "use none, client-ping or node-ping"},
	} {
		err := c.k.validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.k, err, c.want)
		}
	}
}
