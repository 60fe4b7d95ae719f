package chatnode

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
)

func TestMessagesCrossNodesAndStayInTheirRoom(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n1, n2 := startNode(t, r.on("n1")), startNode(t, r.on("n2"))
	a, b := n1.join(t, "tea", "a"), n2.join(t, "tea", "b")
	other := n2.join(t, "coffee", "c")

	a.say("hello")
	for _, p := range []peer{a, b} {
		e := p.hear()
		if e.Room != "tea" || e.From != "a" || e.Node != "n1" || e.Body != "hello" {
			t.Errorf("heard %+v", e)
		}
		if e.In <= 0 || e.Out < e.In {
			t.Errorf("in %d, out %d: want out after in", e.In, e.Out)
		}
	}
	other.say("mine")
	if e := other.hear(); e.Body != "mine" {
		t.Errorf("the other room heard %+v first", e)
	}
	if got := n1.metric(t, "chatnode_messages_in_total"); got != 1 {
		t.Errorf("n1 counts %v messages in, want 1", got)
	}
	if got := n2.metric(t, "chatnode_deliveries_total"); got != 2 {
		t.Errorf("n2 counts %v deliveries, want 2", got)
	}
	if got := n2.metric(t, "chatnode_rooms"); got != 2 {
		t.Errorf("n2 counts %v rooms, want 2", got)
	}
}

func TestAllMembersSeeOneOrder(t *testing.T) {
	t.Parallel()
	const speakers, each = 6, 200
	r := startRedis(t)
	roomy := func(c *Config) { c.SendQueue = speakers * each }
	nodes := []*runningNode{startNode(t, r.on("n1", roomy)), startNode(t, r.on("n2", roomy))}
	var peers []peer
	for i := range speakers {
		peers = append(peers, nodes[i%2].join(t, "r", fmt.Sprint("c", i)))
	}
	heard := make([][]string, speakers)
	var wg sync.WaitGroup
	for i, p := range peers {
		wg.Go(func() {
			for seq := range each {
				if err := p.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "%d", seq)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			_ = p.SetReadDeadline(time.Now().Add(patience))
			for range speakers * each {
				_, frame, err := p.ReadMessage()
				if err != nil {
					t.Errorf("c%d after %d messages: %v", i, len(heard[i]), err)
					return
				}
				// All but the time of this node's delivery is the same for all.
				heard[i] = append(heard[i], string(frame[:strings.LastIndex(string(frame), `,"out":`)]))
			}
		})
	}
	wg.Wait()
	for i := range heard {
		if !slices.Equal(heard[0], heard[i]) {
			t.Errorf("c0 and c%d heard different orders", i)
		}
	}
	for i := range speakers {
		next := 0
		for _, h := range heard[0] {
			if strings.Contains(h, fmt.Sprintf(`"from":"c%d"`, i)) {
				if !strings.HasSuffix(h, fmt.Sprintf(`"body":"%d"`, next)) {
					t.Fatalf("c%d: want message %d next, got %s", i, next, h)
				}
				next++
			}
		}
	}
}

func TestNothingIsMissedAfterThe101(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n1, n2 := startNode(t, r.on("n1")), startNode(t, r.on("n2"))
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	// The room has one member at a time, so every handshake subscribes anew and
	// races with the unsubscription after the one before.
	for i := range 300 {
		p := []*runningNode{n1, n2}[i%2].join(t, "door", "p")
		head := fmt.Sprintf(`{"room":"door","from":"x","node":"x","in":1,"body":"%d"`, i)
		if err := client.Publish(context.Background(), "chat:door", head).Err(); err != nil {
			t.Fatal(err)
		}
		if e := p.hear(); e.Body != fmt.Sprint(i) {
			t.Fatalf("round %d: heard %+v", i, e)
		}
		p.Close()
	}
}

