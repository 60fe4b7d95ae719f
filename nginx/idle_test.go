package nginx

import (
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

func TestOnlyProxyReadTimeoutCutsAnIdleTunnel(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "nginx")
	inst, cfg, addr := proxytest.Run(t, Driver{}, own(t, "idle/read-or-send.conf"), proxytest.StartNodes(t, 2))
	t.Run("locations", func(t *testing.T) {
		for _, row := range []struct {
			says, path string
			want       time.Duration
			where      string
		}{
			{"read 3s and send 9s: read", "/a", 3 * time.Second, "read-or-send.conf:18 (location /a)"},
			{"read 9s and send 3s: read", "/b", 9 * time.Second, "read-or-send.conf:21 (location /b)"},
			{"read 6s and all others 1s: read", "/c", 6 * time.Second, "read-or-send.conf:22 (location /c)"},
		} {
			t.Run(row.says, func(t *testing.T) {
				t.Parallel()
				d, err := Driver{}.Declared(cfg, row.path)
				if err != nil || d.IdleTimeout != row.want.Seconds() || d.Directive != "proxy_read_timeout" || d.Where != row.where {
					t.Errorf("declared %+v, %v, want %v at %s", d, err, row.want, row.where)
				}
				proxytest.Dial(t, addr, row.path).Closed(t, "FIN", row.want)
			})
		}
	})
	if strings.Contains(inst.Log(), "[error]") {
		t.Errorf("an idle close is no error to Nginx, but it logged:\n%s", inst.Log())
	}
}

func TestShippedVariantsCloseIdleTunnelsAsTheyDeclare(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{"short-read": 2 * time.Second, "defaults": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxytest.Need(t, "nginx")
			src, err := Driver{}.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			inst, cfg, addr := proxytest.Run(t, Driver{}, src, proxytest.StartNodes(t, 2))
			if d, err := (Driver{}).Declared(cfg, "/ws"); err != nil || d.IdleTimeout != want.Seconds() {
				t.Errorf("declared %+v, %v, want %v", d, err, want)
			}
			c := proxytest.Dial(t, addr, "/ws")
			c.Closed(t, "FIN", want)
			if end := termination(t, inst, c.Local); end.Node != c.Node || end.After < want.Seconds()-0.3 || end.Flags != "" {
				t.Errorf("termination %+v, want %v on node %s", end, want, c.Node)
			}
		})
	}
}

// termination waits for Nginx's log line of a client's connection.
func termination(t *testing.T, inst *proxytest.Instance, client netip.AddrPort) testbed.Termination {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		ends, err := Driver{}.Terminations(inst)
		if err != nil {
			t.Fatal(err)
		}
		if end, ok := ends[client]; ok {
			return end
		}
		if time.Now().After(deadline) {
			t.Fatalf("no log line for client %s", client)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestReadTimeoutZeroRefusesEveryHandshake(t *testing.T) {
	t.Parallel()
	proxytest.Need(t, "nginx")
	src := own(t, "idle/ends.conf")
	src.Text = strings.Replace(src.Text, "proxy_http_version", "proxy_read_timeout 0; proxy_http_version", 1)
	_, cfg, addr := proxytest.Run(t, Driver{}, src, proxytest.StartNodes(t, 2))
	if d, err := (Driver{}).Declared(cfg, "/ws"); err == nil || !strings.Contains(err.Error(), "ends.conf:14: proxy_read_timeout 0 is not unlimited") {
		t.Errorf("declared %+v, %v, want an error", d, err)
	}
	if _, status, err := proxytest.TryDial(t, addr, "/ws"); err == nil || status != 504 {
		t.Errorf("handshake: status %d, %v, want 504", status, err)
	}
}

func TestClientSeesHowANodeEndsAsCloseFrameOrFINNeverRST(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		says, query string
		end         syscall.Signal
		kind        string
	}{
		{"SIGTERM: the node's close frame passes", "", syscall.SIGTERM, "close 1001"},
		{"SIGKILL while idle: FIN", "", syscall.SIGKILL, "FIN"},
		{"SIGKILL with unread data, an RST at the proxy: still FIN", "?noread=1", syscall.SIGKILL, "FIN"},
	} {
		t.Run(row.says, func(t *testing.T) {
			t.Parallel()
			proxytest.Need(t, "nginx")
			node, other := proxytest.StartNodeProcess(t, "n1"), proxytest.StartNode(t, "n2")
			_, cfg, addr := proxytest.Run(t, Driver{}, own(t, "idle/ends.conf"), []testbed.NodeAddr{node.Member(), other.Member()})
			if d, err := (Driver{}).Declared(cfg, "/ws"); err != nil || d.IdleTimeout != 60 || d.Where != "built-in default" {
				t.Errorf("declared %+v, %v, want the built-in 60 s", d, err)
			}
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
