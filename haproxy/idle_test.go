package haproxy

import (
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wsrig/testbed"
	"wsrig/testbed/proxytest"
)

// own reads a configuration of testdata as a user's own file.
func own(t *testing.T, name string) testbed.Source {
	t.Helper()
	path := filepath.Join("testdata", name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return testbed.Source{Name: path, FileName: configName, Text: string(text), Own: true}
}

// idleCase runs an own file on the real HAProxy, with one idle client, and holds its
// declared value, the directive and the line against the measured close.
func idleCase(t *testing.T, name string, want time.Duration, directive, where, flags string) {
	t.Helper()
	t.Parallel()
	proxytest.Need(t, "haproxy")
	inst, cfg, addr := proxytest.Run(t, Driver{}, own(t, name), proxytest.StartNodes(t, 2))
	d, err := Driver{}.Declared(cfg, "/ws")
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(d.IdleTimeout-want.Seconds()) > 1e-9 || d.Directive != directive || d.Where != where {
		t.Errorf("declared %+v, want %v by %s at %s", d, want, directive, where)
	}
	c := proxytest.Dial(t, addr, "/ws")
	c.Closed(t, "FIN", want)
	wantFlags(t, inst, c.Local, flags)
}

// wantFlags waits for HAProxy's log line of a client's connection.
func wantFlags(t *testing.T, inst *proxytest.Instance, client netip.AddrPort, flags string) testbed.Termination {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		ends, err := Driver{}.Terminations(inst)
		if err != nil {
			t.Fatal(err)
		}
		if end, ok := ends[client]; ok {
			if end.Flags != flags {
				t.Errorf("termination %+v, want flags %s", end, flags)
			}
			return end
		}
		if time.Now().After(deadline) {
			t.Fatalf("no log line for client %s:\n%s", client, inst.Log())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestIdleTunnelThroughTwoHopsEndsAtTheSmallestTimeoutOfTheChain(t *testing.T) {
	// Reported as haproxy issue 2280: the backend says 9s, and the TCP hop before it
	// still has the 3s of defaults.
	idleCase(t, "idle/two-hops.cfg", 3*time.Second, "timeout tunnel", "two-hops.cfg:9 (defaults, for backend to_inner)", "cD")
}

func TestIdleTunnelEndsAtTheBackendsTimeoutTunnelNotTheDefaults(t *testing.T) {
	idleCase(t, "idle/backend-beats-defaults.cfg", 6*time.Second, "timeout tunnel", "backend-beats-defaults.cfg:20 (backend chat)", "cD--")
}

func TestIdleTunnelWithoutTimeoutTunnelEndsAtTheSmallerOfClientAndServer(t *testing.T) {
	t.Parallel()
	t.Run("client is smaller", func(t *testing.T) {
		idleCase(t, "idle/no-tunnel-client-smaller.cfg", 3*time.Second, "timeout client", "no-tunnel-client-smaller.cfg:10 (defaults)", "cD--")
	})
	t.Run("server is smaller", func(t *testing.T) {
		idleCase(t, "idle/no-tunnel-server-smaller.cfg", 3*time.Second, "timeout server", "no-tunnel-server-smaller.cfg:11 (defaults, for backend chat)", "sD--")
	})
}

func TestTimeoutTunnelZeroMeansNotSet(t *testing.T) {
	idleCase(t, "idle/tunnel-zero.cfg", 4*time.Second, "timeout client", "tunnel-zero.cfg:10 (defaults)", "cD--")
}

func TestRequestTimeoutsDoNotCutAnIdleTunnel(t *testing.T) {
	idleCase(t, "idle/request-timeouts.cfg", 6*time.Second, "timeout tunnel", "request-timeouts.cfg:21 (backend chat)", "cD--")
}

func TestHalfSentRequestIsAnswered408AtTimeoutHTTPRequest(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "haproxy")
	_, _, addr := proxytest.Run(t, Driver{}, own(t, "idle/request-timeouts.cfg"), proxytest.StartNodes(t, 2))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	conn.SetReadDeadline(from.Add(20 * time.Second))
	answer, err := io.ReadAll(conn)
	after := time.Since(from)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("got %.60q, %v, want status 408", answer, err)
	}
	if after < 1700*time.Millisecond || after > 4*time.Second {
		t.Errorf("answered after %v, want 2s", after)
	}
}

func TestAnyByteInEitherDirectionRearmsTheTunnelTimer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		says  string
		query string
		act   func(testing.TB, *proxytest.Client)
		kind  string
		want  time.Duration
	}{
		{"client pings every 1.5s up to 6s, then silence: cut 2s after the last", "", func(tb testing.TB, c *proxytest.Client) { c.Ping(tb, 1500*time.Millisecond, 6*time.Second) }, "FIN", 8 * time.Second},
		{"client pings every 3s: cut before the first", "", func(tb testing.TB, c *proxytest.Client) { c.Ping(tb, 3*time.Second, 9*time.Second) }, "FIN", 2 * time.Second},
		{"node pings every 1.5s and the client answers: lives", "?ping=1.5s", func(testing.TB, *proxytest.Client) {}, "open", 7 * time.Second},
		{"node pings every 1.5s and the client is deaf: lives, the pong is not needed", "?ping=1.5s", func(_ testing.TB, c *proxytest.Client) { c.Deaf() }, "open", 7 * time.Second},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			proxytest.Need(t, "haproxy")
			_, cfg, addr := proxytest.Run(t, Driver{}, own(t, "idle/heartbeat.cfg"), proxytest.StartNodes(t, 2))
			if d, err := (Driver{}).Declared(cfg, "/ws"); err != nil || d.IdleTimeout != 2 || d.Where != "heartbeat.cfg:19 (backend chat)" {
				t.Errorf("declared %+v, %v, want 2 s", d, err)
			}
			c := proxytest.Dial(t, addr, "/ws"+row.query)
			row.act(t, c)
			if row.kind == "open" {
				if got := c.Ending(row.want); got.Kind != "open" {
					t.Errorf("ended by %s after %v, want it open at %v", got.Kind, got.After, row.want)
				}
				return
			}
			c.Closed(t, row.kind, row.want)
		})
	}
}

