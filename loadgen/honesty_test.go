package loadgen

import (
	"net/http/httptest"
	"testing"
	"time"
)

// What a server does wrong on purpose is found in the ledger, exactly and under its
// name, and nothing else is.
func TestLedgerReportsExactlyWhatTheServerDidWrong(t *testing.T) {
	const clients, messages, grace = 6, 40, 300 * time.Millisecond
	// What counts as late and how long is waited for are two things here: a busy machine
	// may need long for all of it, and must not be given up on.
	for _, c := range []struct {
		why   string
		wrong map[int]handling
		want  LedgerBucket // for each receiver
	}{
		{"nothing", nil, LedgerBucket{}},
		{"three messages are dropped, the first and the last among them", map[int]handling{0: {drop: true}, 7: {drop: true}, messages - 1: {drop: true}}, LedgerBucket{Lost: 3}},
		{"two are sent twice", map[int]handling{3: {repeat: true}, 20: {repeat: true}}, LedgerBucket{Duplicate: 2}},
		{"one goes out after the next", map[int]handling{5: {swap: true}}, LedgerBucket{Reordered: 1}},
		{"one is held back longer than the grace: late and overtaken, but not lost", map[int]handling{4: {hold: 2 * grace}}, LedgerBucket{Late: 1, Reordered: 1}},
		{"all of it", map[int]handling{2: {drop: true}, 5: {swap: true}, 9: {repeat: true}, 12: {hold: 2 * grace}, 13: {drop: true}},
			LedgerBucket{Lost: 2, Duplicate: 1, Reordered: 2, Late: 1}},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, &relay{wrong: c.wrong}, httptest.NewServer)
			f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: clients})
			if err := f.Expect(ExpectSpec{Phase: 1, Grace: grace, Due: messages}); err != nil {
				t.Fatal(err)
			}
			res, err := f.Publish(deadline(t), PublishSpec{Phase: 1, Rate: messages, For: time.Second, Size: 128, Grace: soon}, quiet)
			if err != nil || res.Sent != messages {
				t.Fatalf("sent %d of %d: %v", res.Sent, messages, err)
			}
			// Whatever is sent twice or in the wrong place is followed by a message that
			// goes out once, so that when all of those have come, so has the rest.
			come := clients * (messages - c.want.Lost)
			eventually(t, "what the server sends has come", func() bool { return f.received() == come })
			if _, err := f.Await(deadline(t), AwaitSpec{Logs: res.Logs, Grace: time.Millisecond}, quiet); err != nil {
				t.Fatal(err)
			}
			got := ledgerSum(finish(t, f))
			if want := c.want; got.Owed != clients*messages || got.Lost != clients*want.Lost || got.Duplicate != clients*want.Duplicate ||
				got.Reordered != clients*want.Reordered || got.Late < clients*want.Late {
				t.Errorf("ledger %+v, want %d times %+v", got, clients, want)
			}
			if c.want.Late == 0 && got.Late > 0 {
				t.Logf("%d deliveries were late: the machine is slow", got.Late)
			}
		})
	}
}

// A server that stands still for a second under open-loop load must show that
// second in the tail: the arrivals of that second keep their intended times, so
// there is no coordinated omission.
func TestAFrozenServerShowsInTheTail(t *testing.T) {
	t.Parallel()
	const rate, length, freeze = 100, 2 * time.Second, time.Second
	r := newRelay(t, &relay{wrong: map[int]handling{50: {freeze: freeze}}}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 5})
	res, got := publish(t, f, PublishSpec{Phase: 1, Rate: rate, For: length})
	if want := int64(rate * length.Seconds()); res.Due != want || res.Sent != want || res.Dropped != 0 {
		t.Errorf("due %d, sent %d, dropped %d: the freeze held the schedule up; want %d, all sent", res.Due, res.Sent, res.Dropped, want)
	}
	if got.Owed != res.Sent*5 || got.Received != got.Owed {
		t.Errorf("received %d of %d owed", got.Received, got.Owed)
	}
	s := finish(t, f)
	sum, err := Summarize([]Snapshot{s}, []PublishResult{res}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, figure := range []string{"delivery.latency.p99", "delivery.latency.max"} {
		if v := sum.Metrics[figure].Value; v < 0.8 {
			t.Errorf("%s is %.3f s after a freeze of %s", figure, v, freeze)
		}
	}
	// Half of the messages were due during the freeze and waited for half of it on
	// average. A closed loop would have seen one slow message.
	h, err := sum.Histograms["delivery.latency"].Decode()
	if err != nil {
		t.Fatal(err)
	}
	if p75 := time.Duration(h.ValueAtQuantile(75)); p75 < 200*time.Millisecond {
		t.Errorf("three quarters of the deliveries took at most %s: arrivals during the freeze were left out", p75)
	}
}
