package loadgen

import (
	"testing"
	"time"

	"wsrig/internal/result"
	"wsrig/internal/wire"
)

// enveloped is a client of a trial, and a message to it from a node's envelope.
func enveloped(t testing.TB) (c *client, frame func(seq uint32, intended, in, out int64) []byte) {
	t.Helper()
	c, _ = receiver(t)
	c.fleet.rec.last.expect(9, 1<<20)
	stamp, buf := make([]byte, 0, 128), make([]byte, 0, 512)
	return c, func(seq uint32, intended, in, out int64) []byte {
		stamp = wire.AppendStamp(stamp[:0], wire.Stamp{Run: 9, Publisher: 2, Node: 2, Seq: seq, Intended: intended})
		return wire.AppendTail(wire.AppendHead(buf, wire.Envelope{Room: "r0", From: "c2", Node: "n2", In: in, Body: string(stamp)}), out)
	}
}

func hopsOf(t *testing.T, c *client) map[string]result.Histogram {
	t.Helper()
	hops, err := c.fleet.rec.hopHistograms()
	if err != nil {
		t.Fatal(err)
	}
	return hops
}

func TestHopsOfAMessageAddUpToItsLatency(t *testing.T) {
	for _, row := range []struct {
		sentence              string
		intended, in, out, at int64
		want                  [hopCount]int64
	}{
		{"each hop takes its time", 1000, 1100, 1350, 2000, [hopCount]int64{100, 250, 650}},
		{"a publisher that was late", 1000, 900_000_000, 900_000_250, 900_000_300, [hopCount]int64{899_999_000, 250, 50}},
		{"a slow last hop", 5, 6, 7, 3_000_000_007, [hopCount]int64{1, 1, 3_000_000_000}},
	} {
		c, frame := enveloped(t)
		c.Text(frame(0, row.intended, row.in, row.out), row.at)
		hops, sum := hopsOf(t, c), int64(0)
		for i, name := range hopMetrics {
			h := hops[name]
			if h.Count != 1 || h.Min != row.want[i] {
				t.Errorf("%s: %s is %d of %d, want %d", row.sentence, name, h.Min, h.Count, row.want[i])
			}
			sum += h.Min
		}
		pairs, err := c.fleet.rec.nodePairs()
		if err != nil || len(pairs) != 1 || pairs[0].Latency.Min != sum || sum != row.at-row.intended {
			t.Errorf("%s: the hops add up to %d, the latency is %+v, %v", row.sentence, sum, pairs, err)
		}
	}
}

func TestHopsAreOnlyThoseOfEnvelopesOnThisClock(t *testing.T) {
	for _, row := range []struct {
		sentence              string
		intended, in, out, at int64
	}{
		{"a node on another host, which started later", 5_000_000, 12, 15, 6_000_000},
		{"and one that started earlier", 5_000_000, 80_000_000, 80_000_100, 6_000_000},
		{"a node that hands out before it has read", 1000, 1300, 1200, 2000},
	} {
		c, frame := enveloped(t)
		c.Text(frame(0, row.intended, row.in, row.out), row.at)
		for name, h := range hopsOf(t, c) {
			if h.Count != 0 {
				t.Errorf("%s: %s was recorded", row.sentence, name)
			}
		}
		if c.fleet.foreign.Load() != 0 || c.receipts[pubKey{9, 2}].next != 1 {
			t.Errorf("%s: the delivery itself was not counted", row.sentence)
		}
	}
	c, frame := receiver(t) // of a server that wraps texts in its own way
	c.Text(frame(0), wire.Now())
	for name, h := range hopsOf(t, c) {
		if h.Count != 0 {
			t.Errorf("%s was recorded of a frame that is no envelope", name)
		}
	}
}

func TestRecordPathOfAnEnvelopeDoesNotAllocate(t *testing.T) {
	c, frame := enveloped(t)
	now := wire.Now()
	frames := make([][]byte, 7000)
	for i := range frames {
		frames[i] = append([]byte(nil), frame(uint32(i), now, now+100_000, now+200_000)...)
	}
	next := 0
	deliver := func() { c.Text(frames[next], now+300_000); next++ }
	for range 4000 {
		deliver()
	}
	// A new piece of the last receivers may be made once, and is averaged away.
	if n := testing.AllocsPerRun(2000, deliver); n != 0 {
		t.Errorf("%v allocations a delivery, want 0", n)
	}
	if got := hopsOf(t, c)["hop.bus"].Count; got != int64(next) {
		t.Errorf("%d hops recorded of %d deliveries", got, next)
	}
}

// BenchmarkEnvelope is all that happens to a node's message once it has been read.
func BenchmarkEnvelope(b *testing.B) {
	c, frame := enveloped(b)
	b.ReportAllocs()
	f := frame(0, 1000, 2000, 3000)
	for b.Loop() {
		c.receipts = nil // a repeated message would be a duplicate
		c.Text(f, int64(time.Millisecond))
	}
}
