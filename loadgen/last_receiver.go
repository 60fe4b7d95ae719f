package loadgen

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// lastReceivers keeps, for every message, how long it took until the last of its
// receivers in this process had it. Receivers record into it without a lock; it
// takes 8 to 16 bytes a message.
type lastReceivers struct {
	mu          sync.Mutex
	due         map[uint32]uint32 // by phase: the most messages that one publisher can send
	byPublisher map[pubKey]*lastReceiver
}

func newLastReceivers() *lastReceivers {
	return &lastReceivers{due: map[uint32]uint32{}, byPublisher: map[pubKey]*lastReceiver{}}
}

// expect makes the messages of a phase count. due bounds the sequence numbers that
// are kept, whatever a frame claims.
func (l *lastReceivers) expect(phase uint32, due int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due[phase] = uint32(min(max(due, 0), maxArrivals))
}

// of is the record of one publisher; nil, which records nothing, for a phase whose
// messages do not count.
func (l *lastReceivers) of(key pubKey) *lastReceiver {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.byPublisher[key]
	if due := l.due[key.phase]; r == nil && due > 0 {
		r = &lastReceiver{limit: due}
		l.byPublisher[key] = r
	}
	return r
}

// lastReceiver is the messages of one publisher, by sequence number, in pieces of
// which each is twice as long as the one before: no receiver ever waits for another
// while it grows.
type lastReceiver struct {
	limit  uint32
	pieces [32 - firstPieceBits]atomic.Pointer[[]atomic.Int64]
}

const (
	firstPieceBits = 6
	firstPiece     = 1 << firstPieceBits
)

// never stands for the latency of a message that a receiver missed. It is above
// every other, so that the largest of all receivers is right for it too.
const never = math.MaxInt64

// received records that one more receiver has a message, latency nanoseconds after
// its intended time.
func (r *lastReceiver) received(seq uint32, latency int64) {
	if r != nil && seq < r.limit {
		raise(r.slot(seq), max(latency, 1))
	}
}

// missed records that a receiver did not get a message it was owed.
func (r *lastReceiver) missed(seq uint32) {
	if r != nil && seq < r.limit {
		raise(r.slot(seq), never)
	}
}

// slot is where a message's latency stands; 0 is "no receiver yet".
func (r *lastReceiver) slot(seq uint32) *atomic.Int64 {
	n := uint64(seq) + firstPiece
	k := bits.Len64(n) - bits.Len64(firstPiece)
	piece := r.pieces[k].Load()
	if piece == nil {
		grown := make([]atomic.Int64, firstPiece<<k)
		r.pieces[k].CompareAndSwap(nil, &grown)
		piece = r.pieces[k].Load()
	}
	return &(*piece)[n-firstPiece<<k]
}

// latencies are the slots in order, without the empty ones at the end.
func (r *lastReceiver) latencies() []int64 {
	var all []int64
	for k := range r.pieces {
		piece := r.pieces[k].Load()
		if piece == nil {
			continue
		}
		// A piece that nobody wrote to may lie before this one.
		all = append(all, make([]int64, firstPiece<<k-firstPiece-len(all))...)
		for i := range *piece {
			all = append(all, (*piece)[i].Load())
		}
	}
	for len(all) > 0 && all[len(all)-1] == 0 {
		all = all[:len(all)-1]
	}
	return slices.Clip(all)
}

// LastReceipts is when the last receiver that one worker has of each message of a
// publisher got it.
type LastReceipts struct {
	Phase     uint32 `json:"phase"`
	Publisher uint32 `json:"publisher"`
	// Latency is nanoseconds from the intended time, by sequence number: 0 where no
	// receiver here got the message, math.MaxInt64 where one was owed it in vain.
	Latency []int64 `json:"latency"`
}

func (l *lastReceivers) receipts() []LastReceipts {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []LastReceipts
	for key, r := range l.byPublisher {
		all = append(all, LastReceipts{key.phase, key.publisher, r.latencies()})
	}
	slices.SortFunc(all, func(a, b LastReceipts) int {
		return cmp.Or(cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Publisher, b.Publisher))
	})
	return all
}

// lastReceivers merges the workers' last receipts: the last of all receivers of a
// message is the latest of them. A message that one of them missed has none, and is
// counted apart.
func (s *Summary) lastReceivers() error {
	merged := map[pubKey][]int64{}
	for _, w := range s.snapshots {
		for _, r := range w.LastReceipts {
			key := pubKey{r.Phase, r.Publisher}
			sum := merged[key]
			for len(sum) < len(r.Latency) {
				sum = append(sum, 0)
			}
			for i, v := range r.Latency {
				sum[i] = max(sum[i], v)
			}
			merged[key] = sum
		}
	}
	d, incomplete := NewDistribution(), int64(0)
	for latencies := range maps.Values(merged) {
		for _, v := range latencies {
			switch v {
			case 0:
			case never:
				incomplete++
			default:
				d.Put(v)
			}
		}
	}
	if n := d.Count() + incomplete; n > 0 {
		s.set("delivery.incomplete", float64(incomplete), n)
	}
	return s.record("delivery.last_receiver", d)
}
