package loadgen

import (
	"net/http/httptest"
	"testing"
	"time"
)

func TestPublishersAreTakenInTurnFromTheRooms(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 10, Rooms: 4, Seed: 1})
	for _, c := range []struct{ want, chosen, rooms int }{{0, 4, 4}, {2, 2, 2}, {6, 6, 4}, {10, 10, 4}, {99, 10, 4}} {
		chosen, spare := f.choosePublishers(c.want, 0)
		inRoom, seen := map[int]int{}, map[*client]bool{}
		for _, cl := range chosen {
			inRoom[cl.room]++
			seen[cl] = true
		}
		left := 0
		for _, members := range spare {
			left += len(members)
			for _, cl := range members {
				if seen[cl] {
					t.Errorf("%d asked for: client %d is chosen and spare", c.want, cl.id)
				}
			}
		}
		if len(seen) != c.chosen || len(inRoom) != c.rooms || left != 10-c.chosen {
			t.Errorf("%d asked for: %d of %d rooms, %d left; want %d of %d", c.want, len(seen), len(inRoom), left, c.chosen, c.rooms)
		}
	}
}

func TestAPublisherThatIsGoneIsReplacedFromItsRoom(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 8, Rooms: 2, Seed: 3})
	first, _ := f.choosePublishers(0, 0)
	time.AfterFunc(300*time.Millisecond, func() { first[0].conn.Abort() })
	res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 100, For: time.Second, Grace: time.Second})
	inRoom := map[int]int{}
	for _, l := range res.Logs {
		inRoom[l.Room] += len(l.Sent)
	}
	if len(res.Logs) != 3 || res.Sent+res.Dropped != res.Due || res.Dropped > 5 {
		t.Errorf("%d publishers sent %d and dropped %d of %d", len(res.Logs), res.Sent, res.Dropped, res.Due)
	}
	if a, b := inRoom[0], inRoom[1]; a < 40 || b < 40 {
		t.Errorf("the rooms got %d and %d messages: one fell silent", a, b)
	}
	s := finish(t, f)
	asked := 0
	for _, c := range s.Closes {
		if c.ByClient {
			asked++
		}
	}
	// What the first publisher had sent when it was cut off may have been lost.
	if sum := ledgerSum(s); asked != 1 || sum.Duplicate+sum.Reordered != 0 {
		t.Errorf("%d asked ends, ledger %+v", asked, sum)
	}
}

func TestPublishEndsWhenAllConnectionsEnd(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayAll, ConnectSpec{URLs: []string{r.URL}, Clients: 4})
	time.AfterFunc(200*time.Millisecond, func() { r.cut("r0", 4) })
	res, got := publish(t, f, PublishSpec{Phase: 1, Rate: 200, For: time.Second, Grace: 500 * time.Millisecond})
	if res.Due != 200 || res.Sent+res.Dropped != 200 || res.Dropped < 100 {
		t.Errorf("due %d, sent %d, dropped %d", res.Due, res.Sent, res.Dropped)
	}
	s := finish(t, f)
	var intended, dropped int64
	for _, iv := range s.Intervals {
		intended += iv.Intended
		dropped += iv.Dropped
	}
	if intended != res.Due || dropped != res.Dropped || len(s.Saturation) == 0 {
		t.Errorf("intervals count %d intended and %d dropped, saturation %q", intended, dropped, s.Saturation)
	}
	for _, c := range s.Closes {
		if c.Kind != EndFIN && c.Kind != EndRST || c.ByClient { // a reset if the server had not read all
			t.Errorf("ended as %+v", c)
		}
	}
	if got.Owed > 4*res.Sent {
		t.Errorf("owed %d of %d messages to 4", got.Owed, res.Sent)
	}
}

// A connection that takes no bytes: the schedule goes on, the other publishers'
// messages go out, and what could not be sent is counted. The healthy server only
// reads, so that no answer is in the way of what is tested.
func TestAStuckConnectionDoesNotHoldUpTheSchedule(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := listenRaw(t, func(p *peer) {
		_ = p.SetReadBuffer(4096)
		if p.upgrade() {
			<-release
		}
	})
	t.Cleanup(func() { close(release) })
	healthy := listenRaw(t, func(p *peer) {
		if p.upgrade() {
			p.untilGone()
		}
	})
	f := fleetOf(t, NewPortable(), RelaySelf, ConnectSpec{URLs: []string{"ws://" + healthy + "/", "ws://" + addr + "/"}, Clients: 2})
	const rate, length = 60, 3 * time.Second
	begin := time.Now()
	res, err := f.Publish(deadline(t), PublishSpec{Phase: 1, Rate: rate, For: length, Size: 1 << 18, Grace: soon}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	// If each of its turns waited for the stuck connection's write timeout, it would
	// take longer than this by far, and longer than any busy machine.
	turns := int(rate * length.Seconds() / 2)
	if took := time.Since(begin); took > time.Duration(turns)*writeTimeout/3 {
		t.Errorf("publishing for %s took %s", length, took)
	}
	sent := map[uint32]int{}
	for _, l := range res.Logs {
		sent[l.Publisher] = len(l.Sent)
	}
	if res.Sent+res.Dropped != res.Due || res.Dropped == 0 {
		t.Errorf("due %d, sent %d, dropped %d", res.Due, res.Sent, res.Dropped)
	}
	if sent[0] < turns || sent[1] >= turns {
		t.Errorf("the healthy connection sent %d, the stuck one %d, of %d turns each", sent[0], sent[1], turns)
	}
}

func TestAwaitWaitsForWhatIsOwedAndNoLonger(t *testing.T) {
	t.Parallel()
	const grace = time.Second
	for _, c := range []struct {
		why   string
		wrong map[int]handling
		early bool
	}{
		{"all came: it returns at once", nil, true},
		{"one is missing: it waits for the grace", map[int]handling{5: {drop: true}}, false},
	} {
		r := newRelay(t, &relay{wrong: c.wrong}, httptest.NewServer)
		f := fleetOf(t, NewPortable(), RelayAll, ConnectSpec{URLs: []string{r.URL}, Clients: 3})
		res, err := f.Publish(deadline(t), PublishSpec{Phase: 1, Rate: 100, For: 100 * time.Millisecond, Size: 128, Grace: grace}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got, err := f.Await(deadline(t), AwaitSpec{Logs: res.Logs, Grace: grace}, quiet)
		if err != nil || got.Owed != 30 || (got.Received == got.Owed) != c.early {
			t.Errorf("%s: %+v, %v", c.why, got, err)
		}
		if took := time.Since(begin); c.early == (took >= grace) {
			t.Errorf("%s: it took %s", c.why, took)
		}
	}
}
