package loadgen

import (
	"context"
	"errors"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFleetRelaysByMode(t *testing.T) {
	const clients, rooms, messages = 12, 3, 30
	for _, c := range []struct {
		mode       string
		self       bool
		publishers int // one for each room, as the mode sees rooms
		receivers  int64
		names      []string
	}{
		{RelayRoom, false, rooms, clients / rooms, []string{"r0", "r1", "r2"}},
		{RelayAll, false, 1, clients, []string{"r0"}},
		{RelaySelf, true, clients, 1, nil},
	} {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t, &relay{self: c.self}, httptest.NewServer)
			f := fleetOf(t, NewPortable(), c.mode, ConnectSpec{URLs: []string{r.URL}, Clients: clients, Rooms: rooms, Seed: 5})
			res, got := publish(t, f, PublishSpec{Phase: 1, Rate: messages * 2, For: 500 * time.Millisecond})
			if res.Sent != messages || len(res.Logs) != c.publishers {
				t.Errorf("%d messages by %d publishers, want %d by %d", res.Sent, len(res.Logs), messages, c.publishers)
			}
			seen := map[int]bool{}
			for _, l := range res.Logs {
				seen[l.Room] = true
			}
			if len(seen) != len(res.Logs) {
				t.Errorf("%d publishers are of %d rooms, want one of each", len(res.Logs), len(seen))
			}
			if want := messages * c.receivers; got.Owed != want || got.Received != want {
				t.Errorf("owed %d, received %d; want %d", got.Owed, got.Received, want)
			}
			s := finish(t, f)
			if sum := ledgerSum(s); sum.Lost+sum.Duplicate+sum.Reordered != 0 || sum.Owed != got.Owed || s.Foreign != 0 {
				t.Errorf("ledger %+v, foreign %d", sum, s.Foreign)
			}
			if names := slices.Sorted(maps.Keys(r.rooms)); c.names != nil && !slices.Equal(names, c.names) {
				t.Errorf("the server saw the rooms %v, want %v", names, c.names)
			}
		})
	}
}

func TestAnEchoIsNotTakenForADeliveryToOthers(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer) // {room} is the client's own, so all get a constant one
	f := fleetOf(t, NewPortable(), RelaySelf, ConnectSpec{URLs: []string{strings.Replace(r.URL, "{room}", "one", 1)}, Clients: 3})
	_, got := publish(t, f, PublishSpec{Phase: 1, Rate: 60, For: 500 * time.Millisecond})
	s := finish(t, f)
	if got.Received != 30 || ledgerSum(s).Lost != 0 || s.Foreign != 60 {
		t.Errorf("received %d, lost %d, foreign %d; want 30, 0 and 60", got.Received, ledgerSum(s).Lost, s.Foreign)
	}
}

func TestDisconnectCloses(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 5})
	for _, spec := range []DisconnectSpec{{Code: 1005}, {Code: 1006}, {Code: 0}, {Clients: -1, Code: 1000}} {
		if _, err := f.Disconnect(deadline(t), spec, quiet); err == nil {
			t.Errorf("%+v was accepted", spec)
		}
	}
	if res, err := f.Disconnect(deadline(t), DisconnectSpec{Clients: 2, Code: 4001}, quiet); err != nil || res.Closed != 2 {
		t.Errorf("%+v, %v", res, err)
	}
	if n := f.openCount.Load(); n != 3 {
		t.Errorf("%d clients are open, want 3", n)
	}
	if res, err := f.Disconnect(deadline(t), DisconnectSpec{Code: 1001}, quiet); err != nil || res.Closed != 3 {
		t.Errorf("%+v, %v", res, err)
	}
	eventually(t, "the server sees five closes", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.closes) == 5 })
	slices.Sort(r.closes)
	if want := []int{1001, 1001, 1001, 4001, 4001}; !slices.Equal(r.closes, want) {
		t.Errorf("the server saw the codes %v, want %v", r.closes, want)
	}
	for _, c := range finish(t, f).Closes {
		if !c.ByClient || c.Kind != EndCloseFrame {
			t.Errorf("client %s ended as %+v", c.Client, c)
		}
	}
}

func TestFinishNotesSurvivorsAsOpen(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 6, First: 40})
	r.cut("r0", 2)
	eventually(t, "two are gone", func() bool { return f.openCount.Load() == 4 })
	idle, err := f.Idle(deadline(t), IdleSpec{For: 50 * time.Millisecond}, quiet)
	if err != nil || idle.Clients != 4 || idle.Left != 4 || idle.End-idle.Start < 50*ms {
		t.Errorf("idle: %+v, %v", idle, err)
	}
	s := finish(t, f)
	kinds := map[string]int{}
	for _, c := range s.Closes {
		kinds[c.Kind]++
		if c.After <= 0 || c.ReadSilence < 0 || c.WriteSilence < 0 || c.ReadSilence > c.After+1 || !c.Local.IsValid() {
			t.Errorf("%+v", c)
		}
		if c.Kind == EndOpen && (c.ByClient || c.EndedAt != s.End) {
			t.Errorf("a survivor: %+v, want its end at %d", c, s.End)
		}
	}
	if want := map[string]int{EndOpen: 4, EndFIN: 2}; !maps.Equal(kinds, want) {
		t.Errorf("ends %v, want %v", kinds, want)
	}
	if last := s.Open[len(s.Open)-1]; last.Open != 4 || s.Handshakes[outcomeOK] != 6 {
		t.Errorf("the last sample counts %d open of %v", last.Open, s.Handshakes)
	}
	if s.Connect.Count != 6 || s.Upgrade.Count != 6 || s.Lag.Count != 6 {
		t.Errorf("%d connects, %d upgrades, %d lags", s.Connect.Count, s.Upgrade.Count, s.Lag.Count)
	}
}

