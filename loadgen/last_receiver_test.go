package loadgen

import (
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestEveryReceiverMovesTheLastOne(t *testing.T) {
	const messages, receivers = 3000, 8
	l := newLastReceivers()
	l.expect(7, messages)
	key := pubKey{7, 1}
	want := make([]int64, messages)
	var latency [receivers][messages]int64
	rng := rand.New(rand.NewPCG(1, 2))
	for r := range latency {
		for i := range latency[r] {
			latency[r][i] = 1 + rng.Int64N(1e9)
			want[i] = max(want[i], latency[r][i])
		}
	}
	var receiving sync.WaitGroup
	for r := range latency {
		receiving.Go(func() {
			last := l.of(key)
			for seq, v := range latency[r] {
				last.received(uint32(seq), v)
			}
		})
	}
	receiving.Wait()
	l.of(key).missed(5)
	want[5] = never
	got := l.receipts()
	if len(got) != 1 || got[0].Phase != 7 || got[0].Publisher != 1 || !slices.Equal(got[0].Latency, want) {
		t.Errorf("the last receivers of %d messages are not the largest of %d each", messages, receivers)
	}
}

func TestOnlyMessagesOfTheScheduleAreKept(t *testing.T) {
	l := newLastReceivers()
	l.expect(7, 200)
	for _, row := range []struct {
		sentence string
		key      pubKey
		seqs     []uint32
		want     int // length of what is kept
	}{
		{"nothing came", pubKey{7, 1}, nil, 0},
		{"the first", pubKey{7, 2}, []uint32{0}, 1},
		{"a gap of a whole piece", pubKey{7, 3}, []uint32{199, 3}, 200},
		{"a number beyond the schedule, as of a frame that lies", pubKey{7, 4}, []uint32{200, 1<<32 - 1}, 0},
		{"another run's message", pubKey{8, 2}, []uint32{0}, -1},
	} {
		for _, seq := range row.seqs {
			l.of(row.key).received(seq, 1000)
		}
		r := l.of(row.key)
		if r == nil {
			if row.want >= 0 {
				t.Errorf("%s: nothing is kept of it", row.sentence)
			}
			continue
		}
		got := r.latencies()
		if len(got) != row.want {
			t.Errorf("%s: %d messages are kept, want %d", row.sentence, len(got), row.want)
		}
		for i, v := range got {
			if came := slices.Contains(row.seqs, uint32(i)); came != (v == 1000) || !came && v != 0 {
				t.Errorf("%s: message %d has %d", row.sentence, i, v)
			}
		}
	}
}

func TestLastReceiverOfSeveralWorkers(t *testing.T) {
	a, b := snapshot(t), snapshot(t)
	a.LastReceipts = []LastReceipts{{1, 4, []int64{100, 200, 300, never, 0}}, {1, 5, []int64{50}}}
	b.LastReceipts = []LastReceipts{{1, 4, []int64{150, 120, never, 400, 0, 600}}}
	s := summarize(t, []Snapshot{a, b}, []PublishResult{{Phase: 1, For: time.Second}}, nil)
	if h := s.Histograms["delivery.last_receiver"]; h.Count != 4 || h.Min != 50 || h.Max != 600 {
		t.Errorf("%d last receivers from %d to %d ns, want 4 messages of 50 to 600", h.Count, h.Min, h.Max)
	}
	if n := s.Metrics["delivery.incomplete"]; n.Value != 2 || n.N != 6 {
		t.Errorf("incomplete is %+v, want 2 of 6 messages", n)
	}
}

// The third message goes out 150 ms late and the fifth not at all.
func TestLastReceiverIsTheLatestOfThoseThatGotIt(t *testing.T) {
	t.Parallel()
	const hold = 150 * time.Millisecond
	r := newRelay(t, &relay{wrong: map[int]handling{2: {hold: hold}, 4: {drop: true}}}, httptest.NewServer)
	f := fleetOf(t, NewPortable(), RelayAll, ConnectSpec{URLs: []string{r.URL}, Clients: 5, Rooms: 1})
	res, _ := publish(t, f, PublishSpec{Phase: 1, Rate: 50, For: 400 * time.Millisecond, Grace: 500 * time.Millisecond})
	s := summarize(t, []Snapshot{finish(t, f)}, []PublishResult{res}, nil)
	last := s.Metrics["delivery.last_receiver.max"]
	if last.N != 19 || last.Value < hold.Seconds() || last.Value != s.Metrics["delivery.latency.max"].Value {
		t.Errorf("last receiver %+v, want 19 messages and the largest latency of all, %v", last, s.Metrics["delivery.latency.max"])
	}
	if n := s.Metrics["delivery.incomplete"]; n.Value != 1 {
		t.Errorf("incomplete is %+v, want the one that was dropped", n)
	}
}
