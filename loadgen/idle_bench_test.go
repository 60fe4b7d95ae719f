package loadgen

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// idleServer answers every handshake and then keeps nothing but the socket, so that
// the memory of this process is the clients'.
func idleServer(b *testing.B) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var held []net.Conn
		defer func() {
			for _, c := range held {
				_ = c.Close()
			}
		}()
		in := bufio.NewReader(nil)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			held = append(held, c)
			_ = c.SetDeadline(time.Now().Add(soon))
			in.Reset(c)
			(&peer{c.(*net.TCPConn), in}).upgrade()
		}
	}()
	b.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// resident is this process's resident memory in bytes (proc(5), statm).
func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here")
	}
	var size, pages float64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * float64(os.Getpagesize())
}

// BenchmarkIdleClient is what one idle client of a fleet costs: resident memory, and
// of that the heap and the stacks. Both ends are in this process; the server's end
// is a bare socket. Run it alone: memory is not given back.
func BenchmarkIdleClient(b *testing.B) {
	const clients = 4000
	var resid, heap, stack float64
	for b.Loop() {
		addr := idleServer(b)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := resident(b)
		f, err := NewFleet(NewPortable(), BeginSpec{})
		if err != nil {
			b.Fatal(err)
		}
		res, err := f.Connect(deadline(b), ConnectSpec{
			URLs: []string{"ws://" + addr + "/"}, Clients: clients, Total: clients, Rate: 4000, Rooms: 1, Timeout: soon,
		}, quiet)
		if err != nil || res.OK != clients {
			b.Fatalf("connect: %+v, %v; raise the limit of file descriptors to %d", res, err, 2*clients+100)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		resid += (resident(b) - start) / clients
		heap += float64(after.HeapAlloc-before.HeapAlloc) / clients
		stack += float64(after.StackInuse-before.StackInuse) / clients
		if err := f.Abandon(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(resid/float64(b.N), "RSS-B/client")
	b.ReportMetric(heap/float64(b.N), "heap-B/client")
	b.ReportMetric(stack/float64(b.N), "stack-B/client")
}