func TestIdleEndsWithTheLastClient(t *testing.T) {
	t.Parallel()
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 3})
	time.AfterFunc(100*time.Millisecond, func() { r.cut("r0", 3) })
	idle, err := f.Idle(deadline(t), IdleSpec{For: 50 * time.Second, UntilClosed: true}, quiet)
	if err != nil || idle.Clients != 3 || idle.Left != 0 {
		t.Errorf("%+v, %v", idle, err)
	}
}

func TestACancelledCommandEndsAtOnce(t *testing.T) {
	t.Parallel()
	silent := listenRaw(t, func(p *peer) { p.untilGone() })
	r := newRelay(t, &relay{}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: []string{r.URL}, Clients: 3})
	hour := time.Hour
	for name, command := range map[string]func(ctx context.Context) error{
		"connect": func(ctx context.Context) error {
			_, err := f.Connect(ctx, ConnectSpec{URLs: []string{"ws://" + silent}, First: 10, Clients: 500, Total: 500, Rate: 100, Rooms: 1, Timeout: hour}, quiet)
			return err
		},
		"idle": func(ctx context.Context) error {
			_, err := f.Idle(ctx, IdleSpec{For: hour}, quiet)
			return err
		},
		"publish": func(ctx context.Context) error {
			_, err := f.Publish(ctx, PublishSpec{Phase: 1, Rate: 100, For: hour, Size: 128, Grace: hour}, quiet)
			return err
		},
		"await": func(ctx context.Context) error {
			_, err := f.Await(ctx, AwaitSpec{Logs: []PublishLog{{Phase: 8, Sent: slices.Repeat([]int64{f.clients[0].openedAt}, 1000), Room: 0}}, Grace: hour}, quiet)
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		begin := time.Now()
		if err := command(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begin); took > soon {
			t.Errorf("%s took %s to stop", name, took)
		}
		cancel()
	}
}

func TestFleetRefusesWhatCannotBe(t *testing.T) {
	if _, err := NewFleet(NewPortable(), BeginSpec{Relay: "some"}); err == nil || !strings.Contains(err.Error(), "room, all or self") {
		t.Errorf("relay some: %v", err)
	}
	if _, err := NewFleet(NewPortable(), BeginSpec{Nodes: make([]string, maxNodes)}); err == nil {
		t.Error("too many nodes were accepted")
	}
	good := ConnectSpec{URLs: []string{"ws://127.0.0.1:1/"}, Clients: 1, Total: 1, Rate: 1, Rooms: 1, Timeout: time.Second}
	f := fleetOf(t, NewPortable(), RelayRoom, ConnectSpec{URLs: good.URLs})
	for why, spoil := range map[string]func(s *ConnectSpec){
		"more clients than in total": func(s *ConnectSpec) { s.Clients = 2 },
		"an offset beyond the total": func(s *ConnectSpec) { s.Offset = 1 },
		"a negative offset":          func(s *ConnectSpec) { s.Offset = -1 },
		"negative clients":           func(s *ConnectSpec) { s.Clients = -1 },
		"a total of billions":        func(s *ConnectSpec) { s.Total = 1 << 40 },
		"no URL":                     func(s *ConnectSpec) { s.URLs = nil },
		"no rate":                    func(s *ConnectSpec) { s.Rate = 0 },
		"no rooms":                   func(s *ConnectSpec) { s.Rooms = 0 },
		"no timeout":                 func(s *ConnectSpec) { s.Timeout = 0 },
		"pings without an interval":  func(s *ConnectSpec) { s.Keepalive.Kind = KeepaliveClient },
		"authorities that are not":   func(s *ConnectSpec) { s.CAFile = "fleet_test.go" },
	} {
		spec := good
		spoil(&spec)
		if _, err := f.Connect(deadline(t), spec, quiet); err == nil || !strings.HasPrefix(err.Error(), "connect: ") {
			t.Errorf("%s: error %v", why, err)
		}
	}
	publishable := PublishSpec{Phase: 1, Rate: 1, For: time.Millisecond, Size: 128, Grace: time.Second}
	for why, spoil := range map[string]func(s *PublishSpec){
		"a size below the stamp's": func(s *PublishSpec) { s.Size = 10 },
		"negative publishers":      func(s *PublishSpec) { s.Publishers = -1 },
		"no grace":                 func(s *PublishSpec) { s.Grace = 0 },
		"no rate":                  func(s *PublishSpec) { s.Rate = 0 },
		"an unknown schedule":      func(s *PublishSpec) { s.Arrival = "burst" },
	} {
		spec := publishable
		spoil(&spec)
		if _, err := f.Publish(deadline(t), spec, quiet); err == nil || !strings.HasPrefix(err.Error(), "publish: ") {
			t.Errorf("%s: error %v", why, err)
		}
	}
	for i, ok := range []bool{true, false} {
		if _, err := f.Publish(deadline(t), publishable, quiet); (err == nil) != ok {
			t.Errorf("phase 1, time %d: %v", i+1, err)
		}
	}
	if _, err := f.Idle(deadline(t), IdleSpec{Keepalive: &Keepalive{Kind: "x"}}, quiet); err == nil {
		t.Error("an unknown keepalive was accepted")
	}
}
