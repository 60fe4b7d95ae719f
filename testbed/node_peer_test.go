package testbed_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	nodechat "wsrig/peers/node-chat"
	"wsrig/testbed"
)

// needPeer skips the test where the Node.js chat cannot run; in CI that is a failure.
func needPeer(t *testing.T) {
	t.Helper()
	need(t, "redis-server")
	if missing := testbed.Missing(testbed.NodeNeeds([]string{"node-chat"})); len(missing) > 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI runs every test, and %s is missing", testbed.Names(missing))
		}
		t.Skipf("%s is missing", testbed.Names(missing))
	}
}

// peerFrame is what the Node.js chat delivers.
type peerFrame struct{ From, Node, Room, Body string }

// join connects to a node and checks that its 101 names it.
func join(t *testing.T, node testbed.Instance, query string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{HandshakeTimeout: patience}
	conn, resp, err := dialer.DialContext(t.Context(), "ws://"+node.Unit().Ports["http"].Host+"/ws?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if got := resp.Header.Get("X-Chat-Node"); got != node.Unit().Name {
		t.Errorf("X-Chat-Node is %q, want %q", got, node.Unit().Name)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func speak(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, conn *websocket.Conn, want peerFrame) {
	t.Helper()
	_, text, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	var got peerFrame
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("%s (%v), want %+v", text, err, want)
	}
}

func TestNodeChatIsAChat(t *testing.T) {
	t.Parallel()
	needPeer(t)
	tb := up(t, testbed.Spec{Bus: testbed.BusRedis, Nodes: 2, NodeCmd: []string{"node-chat"}})
	n1, n2 := tb.Nodes[0], tb.Nodes[1]
	ada, bob := join(t, n1, "room=red&name=ada"), join(t, n2, "room=red&name=bob")
	eve := join(t, n2, "room=blue&name=eve")
	body := `wsrig1.0 "quoted" & <b> ü`
	speak(t, ada, body)
	for _, member := range []*websocket.Conn{ada, bob} { // the sender too
		hears(t, member, peerFrame{"ada", "n1", "red", body})
	}
	// Nothing of the other room came before this.
	speak(t, eve, "second")
	hears(t, eve, peerFrame{"eve", "n2", "blue", "second"})

	bus := redis.NewClient(&redis.Options{Addr: tb.Redis.Unit().Ports["redis"].Host})
	defer bus.Close()
	subscribers(t, bus, "room:red", 2)
	bob.Close()
	subscribers(t, bus, "room:red", 1)
	back := join(t, n2, "room=red&name=bob")
	subscribers(t, bus, "room:red", 2)
	speak(t, back, "again")
	hears(t, ada, peerFrame{"bob", "n2", "red", "again"})
	hears(t, back, peerFrame{"bob", "n2", "red", "again"})

	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 404} {
		resp, err := http.Get("http://" + n1.Unit().Ports["http"].Host + path)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != want {
			t.Errorf("GET %s: %s, want %d", path, resp.Status, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if counts, err := tb.NodeConnections(t.Context()); err != nil || len(counts) != 0 {
		t.Errorf("the nodes count %v (%v), and cannot", counts, err)
	}
}

// subscribers waits until a channel has that many.
func subscribers(t *testing.T, bus *redis.Client, channel string, want int64) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got, err := bus.PubSubNumSub(t.Context(), channel).Result()
		if err != nil {
			t.Fatal(err)
		}
		if got[channel] == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s has %d subscribers, want %d", channel, got[channel], want)
		}
	}
}

func TestNodeChatRefuses(t *testing.T) {
	t.Parallel()
	needPeer(t)
	tb := up(t, testbed.Spec{Bus: testbed.BusNone, Nodes: 1, NodeCmd: []string{"node-chat"}})
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+tb.Targets()[0]+"/elsewhere", nil)
	if err == nil {
		conn.Close()
	}
	if resp == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("/elsewhere gives %v (%v), want 404", resp, err)
	}
	client := join(t, tb.Nodes[0], "room=red&name=ada")
	speak(t, client, "without a bus")
	hears(t, client, peerFrame{"ada", "n1", "red", "without a bus"})
	if err := client.WriteMessage(websocket.BinaryMessage, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseUnsupportedData) {
		t.Errorf("a binary frame gives %v, want close code 1003", err)
	}
}