func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n1, n2 := startNode(t, r.on("n1")), startNode(t, r.on("n2"))
	a, b := n1.join(t, "r", "a"), n2.join(t, "r", "b")
	a.say("before")
	a.hear()
	b.hear()

	r.kill()
	for _, n := range []*runningNode{n1, n2} {
		n.awaitMetric(t, "chatnode_bus_up", 0)
		if got := n.status(t, "/readyz"); got != http.StatusServiceUnavailable {
			t.Errorf("readyz of %s is %d without Redis, want 503", n.cfg.Name, got)
		}
		if got := n.status(t, "/healthz"); got != http.StatusOK {
			t.Errorf("healthz of %s is %d without Redis, want 200", n.cfg.Name, got)
		}
	}
	_, resp, err := websocket.DefaultDialer.Dial(n1.url("r", "late"), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a handshake without Redis got %v, %v; want 503 with Retry-After", resp, err)
	}
	a.say("into the void")
	n1.awaitMetric(t, "chatnode_publishes_failed_total", 1)

	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*runningNode{n1, n2} {
		eventually(t, "readyz is 200 again", func() bool { return n.status(t, "/readyz") == http.StatusOK })
	}
	// The clients are the same, and in both directions the next message arrives.
	for _, p := range []peer{a, b} {
		p.say("after")
		for _, q := range []peer{a, b} {
			if e := q.hear(); e.Body != "after" {
				t.Errorf("heard %+v", e)
			}
		}
	}
	if got := n1.metric(t, "chatnode_publishes_failed_total"); got != 1 {
		t.Errorf("%v publishes failed, want only the one without Redis", got)
	}
}

func TestFrozenRedisIsLateAndLosesNothing(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := startNode(t, r.on("n1", func(c *Config) { c.JoinWait = 100 * time.Millisecond }))
	p := n.join(t, "r", "p")
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.say("patience")
	_, resp, err := websocket.DefaultDialer.Dial(n.url("elsewhere", "q"), nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a handshake with a frozen Redis got %v, %v; want 503", resp, err)
	}
	if got := n.metric(t, `chatnode_handshakes_total{outcome="join timeout"}`); got != 1 {
		t.Errorf("%v handshakes timed out, want 1", got)
	}
	eventually(t, "the node notices", func() bool { return n.status(t, "/readyz") == http.StatusServiceUnavailable })
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if e := p.hear(); e.Body != "patience" {
		t.Errorf("heard %+v", e)
	}
	eventually(t, "the node is ready again", func() bool { return n.status(t, "/readyz") == http.StatusOK })
	if got := n.metric(t, "chatnode_publishes_failed_total"); got != 0 {
		t.Errorf("%v publishes failed, want 0", got)
	}
}

func TestFullPublishQueueSlowsThePublisherDown(t *testing.T) {
	t.Parallel()
	const messages = 50
	r := startRedis(t)
	n := startNode(t, r.on("n1", func(c *Config) { c.PublishQueue = 1 }))
	p := n.join(t, "r", "p")
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		p.say(fmt.Sprint(i))
	}
	eventually(t, "the publisher waits", func() bool { return n.metric(t, "chatnode_publish_queue_full_total") > 0 })
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if e := p.hear(); e.Body != fmt.Sprint(i) {
			t.Fatalf("want message %d, heard %+v", i, e)
		}
	}
}

func TestForeignMessagesOnTheBusAreNotDelivered(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := startNode(t, r.on("n1"))
	p := n.join(t, "r", "p")
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	for _, junk := range []string{"", "hello", `{"room":"` + "\xff"} {
		if err := client.Publish(context.Background(), "chat:r", junk).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.say("real")
	if e := p.hear(); e.Body != "real" {
		t.Errorf("heard %+v", e)
	}
	if got := n.metric(t, "chatnode_bus_foreign_total"); got != 3 {
		t.Errorf("%v foreign messages counted, want 3", got)
	}
}

func TestRoomsAreUnsubscribedWithTheirLastMember(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := startNode(t, r.on("n1"))
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	channels := func() []string {
		names, err := client.PubSubChannels(context.Background(), "chat:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	a, b := n.join(t, "r", "a"), n.join(t, "r", "b")
	a.Close()
	n.awaitClosed(t, "a")
	if got := channels(); !slices.Equal(got, []string{"chat:r"}) {
		t.Errorf("with one member left, Redis has subscriptions to %q", got)
	}
	b.Close()
	eventually(t, "the channel is unsubscribed", func() bool { return len(channels()) == 0 })
	n.awaitMetric(t, "chatnode_rooms", 0)
}
