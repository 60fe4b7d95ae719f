package loadgen

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Both ends of these benchmarks are in one process, so that they compare engines and
// revisions with each other. What a worker does on a core of its own is measured by
// make scale.

// benchmarkEngines are those of this system.
func benchmarkEngines() []string {
	if runtime.GOOS == "linux" {
		return []string{"epoll", "portable"}
	}
	return []string{"portable"}
}

// idleCost is what one idle client takes, in bytes.
type idleCost struct{ Resident, Heap, Stack float64 }

// idleChild is the variable that makes this test binary the measured process; its
// value is the engine.
const idleChild = "WSRIG_IDLE_ENGINE"

// BenchmarkIdleClient is the memory of one idle client of a fleet, each time in a
// fresh process: memory is not given back. The server's end in that process is a bare
// socket.
func BenchmarkIdleClient(b *testing.B) {
	if engine := os.Getenv(idleChild); engine != "" {
		text, err := json.Marshal(measureIdle(b, engine))
		if err != nil {
			b.Fatal(err)
		}
		fmt.Printf("\n%s%s\n", idleMark, text)
		return
	}
	for _, engine := range benchmarkEngines() {
		b.Run(engine, func(b *testing.B) {
			var sum idleCost
			for b.Loop() {
				c := idleInChild(b, engine)
				sum.Resident += c.Resident
				sum.Heap += c.Heap
				sum.Stack += c.Stack
			}
			n := float64(b.N)
			b.ReportMetric(sum.Resident/n, "RSS-B/client")
			b.ReportMetric(sum.Heap/n, "heap-B/client")
			b.ReportMetric(sum.Stack/n, "stack-B/client")
		})
	}
}

// idleMark begins the line in which the child reports.
const idleMark = "idle cost: "

// idleInChild measures in a process of its own.
func idleInChild(b *testing.B, engine string) (c idleCost) {
	cmd := exec.CommandContext(deadline(b), os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkIdleClient$", "-test.benchtime", "1x")
	cmd.Env = append(os.Environ(), idleChild+"="+engine)
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	_, text, ok := strings.Cut(string(out), idleMark)
	text, _, whole := strings.Cut(text, "\n")
	if !ok || !whole {
		b.Fatalf("the measured process did not report: %s", out)
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		b.Fatal(err)
	}
	return c
}

// measureIdle opens idle clients in this process.
func measureIdle(b *testing.B, engine string) idleCost {
	const clients = 8000
	addr := idleServer(b)
	make, err := NewEngine(engine)
	if err != nil {
		b.Fatal(err)
	}
	f, err := NewFleet(make(), BeginSpec{})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	open := func(first, n int) {
		res, err := f.Connect(deadline(b), ConnectSpec{
			URLs: []string{"ws://" + addr + "/"}, First: uint32(first), Clients: n, Total: n,
			Rate: 1e6, InFlight: 64, Rooms: 1, Timeout: soon,
		}, quiet)
		if err != nil || res.OK != n {
			b.Fatalf("connect: %+v, %v; raise the limit of file descriptors to %d", res, err, 2*clients+200)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
	}
	open(0, 100) // what the first clients bring along is not theirs
	before = after
	start := resident(b)
	open(100, clients)
	c := idleCost{
		Resident: (resident(b) - start) / clients,
		Heap:     (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / clients,
		Stack:    (float64(after.StackInuse) - float64(before.StackInuse)) / clients,
	}
	if err := f.Abandon(); err != nil {
		b.Fatal(err)
	}
	return c
}

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

// BenchmarkHandshakes is an open connection per operation, as many at once as a worker
// keeps under way, to a server that does nothing but answer.
func BenchmarkHandshakes(b *testing.B) {
	const batch = 1000
	for _, engine := range benchmarkEngines() {
		b.Run(engine, func(b *testing.B) {
			addr := idleServer(b)
			make, err := NewEngine(engine)
			if err != nil {
				b.Fatal(err)
			}
			var connecting time.Duration
			for b.Loop() {
				f, err := NewFleet(make(), BeginSpec{})
				if err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				res, err := f.Connect(deadline(b), ConnectSpec{
					URLs: []string{"ws://" + addr + "/"}, Clients: batch, Total: batch, Rate: 1e6, InFlight: 64, Rooms: 1, Timeout: soon,
				}, quiet)
				connecting += time.Since(start)
				if err != nil || res.OK != batch {
					b.Fatalf("connect: %+v, %v", res, err)
				}
				if err := f.Abandon(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*batch/connecting.Seconds(), "handshakes/s")
		})
	}
}

// BenchmarkClosedLoopEcho is a second of closed loop per operation, ledger and
// histograms included.
func BenchmarkClosedLoopEcho(b *testing.B) {
	for _, engine := range benchmarkEngines() {
		b.Run(engine, func(b *testing.B) {
			make, err := NewEngine(engine)
			if err != nil {
				b.Fatal(err)
			}
			r := newRelay(b, &relay{self: true}, httptest.NewServer)
			f := fleetOf(b, make(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 100})
			var sent int64
			phase := uint32(0)
			for b.Loop() {
				phase++
				res, err := f.PublishClosed(deadline(b), PublishSpec{Phase: phase, For: time.Second, Size: 128, Grace: soon}, quiet)
				if err != nil || res.Sent == 0 {
					b.Fatalf("sent %d, %v", res.Sent, err)
				}
				sent += res.Sent
			}
			b.ReportMetric(float64(sent)/float64(b.N), "messages/s")
			finish(b, f)
		})
	}
}
