package chatnode

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/internal/wire"
)

// bareClient makes a handshake by hand and keeps nothing but the TCP connection, so
// that what is measured is the node.
func bareClient(b *testing.B, addr string, i int) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "GET /ws?room=r%d&name=c%d HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", i%100, i, addr)
	if err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, 512)
	if k, err := c.Read(answer); err != nil || !strings.HasPrefix(string(answer[:k]), "HTTP/1.1 101 ") {
		b.Fatalf("%q, %v", answer[:k], err)
	}
	return c
}

// BenchmarkIdleConnection reports the heap and the stack that one idle client costs
// the node, as the runtime counts them after a collection. Both ends are in this
// process, so the little that the client's end has on the heap is in it too.
func BenchmarkIdleConnection(b *testing.B) {
	n := startNode(b, func(c *Config) { c.PingInterval = time.Hour })
	const clients = 4000
	for b.Loop() {
		conns := make([]net.Conn, 0, clients)
		before := settledMemory()
		for i := range clients {
			conns = append(conns, bareClient(b, n.addr, i))
		}
		for n.openCount() < clients {
			time.Sleep(time.Millisecond)
		}
		after := settledMemory()
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/clients, "heap-B/conn")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/clients, "stack-B/conn")
		for _, c := range conns {
			c.Close()
		}
		for n.openCount() > 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func settledMemory() (m runtime.MemStats) {
	runtime.GC()
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	return m
}

// BenchmarkFanOut reports deliveries to 1,000 receivers on loopback. The receivers
// only empty their sockets.
func BenchmarkFanOut(b *testing.B) {
	const receivers = 1000
	n := startNode(b, func(c *Config) { c.SendQueue = 1 << 16 })
	var wg sync.WaitGroup
	var conns []net.Conn
	for range receivers {
		c := bareClient(b, n.addr, 0)
		conns = append(conns, c)
		wg.Go(func() { _, _ = io.Copy(io.Discard, c) })
	}
	for n.openCount() < receivers {
		time.Sleep(time.Millisecond)
	}
	head := string(wire.AppendHead(nil, wire.Envelope{Room: "r0", From: "x", Node: "n1", In: 1, Body: strings.Repeat("x", 128)}))
	r := n.rooms.get("r0")
	b.ReportAllocs()
	for b.Loop() {
		if got, ok := r.deliver(head); !ok || got != receivers {
			b.Fatalf("delivered to %d of %d", got, receivers)
		}
	}
	b.ReportMetric(float64(b.N)*receivers/b.Elapsed().Seconds(), "deliveries/s")
	for _, c := range conns {
		c.Close()
	}
	wg.Wait()
}

// BenchmarkEncode is the path of one message from its text to the frame that all
// receivers share.
func BenchmarkEncode(b *testing.B) {
	e := wire.Envelope{Room: "r", From: "c17", Node: "n1", In: wire.Now(), Body: strings.Repeat("x", 128)}
	head := make([]byte, 0, 1024)
	b.Run("head", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			wire.AppendHead(head[:0], e)
		}
	})
	b.Run("frame", func(b *testing.B) {
		text := wire.AppendTail(wire.AppendHead(nil, e), 1)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := websocket.NewPreparedMessage(websocket.TextMessage, text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
