package chatnode

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

func TestTenThousandGarbageConnectionsHurtNobody(t *testing.T) {
	t.Parallel()
	const total, atOnce, seed = 10_000, 100, 7
	n := startNode(t, func(c *Config) { c.HandshakeTimeout = 500 * time.Millisecond })
	friend := n.join(t, "r", "friend")
	accepted := n.metric(t, "chatnode_tcp_connections_total")

	stop, chatting := make(chan struct{}), make(chan int)
	go func() {
		said := 0
		for ; ; said++ {
			select {
			case <-stop:
				chatting <- said
				return
			default:
				flood(friend, 1, 100)
			}
		}
	}()
	var wg sync.WaitGroup
	for worker := range atOnce {
		rng := rand.New(rand.NewPCG(seed, uint64(worker)))
		wg.Go(func() {
			for range total / atOnce {
				if err := throwGarbage(n.addr, rng); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	if said := <-chatting; said == 0 {
		t.Error("nobody chatted meanwhile")
	}
	// Each of these requests to /metrics is a connection too, but one with a request.
	n.awaitMetric(t, "chatnode_tcp_unserved_total", total)
	if got := n.metric(t, "chatnode_tcp_connections_total"); got < accepted+total {
		t.Errorf("%v connections counted, want at least %v", got, accepted+total)
	}
	if got := n.metric(t, "chatnode_connections_open"); got != 1 {
		t.Errorf("%v clients open, want 1", got)
	}
}

// throwGarbage connects and misbehaves in one of a few ways.
func throwGarbage(addr string, rng *rand.Rand) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	switch rng.IntN(4) {
	case 0: // nothing at all
		return nil
	case 1: // random bytes
		junk := make([]byte, 1+rng.IntN(300))
		for i := range junk {
			junk[i] = byte(rng.Uint32())
		}
		junk[0] = 0 // no method begins like this
		_, _ = c.Write(append(junk, "\r\n\r\n"...))
		_, _ = io.Copy(io.Discard, c)
	case 2: // half a request, and away
		_, _ = fmt.Fprintf(c, "GET /ws?room=r HTTP/1.1\r\nHost: %s\r\nUpgr", addr)
	case 3: // half a request, and a reset
		_, _ = fmt.Fprint(c, "GET /ws HTTP/1.1\r\n")
		_ = c.(*net.TCPConn).SetLinger(0)
	}
	return nil
}

func TestSlowHandshakeIsCutOff(t *testing.T) {
	t.Parallel()
	n := startNode(t, func(c *Config) { c.HandshakeTimeout = 200 * time.Millisecond })
	c, err := net.Dial("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	// One header a moment, for ever: the node must end it.
	for err == nil {
		time.Sleep(20 * time.Millisecond)
		_, err = fmt.Fprint(c, "X: y\r\n")
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Error("the node kept a request that never ends")
	}
	n.awaitMetric(t, "chatnode_tcp_unserved_total", 1)
}
