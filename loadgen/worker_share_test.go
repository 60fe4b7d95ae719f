package loadgen

import (
	"maps"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// crew is several workers that share the work of one trial.
type crew []Remote

// all does something with every worker at once.
func (c crew) all(act func(i int, r Remote)) {
	var wg sync.WaitGroup
	for i, r := range c {
		wg.Go(func() { act(i, r) })
	}
	wg.Wait()
}

// Sizes of the work that is shared.
const crewClients, crewRooms, crewRate = 16, 4, 80

// work makes a whole trial against a relay.
func (c crew) work(t *testing.T, url string) ([]Snapshot, []PublishResult) {
	n := len(c)
	c.all(func(_ int, r Remote) { ask[struct{}](t, r, CommandBegin, BeginSpec{}) })
	c.all(func(i int, r Remote) {
		ask[ConnectResult](t, r, CommandConnect, ConnectSpec{
			URLs: []string{url}, First: uint32(i * crewClients / n), Clients: crewClients / n, Total: crewClients, Offset: i * crewClients / n,
			Rate: 1000, Rooms: crewRooms, Seed: 9, Timeout: soon,
		})
	})
	c.all(func(_ int, r Remote) { ask[struct{}](t, r, CommandExpect, ExpectSpec{Phase: 1, Grace: soon}) })
	published := make([]PublishResult, n)
	c.all(func(i int, r Remote) {
		published[i] = ask[PublishResult](t, r, CommandPublish, PublishSpec{
			Phase: 1, Rate: crewRate / float64(n), For: time.Second, Size: 128, Publishers: 4 / n, Grace: soon,
		})
	})
	await := AwaitSpec{Grace: soon}
	for _, p := range published {
		await.Logs = append(await.Logs, p.Logs...)
	}
	c.all(func(_ int, r Remote) { ask[AwaitResult](t, r, CommandAwait, await) })
	snapshots := make([]Snapshot, n)
	c.all(func(i int, r Remote) { snapshots[i] = ask[Snapshot](t, r, CommandFinish, struct{}{}) })
	return snapshots, published
}

// The same work by one worker and by four: the same totals, and histograms that
// hold every sample.
func TestWorkersShareTheWork(t *testing.T) {
	totals := map[int]map[string]float64{}
	for _, workers := range []int{1, 4} {
		relay := newRelay(t, &relay{}, httptest.NewServer)
		var c crew
		for range workers {
			r, _ := serveWorker(t)
			c = append(c, r)
		}
		snapshots, published := c.work(t, relay.URL)
		s := summarize(t, snapshots, published, nil)
		got := map[string]float64{"foreign": float64(s.Foreign), "closes": float64(len(s.Closes)), "latencies": float64(s.Histograms["delivery.latency"].Count)}
		for _, name := range []string{
			"handshake.ok", "handshake.failed", "delivery.sent", "delivery.owed", "delivery.lost", "delivery.duplicate", "delivery.reordered", "rate.asked", "rate.dropped",
		} {
			got[name] = s.Metrics[name].Value
		}
		totals[workers] = got
		if want := crewRate * crewClients / crewRooms; got["delivery.owed"] != float64(want) || got["latencies"] != float64(want) || got["delivery.lost"] != 0 {
			t.Errorf("%d workers: %v, want %d owed and none lost", workers, got, want)
		}
		inRoom, names := map[string]int{}, map[string]bool{}
		for _, c := range s.Closes {
			inRoom[c.Room]++
			names[c.Client] = true
		}
		if len(names) != crewClients || !slices.Equal(slices.Sorted(maps.Values(inRoom)), []int{4, 4, 4, 4}) {
			t.Errorf("%d workers: %d clients in rooms %v", workers, len(names), inRoom)
		}
		checkLatencyIsSumOf(t, s, snapshots)
	}
	if !maps.Equal(totals[1], totals[4]) {
		t.Errorf("one worker: %v\nfour: %v", totals[1], totals[4])
	}
}

// checkLatencyIsSumOf compares the summary's latency with the workers', bucket by
// bucket.
func checkLatencyIsSumOf(t *testing.T, s *Summary, snapshots []Snapshot) {
	t.Helper()
	sum := make([]int64, len(reference(t, nil).Export().Counts))
	for _, w := range snapshots {
		for _, p := range w.Pairs {
			h, err := p.Latency.Decode()
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range h.Export().Counts {
				sum[i] += n
			}
		}
	}
	h, err := s.Histograms["delivery.latency"].Decode()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(h.Export().Counts, sum) {
		t.Error("the merged latencies are not the sum of the workers'")
	}
}
