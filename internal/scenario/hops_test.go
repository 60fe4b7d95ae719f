package scenario

import (
	"bufio"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// needRedis skips a test that is about the real bus where there is none.
func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is missing; install it: CI runs every test")
		}
		t.Skip("redis-server is not installed")
	}
}

// member is a client as closes.ndjson has it.
type member struct {
	Client, Node, Room string
}

func (m member) number(t *testing.T) int {
	n, err := strconv.Atoi(strings.TrimPrefix(m.Client, "c"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// membersByRoom reads who was where, the first of each room first.
func membersByRoom(t *testing.T, dir string) map[string][]member {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "closes.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rooms := map[string][]member{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var m member
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		all := append(rooms[m.Room], m)
		if last := len(all) - 1; all[last].number(t) < all[0].number(t) {
			all[0], all[last] = all[last], all[0]
		}
		rooms[m.Room] = all
	}
	return rooms
}

// TestNodesHopsAndLastReceiversMatchTheRooms publishes over four nodes and counts
// again, from who was in which room on which node, what must have been measured.
func TestNodesHopsAndLastReceiversMatchTheRooms(t *testing.T) {
	needRedis(t)
	r, nothingLeft := newRunner(t)
	r.Bus = ""
	const rooms, inEach, messages = 8, 4, 12 // a room
	plan := planOf(t, `name: test
summary: s
testbed: {nodes: 4}
proxies: [direct]
steps:
  - connect: {clients: 32, rate: 200/s, rooms: 8}
  - publish: {rate: 96/s, for: 1s, grace: 10s}
`)
	run, err := r.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	trial := run.Cells[0].Trials[0]
	var same int64
	pairs := map[string]int64{}
	for room, members := range membersByRoom(t, r.Dir) {
		if len(members) != inEach {
			t.Fatalf("room %s has %d members", room, len(members))
		}
		for _, m := range members { // the first of a room publishes
			pairs[members[0].Node+">"+m.Node] += messages
			if m.Node == members[0].Node {
				same += messages
			}
		}
	}
	const all = rooms * inEach * messages
	for name, want := range map[string]int64{
		"delivery.latency": all, "delivery.latency_same_node": same, "delivery.latency_cross_node": all - same,
		"hop.client_to_node": all, "hop.bus": all, "hop.node_to_client": all, "delivery.last_receiver": rooms * messages,
	} {
		if got := trial.Histograms[name].Count; got != want || want == 0 {
			t.Errorf("%s has %d samples, the rooms make %d", name, got, want)
		}
	}
	for pair, want := range pairs {
		if got := trial.Histograms["delivery.latency "+pair].Count; got != want {
			t.Errorf("%s: %d deliveries, the rooms make %d", pair, got, want)
		}
	}
	m := trial.Metrics
	sum := m["hop.client_to_node.mean"].Value + m["hop.bus.mean"].Value + m["hop.node_to_client.mean"].Value
	if total := m["delivery.latency.mean"].Value; math.Abs(sum-total) > 0.005*total { // the buckets are 0.1 % wide
		t.Errorf("the hops take %g s together and the whole way %g s", sum, total)
	}
	if last := m["delivery.last_receiver.max"].Value; last != m["delivery.latency.max"].Value {
		t.Errorf("the last receiver of all had its message after %g s, the largest latency is %g s", last, m["delivery.latency.max"].Value)
	}
	if n := m["delivery.per_node_core"]; n.Value <= 0 || n.N != all {
		t.Errorf("deliveries per node core: %+v", n)
	}
	if n := m["delivery.rate"]; math.Abs(n.Value-all) > 0.5*all {
		t.Errorf("%g deliveries a second, want about %d", n.Value, all)
	}
	nothingLeft()
}
