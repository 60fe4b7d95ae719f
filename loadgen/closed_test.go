package loadgen

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"wsrig/internal/wire"
)

// closedEngines are those that the closed loop is held to.
var closedEngines = map[string]func() Engine{"auto": NewAuto, "portable": NewPortable}

func TestPublishClosedSendsTheNextWhenItsOwnCameBack(t *testing.T) {
	t.Parallel()
	for name, engine := range closedEngines {
		r := newRelay(t, &relay{}, httptest.NewServer)
		f := fleetOf(t, engine(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 5})
		res := rally(t, f, PublishSpec{Phase: 1, For: 500 * time.Millisecond})
		if res.Loop != LoopClosed || res.Sent < 50 || res.Due != res.Sent || res.Dropped != 0 || len(res.Logs) != 5 {
			t.Errorf("%s: loop %q, sent %d, due %d, dropped %d, %d publishers", name, res.Loop, res.Sent, res.Due, res.Dropped, len(res.Logs))
		}
		s := finish(t, f)
		if sum := ledgerSum(s); sum.Owed != res.Sent || sum.Lost+sum.Duplicate+sum.Reordered+sum.Late != 0 {
			t.Errorf("%s: ledger %+v of %d messages", name, sum, res.Sent)
		}
		if got := summarize(t, []Snapshot{s}, []PublishResult{res}, nil); !got.ClosedLoop {
			t.Errorf("%s: the result is not labelled as of a closed loop", name)
		}
	}
}

// Nobody but the publisher makes it go on: in one room all get every message.
func TestPublishClosedGoesByThePublishersOwnMessages(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewAuto(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 4, Rooms: 1})
	res := rally(t, f, PublishSpec{Phase: 1, For: 300 * time.Millisecond, Publishers: 2})
	if sum := ledgerSum(finish(t, f)); res.Sent < 20 || sum.Owed != 4*res.Sent || sum.Lost+sum.Duplicate+sum.Reordered != 0 {
		t.Errorf("ledger %+v of %d messages to 4 clients", sum, res.Sent)
	}
}

func TestPublishClosedGivesUpAMessageThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{wrong: map[int]handling{3: {drop: true}}}, httptest.NewServer)
	f := fleetOf(t, NewAuto(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 1})
	res := rally(t, f, PublishSpec{Phase: 1, For: 1500 * time.Millisecond, Grace: 200 * time.Millisecond})
	if sum := ledgerSum(finish(t, f)); res.Sent < 10 || sum.Lost != 1 || sum.Owed != res.Sent {
		t.Errorf("ledger %+v of %d messages; the fourth was dropped, and more should follow it", sum, res.Sent)
	}
}

// A message that comes back twice is answered once: else the loop would grow.
func TestPublishClosedAnswersARepeatedMessageOnce(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{wrong: map[int]handling{2: {repeat: true}, 4: {repeat: true}}}, httptest.NewServer)
	f := fleetOf(t, NewAuto(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 1})
	res := rally(t, f, PublishSpec{Phase: 1, For: 300 * time.Millisecond})
	if sum := ledgerSum(finish(t, f)); sum.Duplicate != 2 || sum.Owed != res.Sent || sum.Reordered+sum.Lost != 0 {
		t.Errorf("ledger %+v of %d messages", sum, res.Sent)
	}
}

func TestPublishClosedEndsWithItsConnections(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewAuto(), RelayAll, ConnectSpec{URLs: []string{r.URL}, Clients: 3})
	time.AfterFunc(200*time.Millisecond, func() { r.cut("r0", 3) })
	begin := time.Now()
	res, err := f.PublishClosed(deadline(t), PublishSpec{Phase: 1, For: 20 * time.Second, Size: 128, Grace: 500 * time.Millisecond}, quiet)
	if took := time.Since(begin); err != nil || took > soon || res.Sent == 0 {
		t.Errorf("%d messages, error %v, and it took %s to notice that nobody is left", res.Sent, err, took)
	}
	finish(t, f)
}

func TestPublishClosedRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewAuto(), RelaySelf, ConnectSpec{URLs: []string{r.URL}, Clients: 1})
	for _, row := range []struct {
		sentence string
		spec     PublishSpec
		want     string
	}{
		{"no time", PublishSpec{Phase: 1, Size: 128, Grace: time.Second}, "publish: for 0s; use a length above 0"},
		{"no grace", PublishSpec{Phase: 1, Size: 128, For: time.Second}, "publish: grace 0s; it must be above 0"},
		{"no room for the stamp", PublishSpec{Phase: 1, Size: 1, For: time.Second, Grace: time.Second},
			fmt.Sprintf("publish: size 1; use %d, which the stamp alone takes, to %d bytes", wire.StampSize, messageLimit)},
	} {
		if _, err := f.PublishClosed(deadline(t), row.spec, quiet); err == nil || err.Error() != row.want {
			t.Errorf("%s: error is %v, want %s", row.sentence, err, row.want)
		}
	}
}

// rally publishes in closed loop and waits for the last deliveries.
func rally(t *testing.T, f *Fleet, spec PublishSpec) PublishResult {
	t.Helper()
	spec.Size = 128
	if spec.Grace == 0 {
		spec.Grace = soon
	}
	res, err := f.PublishClosed(deadline(t), spec, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Await(deadline(t), AwaitSpec{Logs: res.Logs, Grace: spec.Grace}, quiet); err != nil {
		t.Fatal(err)
	}
	return res
}
