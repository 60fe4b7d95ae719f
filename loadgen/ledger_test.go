package loadgen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTrackTellsHowADeliveryStands(t *testing.T) {
	for _, c := range []struct {
		why     string
		come    []uint32
		want    []arrival
		missing []uint32 // of the first eight
	}{
		{"nothing came", nil, nil, []uint32{0, 1, 2, 3, 4, 5, 6, 7}},
		{"all in order", []uint32{0, 1, 2, 3, 4, 5, 6, 7}, []arrival{0, 0, 0, 0, 0, 0, 0, 0}, nil},
		{"one left out is missing, and what follows is in order", []uint32{0, 1, 3, 4, 5, 6, 7}, []arrival{0, 0, 0, 0, 0, 0, 0}, []uint32{2}},
		{"the last ones left out", []uint32{0, 1, 2}, []arrival{0, 0, 0}, []uint32{3, 4, 5, 6, 7}},
		{"two swapped: the one overtaken is reordered", []uint32{0, 2, 1, 3, 4, 5, 6, 7}, []arrival{0, 0, reordered, 0, 0, 0, 0, 0}, nil},
		{"the last one again", []uint32{0, 1, 1, 2, 3, 4, 5, 6, 7}, []arrival{0, 0, duplicate, 0, 0, 0, 0, 0, 0}, nil},
		{"a gap filled from its start, end and middle, twice",
			[]uint32{7, 0, 6, 3, 3, 1, 5, 6}, []arrival{0, reordered, reordered, reordered, duplicate, reordered, reordered, duplicate}, []uint32{2, 4}},
		{"all backwards", []uint32{3, 2, 1, 0}, []arrival{0, reordered, reordered, reordered}, []uint32{4, 5, 6, 7}},
	} {
		var tr track
		var got []arrival
		for _, seq := range c.come {
			got = append(got, tr.observe(seq))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: arrivals %v, want %v", c.why, got, c.want)
		}
		if m := missingOf(&tr, 0, 8); !slices.Equal(m, c.missing) {
			t.Errorf("%s: missing %v, want %v", c.why, m, c.missing)
		}
	}
}

func missingOf(tr *track, lo, hi uint32) (all []uint32) {
	tr.missing(lo, hi, func(seq uint32) { all = append(all, seq) })
	slices.Sort(all)
	return all
}

// The ledger against a set of all numbers that came, over networks that drop,
// double and delay at random.
func TestTrackAgreesWithASetOnRandomNetworks(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 5))
		come := network(rng, 200)
		var tr track
		seen, highest := map[uint32]bool{}, -1
		for i, seq := range come {
			want := inOrder
			switch {
			case seen[seq]:
				want = duplicate
			case int(seq) < highest:
				want = reordered
			}
			seen[seq], highest = true, max(highest, int(seq))
			if got := tr.observe(seq); got != want {
				t.Fatalf("seed %d: delivery %d, number %d, is %v, want %v (%v)", seed, i, seq, got, want, come[:i+1])
			}
		}
		lo := uint32(rng.IntN(100))
		hi := lo + uint32(rng.IntN(101))
		var want []uint32
		for seq := lo; seq < hi; seq++ {
			if !seen[seq] {
				want = append(want, seq)
			}
		}
		if got := missingOf(&tr, lo, hi); !slices.Equal(got, want) {
			t.Fatalf("seed %d: missing of [%d, %d) are %v, want %v (%v)", seed, lo, hi, got, want, come)
		}
	}
}

// network sends 0 to n-1 through one that drops, doubles and swaps.
func network(rng *rand.Rand, n int) (come []uint32) {
	for seq := range uint32(n) {
		switch rng.IntN(10) {
		case 0: // dropped
		case 1:
			come = append(come, seq, seq)
		default:
			come = append(come, seq)
		}
	}
	for range rng.IntN(20) {
		if len(come) > 1 {
			i, far := rng.IntN(len(come)-1), rng.IntN(30)
			j := min(len(come)-1, i+1+far)
			come[i], come[j] = come[j], come[i]
		}
	}
	return come
}

const ms = 1_000_000 // ns

