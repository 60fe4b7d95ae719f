package loadgen

import (
	"net/http/httptest"
	"testing"
	"time"
)

// The server stands still for a second. In open loop every message that was due
// meanwhile is late; in closed loop one of each publisher is, and the others were
// never sent.
func TestClosedLoopHidesAStallThatOpenLoopShows(t *testing.T) {
	t.Parallel()
	const stall, slow = time.Second, 0.5 // s
	for _, row := range []struct {
		loop        string
		least, most int64 // deliveries later than slow
	}{
		{LoopOpen, 60, 400},
		{LoopClosed, 1, 8},
	} {
		r := newRelay(t, &relay{wrong: map[int]handling{50: {freeze: stall}}}, httptest.NewServer)
		f := fleetOf(t, NewPortable(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 2, Rooms: 1})
		res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 200, For: 2 * time.Second, Loop: row.loop})
		if res.Loop != row.loop || res.Due != 400 || res.Dropped != 0 {
			t.Errorf("%s: %+v", row.loop, res)
		}
		if row.loop == LoopOpen && res.Sent != 400 || row.loop == LoopClosed && (res.Sent < 51 || res.Sent > 300) {
			t.Errorf("%s: %d messages were sent", row.loop, res.Sent)
		}
		s := summarize(t, []Snapshot{finish(t, f)}, []PublishResult{res}, nil)
		if s.ClosedLoop != (row.loop == LoopClosed) {
			t.Errorf("%s: labelled closed: %v", row.loop, s.ClosedLoop)
		}
		enc := s.Histograms["delivery.latency"]
		h, err := enc.Decode()
		if err != nil {
			t.Fatal(err)
		}
		late := int64(0)
		for _, bar := range h.Distribution() {
			if float64(bar.From) > slow*1e9 {
				late += bar.Count
			}
		}
		if late < row.least || late > row.most {
			t.Errorf("%s: %d of %d deliveries took more than %g s, want %d to %d", row.loop, late, enc.Count, slow, row.least, row.most)
		}
		if enc.Max < int64(stall) {
			t.Errorf("%s: the largest latency is %s, the stall was %s", row.loop, time.Duration(enc.Max), stall)
		}
	}
}

func TestClosedLoopGivesUpAMessageThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{wrong: map[int]handling{0: {drop: true}}}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 1})
	res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 20, For: time.Second, Grace: 300 * time.Millisecond, Loop: LoopClosed})
	if res.Sent < 2 || res.Sent > 15 {
		t.Errorf("%d messages were sent in the 700 ms after the first was given up, want about 14", res.Sent)
	}
	if sum := ledgerSum(finish(t, f)); sum.Lost != 1 || sum.Owed != res.Sent {
		t.Errorf("ledger %+v of %d messages", sum, res.Sent)
	}
}

func TestClosedLoopEndsWithItsConnections(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayAll, ConnectSpec{URLs: []string{r.URL}, Clients: 3})
	time.AfterFunc(200*time.Millisecond, func() { r.cut("r0", 3) })
	begin := time.Now()
	res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 100, For: 20 * time.Second, Grace: 500 * time.Millisecond, Loop: LoopClosed})
	if took := time.Since(begin); took > 10*time.Second || res.Sent == 0 {
		t.Errorf("%d messages, and it took %s to notice that nobody is left", res.Sent, took)
	}
	finish(t, f)
}

func TestAnUnknownLoopIsRefused(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 1})
	_, err := f.Publish(deadline(t), PublishSpec{Phase: 1, Rate: 1, For: time.Second, Size: 128, Grace: time.Second, Loop: "half"}, quiet)
	if err == nil || err.Error() != `publish: unknown loop "half"; use open or closed` {
		t.Errorf("error is %v", err)
	}
}
