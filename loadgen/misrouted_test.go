package loadgen

import (
	"net/http/httptest"
	"testing"
	"time"
)

// A server that sends every message into every room: what the publisher's own room
// gets is in order, and the rest is misrouted and in no other figure.
func TestDeliveriesIntoWrongRoomsAreCountedApart(t *testing.T) {
	t.Parallel()
	const clients, rooms, messages = 12, 3, 30
	r := newRelay(t, &relay{all: true}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: clients, Rooms: rooms, Seed: 5})
	res, got := publish(t, f, PublishSpec{Phase: 1, Rate: messages, For: time.Second})
	const owed = messages * clients / rooms
	if got.Owed != owed || got.Received != owed {
		t.Errorf("received %d of %d owed, want %d", got.Received, got.Owed, owed)
	}
	const astray = messages * (clients - clients/rooms)
	eventually(t, "what goes astray has come", func() bool {
		f.rec.mu.Lock()
		defer f.rec.mu.Unlock()
		var n int64
		for _, b := range f.rec.anomalies {
			n += b.Misrouted
		}
		return n == astray
	})
	s := finish(t, f)
	sum := summarize(t, []Snapshot{s}, []PublishResult{res}, func(int64) string { return "a fault" })
	if m := sum.Metrics["delivery.misrouted"]; m.Value != astray || s.Foreign != 0 {
		t.Errorf("%v misrouted, want %d; %d foreign", m.Value, astray, s.Foreign)
	}
	for name, want := range map[string]float64{
		"delivery.owed": owed, "delivery.received": owed, "delivery.lost": 0, "delivery.duplicate": 0, "delivery.reordered": 0,
	} {
		if got := sum.Metrics[name].Value; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if n := sum.Histograms["delivery.latency"].Count; n != owed {
		t.Errorf("%d latencies, want %d", n, owed)
	}
	if len(sum.Losses) != 1 || sum.Losses[0].Misrouted != astray || sum.Losses[0].Mark != "a fault" {
		t.Errorf("losses %+v", sum.Losses)
	}
}

// The publishers of other workers have rooms too, and those of an earlier connect
// step keep theirs.
func TestRoomsOfAllWorkersAreKnown(t *testing.T) {
	var table roomTable
	if table.strays(3, 1) {
		t.Error("a publisher of no table strays")
	}
	table.add(0, []int{0, 1, 2})
	table.add(10, []int{2, 0})
	table.add(20, []int{0, 0})
	for _, c := range []struct {
		publisher uint32
		room      int
		want      bool
	}{{0, 0, false}, {0, 1, true}, {2, 2, false}, {2, 0, true}, {3, 1, false}, {9, 5, false}, {10, 2, false}, {11, 2, true}, {12, 0, false}, {20, 0, false}, {21, 1, true}, {22, 1, false}, {1 << 31, 7, false}} {
		if got := table.strays(c.publisher, c.room); got != c.want {
			t.Errorf("a message of client %d strays into room %d: %v, want %v", c.publisher, c.room, got, c.want)
		}
	}
}