func TestSettleOwesWhatWasSentWhileConnected(t *testing.T) {
	sent := []int64{10 * ms, 20 * ms, 30 * ms, 40 * ms, 50 * ms}
	all := []uint32{0, 1, 2, 3, 4}
	for _, c := range []struct {
		why        string
		room       int
		from, to   int64
		got        []uint32
		owed, lost []int64 // starts of the buckets that are owed and lost one
	}{
		{"connected all through, all came", 1, 0, 100 * ms, all, sent, nil},
		{"connected all through, nothing came", 1, 0, 100 * ms, nil, sent, sent},
		{"what was sent at the very 101 is owed", 1, 20 * ms, 100 * ms, nil, sent[1:], sent[1:]},
		{"what was sent just before the 101 is not", 1, 20*ms + 1, 100 * ms, nil, sent[2:], sent[2:]},
		{"what was sent at the very end is not owed", 1, 0, 40 * ms, nil, sent[:3], sent[:3]},
		{"what was sent just before the end is", 1, 0, 40*ms + 1, nil, sent[:4], sent[:4]},
		{"what came though it is not owed is no matter", 1, 25 * ms, 35 * ms, all, sent[2:3], nil},
		{"one lost in the middle", 1, 0, 100 * ms, []uint32{0, 1, 3, 4}, sent, sent[2:3]},
		{"another room is owed nothing", 2, 0, 100 * ms, nil, nil, nil},
		{"one that left before it began is owed nothing", 1, 0, 5 * ms, nil, nil, nil},
		{"one that came when all was over is owed nothing", 1, 60 * ms, 100 * ms, nil, nil, nil},
		{"an end before the 101, as of a clock set wrong, owes nothing", 1, 45 * ms, 15 * ms, nil, nil, nil},
	} {
		r := receipts{}
		for _, seq := range c.got {
			r.observe(pubKey{7, 3}, seq)
		}
		logs := byRoom([]PublishLog{{Phase: 7, Publisher: 3, Room: 1, Sent: sent}})
		into := buckets{}
		membership{room: c.room, from: c.from, to: c.to, receipts: r}.settle(logs[c.room], into)
		var owed, lost []int64
		for _, b := range into.sorted() {
			for range b.Owed {
				owed = append(owed, b.Start)
			}
			for range b.Lost {
				lost = append(lost, b.Start)
			}
		}
		if !slices.Equal(owed, c.owed) || !slices.Equal(lost, c.lost) {
			t.Errorf("%s: owed %v, lost %v; want %v and %v", c.why, owed, lost, c.owed, c.lost)
		}
	}
}

func TestSettlePlacesALossInItsTenMilliseconds(t *testing.T) {
	sent := []int64{10*ms - 1, 10 * ms, 15 * ms, 20*ms - 1, 20 * ms}
	into := buckets{}
	r := receipts{}
	r.observe(pubKey{1, 1}, 2)
	membership{from: 0, to: 100 * ms, receipts: r}.settle([]PublishLog{{Phase: 1, Publisher: 1, Sent: sent}}, into)
	want := []LedgerBucket{{Start: 0, Owed: 1, Lost: 1}, {Start: 10 * ms, Owed: 3, Lost: 2}, {Start: 20 * ms, Owed: 1, Lost: 1}}
	if got := into.sorted(); !slices.Equal(got, want) {
		t.Errorf("buckets %+v, want %+v", got, want)
	}
}

// Publishers, steps and receivers at random, against counting every message.
func TestSettleAgreesWithCountingEveryMessage(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 11))
		var logs []PublishLog
		for p := range uint32(6) {
			l := PublishLog{Phase: p % 2, Publisher: p, Room: rng.IntN(2)}
			for at := int64(0); at < 200*ms; at += rng.Int64N(4 * ms) {
				l.Sent = append(l.Sent, at)
			}
			logs = append(logs, l)
		}
		m := membership{room: rng.IntN(2), from: rng.Int64N(100 * ms), receipts: receipts{}}
		m.to = m.from + rng.Int64N(100*ms)
		into, owed, lost := buckets{}, 0, 0
		for _, l := range logs {
			for seq, at := range l.Sent {
				came := rng.IntN(5) > 0
				if came {
					m.receipts.observe(pubKey{l.Phase, l.Publisher}, uint32(seq))
				}
				if l.Room == m.room && at >= m.from && at < m.to {
					owed++
					if !came {
						lost++
					}
				}
			}
		}
		m.settle(byRoom(logs)[m.room], into)
		var sum LedgerBucket
		for _, b := range into {
			sum.Owed += b.Owed
			sum.Lost += b.Lost
		}
		if got, want := fmt.Sprint(sum.Owed, sum.Lost), fmt.Sprint(owed, lost); got != want {
			t.Fatalf("seed %d: owed and lost %s, want %s", seed, got, want)
		}
	}
}
