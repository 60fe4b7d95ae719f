package loadgen

import (
	"cmp"
	"slices"
)

// The ledger knows, for every receiver and publisher, which sequence numbers came,
// so that lost, duplicate and reordered are exact and not guessed from counts. A
// receiver's part is written by that receiver's reader alone and is read after all
// readers have ended: it takes no lock.

// pubKey identifies a publisher within one publish step.
type pubKey struct {
	phase     uint32 // Stamp.Run
	publisher uint32
}

// span is the sequence numbers from lo up to, not including, hi.
type span struct{ lo, hi uint32 }

// track is what one receiver has of one publisher.
type track struct {
	next uint32 // one above the highest sequence seen
	gaps []span // sequences below next that have not come, ascending
	last *lastReceiver
	// stray says that the publisher is of another room: nothing of it is owed, and
	// what comes is counted and not tracked.
	stray bool
}

// arrival tells how one delivery stands to the ones before it.
type arrival uint8

const (
	inOrder   arrival = iota
	reordered         // fills a gap: it came after a later one
	duplicate         // had come before
)

// observe takes sequence number seq into account.
func (t *track) observe(seq uint32) arrival {
	switch {
	case seq == t.next:
		t.next++
		return inOrder
	case seq > t.next:
		t.gaps = append(t.gaps, span{t.next, seq})
		t.next = seq + 1
		return inOrder
	}
	i, found := slices.BinarySearchFunc(t.gaps, seq, func(g span, s uint32) int {
		switch {
		case g.hi <= s:
			return -1
		case g.lo > s:
			return 1
		}
		return 0
	})
	if !found {
		return duplicate
	}
	t.fill(i, seq)
	return reordered
}

// fill takes seq out of the i-th gap.
func (t *track) fill(i int, seq uint32) {
	g := t.gaps[i]
	switch {
	case g.lo == seq && g.hi == seq+1:
		t.gaps = slices.Delete(t.gaps, i, i+1)
	case g.lo == seq:
		t.gaps[i].lo++
	case g.hi == seq+1:
		t.gaps[i].hi--
	default:
		t.gaps[i].hi = seq
		t.gaps = slices.Insert(t.gaps, i+1, span{seq + 1, g.hi})
	}
}

// missing calls each for every sequence number of [lo, hi) that did not come.
func (t *track) missing(lo, hi uint32, each func(seq uint32)) {
	if t == nil { // nothing came at all
		t = &track{}
	}
	for _, g := range t.gaps {
		for s := max(g.lo, lo); s < min(g.hi, hi); s++ {
			each(s)
		}
	}
	for s := max(t.next, lo); s < hi; s++ {
		each(s)
	}
}

// receipts is one receiver's part of the ledger.
type receipts map[pubKey]*track

// observe takes one delivery into account. It allocates for the first message of a
// publisher, and when the order breaks.
func (r receipts) observe(key pubKey, seq uint32) arrival {
	t := r[key]
	if t == nil {
		t = &track{}
		r[key] = t
	}
	return t.observe(seq)
}

// PublishLog is what one publisher sent in one publish step.
type PublishLog struct {
	Phase     uint32  `json:"phase"`
	Publisher uint32  `json:"publisher"`
	Room      int     `json:"room"`
	Node      string  `json:"node"`
	Sent      []int64 `json:"sent"` // wire time of each send, by sequence number, ascending
}

// bucketWidth is how finely losses are placed in time, to tell which mark they
// belong to.
const bucketWidth = 10_000_000 // ns

// LedgerBucket counts what happened to the messages of one 10 ms of a trial: what
// was owed and lost by when it was sent, the rest, of which a receiver knows no
// more, by when it was due.
type LedgerBucket struct {
	Start     int64 `json:"start"` // wire time
	Owed      int64 `json:"owed"`
	Lost      int64 `json:"lost"`
	Duplicate int64 `json:"duplicate"`
	Reordered int64 `json:"reordered"`
	Late      int64 `json:"late"`
	Misrouted int64 `json:"misrouted,omitempty"` // delivered into another room than the publisher's
}

// buckets collects LedgerBuckets by time.
type buckets map[int64]*LedgerBucket

func (b buckets) at(t int64) *LedgerBucket {
	start := t - t%bucketWidth
	e := b[start]
	if e == nil {
		e = &LedgerBucket{Start: start}
		b[start] = e
	}
	return e
}

func (b buckets) sorted() []LedgerBucket {
	all := make([]LedgerBucket, 0, len(b))
	for _, e := range b {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(x, y LedgerBucket) int { return cmp.Compare(x.Start, y.Start) })
	return all
}

// byRoom sorts logs by the room that they were sent to.
func byRoom(logs []PublishLog) map[int][]PublishLog {
	rooms := make(map[int][]PublishLog)
	for _, l := range logs {
		rooms[l.Room] = append(rooms[l.Room], l)
	}
	return rooms
}

// membership is one receiver's time in a room.
type membership struct {
	room     int
	from, to int64 // wire time of the 101 and of the end
	receipts receipts
	last     *lastReceivers // told of what is missing; nil is nobody
}

// owed is the sequence numbers of a log that are owed to the member: those sent
// while it was connected, the moment of the 101 included and that of the end not.
func (m membership) owed(l PublishLog) (lo, hi int) {
	lo, _ = slices.BinarySearch(l.Sent, m.from)
	hi, _ = slices.BinarySearch(l.Sent, m.to)
	return lo, max(lo, hi)
}

// settle compares what was sent to the member's room with what it got.
func (m membership) settle(logs []PublishLog, into buckets) {
	for _, l := range logs {
		lo, hi := m.owed(l)
		var b *LedgerBucket
		for _, t := range l.Sent[lo:hi] {
			if b == nil || t >= b.Start+bucketWidth {
				b = into.at(t)
			}
			b.Owed++
		}
		key := pubKey{l.Phase, l.Publisher}
		m.receipts[key].missing(uint32(lo), uint32(hi), func(seq uint32) {
			into.at(l.Sent[seq]).Lost++
			m.last.of(key).missed(seq)
		})
	}
}