func TestClientSeesHowANodeEndsAsCloseFrameOrFINNeverRST(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		says, query string
		end         syscall.Signal
		kind, flags string
	}{
		{"SIGTERM: the node's close frame passes", "", syscall.SIGTERM, "close 1001", "----"},
		{"SIGKILL while idle: FIN", "", syscall.SIGKILL, "FIN", "----"},
		{"SIGKILL with unread data, an RST at the proxy: still FIN", "?noread=1", syscall.SIGKILL, "FIN", "SD--"},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			proxytest.Need(t, "haproxy")
			node, other := proxytest.StartNodeProcess(t, "n1"), proxytest.StartNode(t, "n2")
			inst, _, addr := proxytest.Run(t, Driver{}, own(t, "idle/ends.cfg"), []testbed.NodeAddr{node.Member(), other.Member()})
			c := proxytest.Dial(t, addr, "/ws"+row.query)
			if c.Node != "n1" {
				t.Fatalf("the first client is on %q, want n1", c.Node)
			}
			if row.query != "" {
				sendUnread(t, c)
			}
			node.Signal(t, row.end)
			if got := c.Ending(20 * time.Second); got.Kind != row.kind {
				t.Errorf("client saw %s, want %s", got.Kind, row.kind)
			}
			c.Conn.Close()
			if end := wantFlags(t, inst, c.Local, row.flags); end.Node != "n1" {
				t.Errorf("termination %+v, want node n1", end)
			}
		})
	}
}

// sendUnread sends what the node will not have read when it dies, and gives the
// proxy time to pass it on.
func sendUnread(t *testing.T, c *proxytest.Client) {
	t.Helper()
	for range 20 {
		if err := c.Conn.WriteMessage(websocket.TextMessage, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
}
