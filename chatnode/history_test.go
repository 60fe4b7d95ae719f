package chatnode

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"wsrig/internal/wire"
)

// greet connects a client that asks for a hello, and returns the hello.
func (n *runningNode) greet(t *testing.T, room, name string) (peer, hello) {
	t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(n.url(room, name)+"&hello=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	_, frame, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	h, ok := decode[map[string]hello](t, string(frame))["hello"]
	if !ok {
		t.Fatalf("the first frame is no hello: %s", frame)
	}
	return peer{ws, t}, h
}

func bodies(t *testing.T, history []json.RawMessage) []string {
	t.Helper()
	var all []string
	for _, raw := range history {
		e, ok := wire.ParseEnvelope(raw)
		if !ok {
			t.Fatalf("not an envelope: %s", raw)
		}
		all = append(all, e.Body)
	}
	return all
}

func TestHistoryHasTheLastMessagesOfTheRoomFromAllNodes(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	keep := func(c *Config) { c.History = 3 }
	n1, n2 := startNode(t, r.on("n1", keep)), startNode(t, r.on("n2", keep))
	a, b := n1.join(t, "tea", "a"), n2.join(t, "tea", "b")
	other := n2.join(t, "coffee", "c")
	for i := range 3 { // in turn, so that the order is known
		for _, p := range []peer{a, b} {
			p.say(fmt.Sprint(p == a, i))
			a.hear()
			b.hear()
		}
	}
	other.say("elsewhere")
	other.hear()

	// A node whose room was empty knows it just as well.
	n3 := startNode(t, r.on("n3", keep))
	late, h := n3.greet(t, "tea", "late")
	if got, want := bodies(t, h.History), []string{"false 1", "true 2", "false 2"}; h.Node != "n3" || !slices.Equal(got, want) {
		t.Errorf("hello of %s has %q, want %q, the oldest first", h.Node, got, want)
	}
	a.say("live")
	if e := late.hear(); e.Body != "live" {
		t.Errorf("after the hello came %+v", e)
	}
	if _, h := n3.greet(t, "silence", "x"); h.History == nil || len(h.History) != 0 {
		t.Errorf("history of a room nobody spoke in is %v, want []", h.History)
	}
}

// TestNothingFallsBetweenHistoryAndChannel has clients come while another speaks
// without a pause: what each has from its hello and afterwards has no hole.
func TestNothingFallsBetweenHistoryAndChannel(t *testing.T) {
	t.Parallel()
	const messages = 2000
	r := startRedis(t)
	keep := func(c *Config) { c.History, c.SendQueue = messages, messages }
	n1, n2 := startNode(t, r.on("n1", keep)), startNode(t, r.on("n2", keep))
	speaker := n1.join(t, "r", "speaker")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range messages {
			if err := speaker.WriteMessage(websocket.TextMessage, fmt.Append(nil, i)); err != nil {
				t.Error(err)
				return
			}
			if i%100 == 0 {
				time.Sleep(time.Millisecond) // spread over the handshakes below
			}
		}
	}()
	for i := range 8 {
		p, h := n2.greet(t, "r", fmt.Sprint("c", i))
		seen := map[string]bool{}
		for _, b := range bodies(t, h.History) {
			seen[b] = true
		}
		for last := fmt.Sprint(messages - 1); !seen[last]; {
			seen[p.hear().Body] = true
		}
		if len(seen) != messages {
			t.Errorf("client %d has %d of %d messages", i, len(seen), messages)
		}
	}
	<-done
}

func TestNoHistoryUnlessAskedFor(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := startNode(t, r.on("n1"))
	a := n.join(t, "tea", "a")
	a.say("x")
	a.hear()
	if _, h := n.greet(t, "tea", "b"); h.History != nil {
		t.Errorf("history is %v, want none", h.History)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	if keys, err := client.Keys(context.Background(), "*").Result(); err != nil || len(keys) != 0 {
		t.Errorf("Redis keeps %v, %v; want nothing", keys, err)
	}
}

// TestAHistoryThatCannotBeKeptStopsNoMessage: somebody else's key is in its place.
func TestAHistoryThatCannotBeKeptStopsNoMessage(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	if err := client.Set(context.Background(), historyPrefix+"tea", "no list", 0).Err(); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, r.on("n1", func(c *Config) { c.History = 3 }))
	a := n.join(t, "tea", "a")
	a.say("x")
	if e := a.hear(); e.Body != "x" {
		t.Errorf("heard %+v", e)
	}
	if _, h := n.greet(t, "tea", "b"); h.History != nil || h.Node != "n1" {
		t.Errorf("hello %+v, want one without history", h)
	}
	if got := n.metric(t, "chatnode_publishes_failed_total"); got != 0 {
		t.Errorf("%v publishes failed, want none", got)
	}
}

// TestAMessageThatCouldNotBePublishedCountsOnce, though four commands failed for it.
func TestAMessageThatCouldNotBePublishedCountsOnce(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	n := startNode(t, r.on("n1", func(c *Config) { c.History = 3 }))
	a := n.join(t, "tea", "a")
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	// Redis refuses the transaction, as one that is out of memory does.
	if err := client.ConfigSet(context.Background(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		a.say("x")
	}
	n.awaitMetric(t, "chatnode_publishes_failed_total", 3)
}

func TestHistoryLeavesOutWhatIsNoHeadAndIsBounded(t *testing.T) {
	t.Parallel()
	head := func(body string) string {
		return string(wire.AppendHead(nil, wire.Envelope{Room: "r", From: "a", Node: "n", Body: body}))
	}
	big := strings.Repeat("x", historyBytes/2)
	for _, c := range []struct {
		name  string
		heads []string
		want  []string
	}{
		{"none", nil, nil},
		{"junk between", []string{head("1"), "junk", `{"room":"r"`, `{"room":`, head("2")}, []string{"1", "2"}},
		{"the newest of too much", []string{head("old"), head(big), head(big[:1000])}, []string{"old", big, big[:1000]}},
		{"the oldest gives way", []string{head("old"), head(big), head(big)}, []string{big}},
	} {
		got := envelopes(c.heads)
		if got == nil {
			t.Errorf("%s: nil", c.name)
		}
		var texts []string
		for _, raw := range got {
			if e, ok := wire.ParseEnvelope(raw); ok {
				texts = append(texts, e.Body)
			}
		}
		if !slices.Equal(texts, c.want) {
			t.Errorf("%s: %d messages, want %d", c.name, len(texts), len(c.want))
		}
	}
}