func TestNodeChatEndsOnSigterm(t *testing.T) {
	t.Parallel()
	needPeer(t)
	tb := up(t, testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, NodeCmd: []string{"node-chat"}})
	client := join(t, tb.Nodes[0], "room=red&name=ada")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- tb.Nodes[0].Stop(ctx) }()
	if _, _, err := client.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the client sees %v, want close code 1001", err)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if e := tb.Nodes[0].Exit(); e == nil || e.Status != "exit status 0" {
		t.Errorf("it ended with %v", e)
	}
	if err := tb.Restart(ctx, "n1"); err != nil {
		t.Fatal(err)
	}
	join(t, tb.Nodes[0], "room=red&name=ada")
}

// A command of the user's starts where the rig does, and finds its files there.
func TestNodeCommandStartsInTheWorkingDirectory(t *testing.T) {
	needPeer(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "chat.js"), nodechat.Server, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	tb := up(t, testbed.Spec{Bus: testbed.BusRedis, Nodes: 1, NodeCmd: []string{"node", "./chat.js"}})
	client := join(t, tb.Nodes[0], "room=red&name=ada")
	speak(t, client, "hello")
	hears(t, client, peerFrame{"ada", "n1", "red", "hello"})
	if name, err := tb.AddNode(t.Context()); err != nil || name != "n2" {
		t.Fatalf("add a node: %q, %v", name, err)
	}
	join(t, tb.Nodes[1], "room=red&name=bob")
}

func TestNodeCommandThatCannotRun(t *testing.T) {
	needPeer(t)
	dir := t.TempDir()
	module, angry := filepath.Join(dir, "module.js"), filepath.Join(dir, "angry.js")
	for path, text := range map[string]string{
		module: `require("no-such-module")`,
		angry:  `require("http").createServer((q, r) => r.writeHead(500).end("no bus")).listen(process.env.PORT, process.env.HOST)`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	says := func(text string) func(error) bool {
		return func(err error) bool { return strings.Contains(err.Error(), text) }
	}
	for why, c := range map[string]struct {
		limit time.Duration
		spec  testbed.Spec
		check func(error) bool
	}{
		"no such program": {patience, testbed.Spec{NodeCmd: []string{"node-chta"}}, func(err error) bool {
			return errors.As(err, new(*testbed.MissingBinaryError)) && says("n1: the program node-chta is not installed; node_cmd takes a program in PATH, a path, or node-chat")(err)
		}},
		"no such module": {patience, testbed.Spec{NodeCmd: []string{"node", module}}, func(err error) bool {
			return errors.As(err, new(*testbed.ExitError)) && says("apt-get install -y --no-install-recommends nodejs node-ws node-redis")(err)
		}},
		"never ready":       {patience / 3, testbed.Spec{NodeCmd: []string{"node", angry}}, says("500 Internal Server Error: no bus")},
		"told to ping":      {patience, testbed.Spec{NodeCmd: []string{"node-chat"}, NodePing: time.Second}, says("pings included")},
		"given our options": {patience, testbed.Spec{NodeCmd: []string{"node-chat"}, NodeArgs: []string{"--x"}}, says("no options of wsrig chatnode")},
	} {
		t.Run(why, func(t *testing.T) {
			c.spec.Bus, c.spec.Nodes = testbed.BusNone, 1
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			failsAndLeavesNothing(t, ctx, c.spec, c.check)
		})
	}
}

func TestModulesAreNeeds(t *testing.T) {
	needPeer(t)
	there := testbed.Need{Binary: "node", Module: "ws", Package: "node-ws"}
	missing := testbed.Need{Binary: "node", Module: "no-such-module", Package: "node-no-such"}
	got := testbed.Missing([]testbed.Need{there, missing, missing})
	if len(got) != 1 || got[0] != missing || testbed.Names(got) != "the module no-such-module of node" {
		t.Errorf("missing: %v", got)
	}
	t.Setenv("PATH", "")
	if got := testbed.Missing([]testbed.Need{there}); len(got) != 1 {
		t.Errorf("without node its modules are missing too; got %v", got)
	}
}
