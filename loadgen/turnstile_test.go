package loadgen

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestTurnstileNeverLetsMoreInThanItsLimit(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sentence    string
		limit, most int64
	}{
		{"one at a time", 1, 1},
		{"a few", 3, 3},
		{"no limit", 0, 2000},
	} {
		gate := newTurnstile(int(row.limit))
		var inside, highest atomic.Int64
		var all sync.WaitGroup
		for range 2000 {
			gate.enter()
			all.Go(func() {
				raise(&highest, inside.Add(1))
				inside.Add(-1)
				gate.leave()
			})
		}
		all.Wait()
		if h := highest.Load(); h < 1 || h > row.most {
			t.Errorf("%s: %d were inside at once", row.sentence, h)
		}
	}
}

// All handshakes happen, however few may be under way.
func TestConnectInTurnOpensAllClients(t *testing.T) {
	t.Parallel()
	f, err := NewFleet(NewAuto(), BeginSpec{})
	if err != nil {
		t.Fatal(err)
	}
	addr := listenRaw(t, func(p *peer) {
		if p.upgrade() {
			p.untilGone()
		}
	})
	res, err := f.Connect(deadline(t), ConnectSpec{
		URLs: []string{"ws://" + addr + "/"}, Clients: 50, Total: 50, Rate: 1e6, InFlight: 2, Rooms: 1, Timeout: soon,
	}, quiet)
	if err != nil || res.OK != 50 {
		t.Errorf("%+v, %v", res, err)
	}
	finish(t, f)
}
