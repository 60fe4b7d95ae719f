package proxytest

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"wsrig/testbed"
)

// nodeHeader names the node in the 101.
const nodeHeader = "X-Chat-Node"

// nodeEnv, set to a node's name, makes a test binary that calls Main be that node.
const nodeEnv = "WSRIG_PROXYTEST_NODE"

// Main is the TestMain of a driver's package. It looks for goroutines left behind,
// and lets the test binary be a node process for StartNodeProcess.
func Main(m *testing.M) {
	if name := os.Getenv(nodeEnv); name != "" {
		if err := beNode(name); err != nil {
			fmt.Fprintln(os.Stderr, "node:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Most of these tests wait for timers of a proxy: more of them at a time than there
	// are cores. A -parallel on the command line comes later and wins.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// Node is an echo server for WebSockets. The handshake's query steers it: ping=1.5s
// pings at that interval, noread=1 never reads what the client sends.
type Node struct {
	Name string
	Addr string
	cmd  *exec.Cmd // nil when it lives in this process
}

// Member is the node as a member of a proxy's pool.
func (n *Node) Member() testbed.NodeAddr { return testbed.NodeAddr{Name: n.Name, Addr: n.Addr} }

// StartNode starts a node in this process. It ends with the test.
func StartNode(tb testing.TB, name string) *Node {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	e := newEcho(name)
	go e.server.Serve(l)
	tb.Cleanup(func() { e.close(0) })
	return &Node{Name: name, Addr: l.Addr().String()}
}

// StartNodes starts n nodes in this process, named n1, n2 and so on.
func StartNodes(tb testing.TB, n int) []testbed.NodeAddr {
	tb.Helper()
	var members []testbed.NodeAddr
	for i := range n {
		members = append(members, StartNode(tb, fmt.Sprintf("n%d", i+1)).Member())
	}
	return members
}

// StartNodeProcess starts a node in a process of its own, for tests that end it by a
// signal. On SIGTERM it sends Close 1001 to every client first.
func StartNodeProcess(tb testing.TB, name string) *Node {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeEnv+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	n := &Node{Name: name, cmd: cmd}
	tb.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if n.Addr, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Fatalf("node %s told no address: %v", name, err)
	}
	n.Addr = strings.TrimSpace(n.Addr)
	return n
}

// Signal sends a signal to a node that is a process of its own.
func (n *Node) Signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		tb.Fatalf("node %s: %v", n.Name, err)
	}
}

func beNode(name string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e := newEcho(name)
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(l) }()
	fmt.Println(l.Addr())
	select {
	case err := <-served:
		return err
	case <-stop:
		e.close(websocket.CloseGoingAway)
		return nil
	}
}

type echo struct {
	name   string
	server *http.Server
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	conns  map[*websocket.Conn]bool
}

func newEcho(name string) *echo {
	e := &echo{name: name, conns: map[*websocket.Conn]bool{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.server = &http.Server{Handler: http.HandlerFunc(e.serve), ReadHeaderTimeout: time.Minute}
	return e
}

// close ends every client. With a code it sends a close frame and waits up to 2 s for
// the client's: closing before that is read would be an RST to the proxy.
func (e *echo) close(code int) {
	e.mu.Lock()
	e.cancel()
	e.server.Close()
	for c := range e.conns {
		if code != 0 {
			c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
			c.SetReadDeadline(time.Now().Add(2 * time.Second))
			continue
		}
		c.Close()
	}
	e.mu.Unlock()
	e.wg.Wait()
}

func (e *echo) serve(w http.ResponseWriter, r *http.Request) {
	conn := e.upgrade(w, r)
	if conn == nil {
		return
	}
	defer conn.Close()
	defer func() {
		e.mu.Lock()
		delete(e.conns, conn)
		e.mu.Unlock()
		e.wg.Done()
	}()
	over, done := context.WithCancel(e.ctx)
	defer done()
	if every, err := time.ParseDuration(r.URL.Query().Get("ping")); err == nil {
		e.wg.Go(func() { ping(over, conn, every) })
	}
	if r.URL.Query().Get("noread") != "" {
		<-over.Done()
		return
	}
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if err := conn.WriteMessage(kind, data); err != nil && !errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// upgrade answers a handshake and registers the WebSocket in one go, so that a client
// which has its 101 is never missed by close. nil when it failed or the node is closing.
func (e *echo) upgrade(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return nil
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, http.Header{nodeHeader: {e.name}})
	if err != nil {
		return nil
	}
	e.conns[conn] = true
	e.wg.Add(1)
	return conn
}

func ping(ctx context.Context, conn *websocket.Conn, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
				return
			}
		}
	}
}
