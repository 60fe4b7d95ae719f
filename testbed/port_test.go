package testbed_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"wsrig/testbed"
)

func TestReservedPortCanBeBoundWhileItIsHeld(t *testing.T) {
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, s.binary)
			rt := newRuntime(t)
			port := reserve(t, rt, name, 0)
			inst := startServer(t, rt, name, port)
			for range 2 {
				if s.reload != "" {
					reload(t, inst, s)
				}
				if err := s.reply(testContext(t), port.Host); err != nil {
					t.Fatal(err)
				}
			}
			if err := inst.Restart(testContext(t)); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("net.Listen", func(t *testing.T) {
		t.Parallel()
		port := reserve(t, newRuntime(t), "go", 0)
		for range 3 {
			l, err := net.Listen("tcp", port.Listen)
			if err != nil {
				t.Fatal(err)
			}
			l.Close()
		}
	})
}

func TestKernelGivesNoHeldPortToOthers(t *testing.T) {
	rt := newRuntime(t)
	// So many that, were they not safe, hundreds of tries could not miss them all:
	// 750 of 28,000 ports, 500 times.
	want := map[string]int{}
	for i := range 500 {
		want[fmt.Sprint(i)] = 0
	}
	ports, err := rt.Reserve(t.Context(), "many", want)
	if err != nil {
		t.Fatal(err)
	}
	held := map[int]bool{}
	for _, p := range ports {
		n := number(t, p.Listen)
		held[n] = true
		// Linux prefers odd ports for bind and even ones for connect: hold both.
		if _, err := rt.Reserve(t.Context(), "more", map[string]int{"next": n ^ 1}); err == nil {
			held[n^1] = true
		}
	}
	if len(held) < 750 {
		t.Fatalf("only %d ports could be held", len(held))
	}
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	for range 500 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, l.Addr().String()); held[n] {
			t.Errorf("port %d is held and was given to a listener", n)
		}
		conn, err := net.Dial("tcp", target.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if n := number(t, conn.LocalAddr().String()); held[n] {
			t.Errorf("port %d is held and was given to a connection", n)
		}
		conn.(*net.TCPConn).SetLinger(0) // no TIME_WAIT
		conn.Close()
		l.Close()
	}
}

// HAProxy sets SO_REUSEPORT, so that a second one would share the port of a stale
// first one without a word, and each would get half of the clients (reported as
// haproxy issue 48).
func TestPortOfAStaleProxyIsInUse(t *testing.T) {
	for _, name := range []string{"haproxy", "nginx", "redis"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need(t, servers[name].binary)
			stale := newRuntime(t)
			port := reserve(t, stale, name, 0)
			inst := startServer(t, stale, name, port)
			n := number(t, port.Listen)
			_, err := newRuntime(t).Reserve(t.Context(), "proxy", map[string]int{"ws": n})
			if err == nil {
				t.Fatalf("port %d of a running %s was reserved", n, name)
			}
			for _, want := range []string{"proxy", strconv.Itoa(n), "in use by " + name, "process"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			// The process that listens is the first one or a worker of its.
			listed := strings.Contains(err.Error(), fmt.Sprintf("process %d)", inst.PID()))
			for _, pid := range workers(t, inst) {
				listed = listed || strings.Contains(err.Error(), "process "+pid+")")
			}
			if !listed {
				t.Errorf("the error names a wrong process, not %d or one of %v: %v", inst.PID(), workers(t, inst), err)
			}
		})
	}
}

func TestPortThatAnotherRigHoldsIsInUse(t *testing.T) {
	n := number(t, reserve(t, newRuntime(t), "proxy", 0).Listen)
	_, err := newRuntime(t).Reserve(t.Context(), "proxy", map[string]int{"ws": n})
	if err == nil || !strings.Contains(err.Error(), "does not listen") {
		t.Errorf("got %v", err)
	}
}

func TestPortOfAnEarlierRunCanBeReserved(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	// Who closes first is left in TIME_WAIT.
	server.Close()
	client.Close()
	l.Close()
	n := number(t, l.Addr().String())
	port := reserve(t, newRuntime(t), "proxy", n)
	again, err := net.Listen("tcp", port.Listen)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestReserveOfABusyAddressOnly(t *testing.T) {
	// A listener on another loopback address is no conflict.
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip("this system has only one loopback address")
	}
	defer l.Close()
	n := number(t, l.Addr().String())
	if got := number(t, reserve(t, newRuntime(t), "proxy", n).Listen); got != n {
		t.Errorf("got port %d, want %d", got, n)
	}
	wide, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close()
	if _, err := newRuntime(t).Reserve(t.Context(), "proxy", map[string]int{"ws": number(t, wide.Addr().String())}); err == nil {
		t.Error("a port that is taken on all addresses was reserved")
	}
}

var _ testbed.Runtime = (*testbed.ProcessRuntime)(nil)
