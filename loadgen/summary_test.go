package loadgen

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"wsrig/internal/result"
	"wsrig/internal/wire"
)

func encoded(t testing.TB, values []int64) result.Histogram {
	t.Helper()
	d := NewDistribution()
	for _, v := range values {
		d.Put(v)
	}
	enc, err := d.Encode("ns")
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

func TestMergedDistributionIsThatOfAllValues(t *testing.T) {
	all, merged := []int64{}, NewDistribution()
	for seed := range uint64(5) {
		part := spread(500*int(seed), seed)
		all = append(all, part...)
		if err := merged.Merge(encoded(t, part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := merged.Merge(result.Histogram{}); err != nil {
		t.Errorf("merging nothing: %v", err)
	}
	got, err := merged.Encode("ns")
	if err != nil {
		t.Fatal(err)
	}
	if want := encoded(t, all); got != want {
		t.Errorf("merged %d values from %d to %d, want %d from %d to %d", got.Count, got.Min, got.Max, want.Count, want.Min, want.Max)
	}
	if err := merged.Merge(result.Histogram{Count: 1, HDR: "damaged"}); err == nil {
		t.Error("a damaged histogram was merged")
	}
}

func TestDistributionWithoutValuesLeavesNoTrace(t *testing.T) {
	m, h := map[string]result.Metric{}, map[string]result.Histogram{}
	if err := NewDistribution().Record(m, h, "idle.silence", "ms"); err != nil || len(m)+len(h) != 0 {
		t.Errorf("%v: %v %v", err, m, h)
	}
	d := NewDistribution()
	d.Put(1500)
	if err := d.Record(m, h, "idle.silence", "ms"); err != nil || m["idle.silence.p50"].Value < 1.49 || m["idle.silence.max"].Value != 1.5 {
		t.Errorf("%v: %v", err, m)
	}
	if _, ok := m["idle.silence.p99"]; ok {
		t.Error("one value has a 99th percentile")
	}
}

// snapshot is one worker's record with nothing in it but what a test adds.
func snapshot(t testing.TB) Snapshot {
	none := encoded(t, nil)
	return Snapshot{Connect: none, Upgrade: none, Lag: none}
}

func summarize(t *testing.T, snapshots []Snapshot, publishes []PublishResult, markAt func(int64) string) *Summary {
	t.Helper()
	s, err := Summarize(snapshots, publishes, markAt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRatesOverStepsAndWorkers(t *testing.T) {
	second := int64(time.Second)
	for _, c := range []struct {
		why             string
		publishes       []PublishResult
		asked, achieved float64
	}{
		{"one step, one worker, all in time", []PublishResult{
			{Phase: 1, For: 5 * time.Second, Begin: 0, Due: 250, Sent: 250, First: 1, Last: 5*second - 20*ms}}, 50, 50},
		{"one step shared by four workers", slices.Repeat([]PublishResult{
			{Phase: 1, For: 5 * time.Second, Begin: second, Due: 250, Sent: 250, First: second, Last: 6*second - 20*ms}}, 4), 200, 200},
		{"two steps of different rates and lengths: what was due over their lengths, and no mean of rates", []PublishResult{
			{Phase: 1, For: 10 * time.Second, Due: 100, Sent: 100, Last: 9 * second},
			{Phase: 2, For: 2 * time.Second, Begin: 20 * second, Due: 2000, Sent: 2000, Last: 22*second - 1}}, 175, 175},
		{"the same by two workers", []PublishResult{
			{Phase: 1, For: 10 * time.Second, Due: 50, Sent: 50, Last: 9 * second},
			{Phase: 1, For: 10 * time.Second, Due: 50, Sent: 50, Last: 9 * second},
			{Phase: 2, For: 2 * time.Second, Begin: 20 * second, Due: 1000, Sent: 1000, Last: 22*second - 1},
			{Phase: 2, For: 2 * time.Second, Begin: 20 * second, Due: 1000, Sent: 1000, Last: 22*second - 1}}, 175, 175},
		{"a fifth was dropped", []PublishResult{
			{Phase: 1, For: 5 * time.Second, Due: 250, Sent: 200, Dropped: 50, First: 1, Last: 4 * second}}, 50, 40},
		{"sending took twice as long as it should", []PublishResult{
			{Phase: 1, For: 5 * time.Second, Begin: second, Due: 250, Sent: 250, First: second, Last: 11 * second}}, 50, 25},
		{"all was sent in the first second, and then nothing could be", []PublishResult{
			{Phase: 1, For: 10 * time.Second, Due: 500, Sent: 50, Dropped: 450, First: 1, Last: second}}, 50, 5},
		{"nothing was sent", []PublishResult{{Phase: 1, For: 5 * time.Second, Begin: second, Due: 250, Dropped: 250}}, 50, 0},
		{"a single message", []PublishResult{{Phase: 1, For: time.Second, Begin: 7, Due: 1, Sent: 1, First: 8, Last: 8}}, 1, 1},
	} {
		s := summarize(t, slices.Repeat([]Snapshot{snapshot(t)}, 2), c.publishes, nil)
		asked, achieved := s.Metrics["rate.asked"].Value, s.Metrics["rate.achieved"].Value
		if math.Abs(asked-c.asked) > 1e-6 || math.Abs(achieved-c.achieved) > 1e-6 {
			t.Errorf("%s: asked %v/s, achieved %v/s; want %v and %v", c.why, asked, achieved, c.asked, c.achieved)
		}
	}
}

func TestLatencyIsMergedOverWorkersAndSplitByNodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func(n int, around int64) (values []int64) {
		for range n {
			values = append(values, around+rng.Int64N(around))
		}
		return values
	}
	// A worker with few slow deliveries and one with many fast ones: the mean of
	// their percentiles is far from the percentile of all.
	same, cross, unknown := draw(5000, 100_000), draw(50, 900_000_000), draw(10, 5_000_000)
	a, b := snapshot(t), snapshot(t)
	a.Pairs = []NodePair{{"n1", "n1", encoded(t, same[:4990])}, {"", "n1", encoded(t, unknown)}}
	b.Pairs = []NodePair{{"n2", "n2", encoded(t, same[4990:])}, {"n1", "n2", encoded(t, cross[:20])}, {"n2", "n1", encoded(t, cross[20:])}}
	s := summarize(t, []Snapshot{a, b}, []PublishResult{{Phase: 1, For: time.Second}}, nil)
	all := slices.Concat(same, cross, unknown)
	for name, values := range map[string][]int64{
		"delivery.latency": all, "delivery.latency_same_node": same, "delivery.latency_cross_node": cross, "delivery.latency n1>n2": cross[:20],
	} {
		if got, want := s.Histograms[name], encoded(t, values); got != want {
			t.Errorf("%s: %d values from %d to %d, want %d from %d to %d", name, got.Count, got.Min, got.Max, want.Count, want.Min, want.Max)
		}
	}
	exact := float64(reference(t, all).ValueAtQuantile(99)) / 1e9
	if got := s.Metrics["delivery.latency.p99"].Value; got != exact {
		t.Errorf("p99 is %v s, of all values it is %v s", got, exact)
	}
	if tax := s.Metrics["delivery.backplane_tax"].Value; tax < 0.8 || tax > 2 {
		t.Errorf("backplane tax %v s", tax)
	}
	if _, ok := s.Histograms["delivery.latency >n1"]; ok {
		t.Error("an unknown node has a pair of its own")
	}
}

func TestLossesAreLaidToTheirMark(t *testing.T) {
	a, b := snapshot(t), snapshot(t)
	a.Ledger = []LedgerBucket{{Start: 0, Owed: 10}, {Start: 50 * ms, Owed: 10, Lost: 3, Late: 1}, {Start: 90 * ms, Owed: 5, Lost: 1}}
	b.Ledger = []LedgerBucket{{Start: 50 * ms, Owed: 10, Lost: 2, Duplicate: 4}, {Start: 60 * ms, Owed: 10, Reordered: 2}}
	markAt := func(at int64) string {
		if at >= 50*ms && at < 70*ms {
			return "kill n1"
		}
		return ""
	}
	s := summarize(t, []Snapshot{a, b}, []PublishResult{{Phase: 1, For: time.Second}}, markAt)
	want := []result.Loss{
		{Mark: "", Lost: 1, Deliveries: 14},
		{Mark: "kill n1", Lost: 5, Duplicate: 4, Reordered: 2, Late: 1, Deliveries: 25},
	}
	if !slices.Equal(s.Losses, want) {
		t.Errorf("losses %+v, want %+v", s.Losses, want)
	}
	for name, want := range map[string]float64{
		"delivery.owed": 45, "delivery.received": 39, "delivery.lost": 6, "delivery.lost_unexplained": 1,
		"delivery.duplicate": 4, "delivery.reordered": 2, "delivery.late": 1, "delivery.reach": 39.0 / 45,
	} {
		if got := s.Metrics[name].Value; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestNothingOwedIsNoData(t *testing.T) {
	s := summarize(t, []Snapshot{snapshot(t)}, []PublishResult{{Phase: 1, For: time.Second, Due: 5, Dropped: 5}}, nil)
	for _, name := range []string{"delivery.lost", "delivery.reach", "delivery.owed", "delivery.latency.p50"} {
		if m, ok := s.Metrics[name]; ok {
			t.Errorf("%s is %v though nothing was owed", name, m.Value)
		}
	}
	if _, err := Summarize(nil, nil, nil); err == nil {
		t.Error("no worker at all gave a summary")
	}
}

func TestIntervalsAddUpTheWorkersSeconds(t *testing.T) {
	a, b := snapshot(t), snapshot(t)
	lat := encoded(t, []int64{1000, 2000})
	a.Intervals = []IntervalCount{{Index: 0, Intended: 5, Sent: 4, Dropped: 1, Deliveries: 2, Latency: &lat}, {Index: 2, Intended: 1}}
	b.Intervals = []IntervalCount{{Index: 0, Intended: 5, Sent: 5, Deliveries: 2, Latency: &lat}}
	a.Open = []OpenSample{{1, 3, map[string]int{"n1": 3}}, {2, 4, map[string]int{"n1": 4}}, {2.4, 2, map[string]int{"n1": 2}}}
	b.Open = []OpenSample{{1, 1, map[string]int{"n2": 1}}, {1.9, 0, map[string]int{"n2": 0}}}
	s := summarize(t, []Snapshot{a, b}, nil, nil)
	if len(s.Intervals) != 3 {
		t.Fatalf("%d intervals: %+v", len(s.Intervals), s.Intervals)
	}
	first := s.Intervals[0]
	if first.Intended != 10 || first.Sent != 9 || first.Dropped != 1 || first.Deliveries != 4 || *first.Latency != encoded(t, []int64{1000, 2000, 1000, 2000}) {
		t.Errorf("the first second: %+v", first)
	}
	for i, want := range []int{4, 4, 2} {
		if got := s.Intervals[i]; got.Open != want || got.Start != float64(i) {
			t.Errorf("second %d from %v has %d open, want %d", i, got.Start, got.Open, want)
		}
	}
	if n1, n2 := s.Intervals[0].ByNode["n1"], s.Intervals[0].ByNode["n2"]; n1 != 3 || n2 != 1 {
		t.Errorf("by node: %v", s.Intervals[0].ByNode)
	}
}

func TestNodesAreNumberedAsAnnounced(t *testing.T) {
	n, err := newNodeTable([]string{"n1", "n2"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint8{"": 0, "n1": 1, "n2": 2} {
		if got := n.index(name); got != want || n.name(int(got)) != name || n.stamped(got) != want {
			t.Errorf("%q has number %d, want %d", name, got, want)
		}
	}
	if i := n.index("n9"); i != 3 || n.name(3) != "n9" || n.stamped(i) != 0 {
		t.Errorf("a node nobody announced: number %d, in a stamp %d", i, n.stamped(i))
	}
	alone, err := newNodeTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	if i := alone.index("a"); i != 1 || alone.stamped(i) != 1 {
		t.Errorf("without announced nodes: number %d, in a stamp %d", i, alone.stamped(i))
	}
	for i := range 2 * maxNodes {
		alone.index(string(rune('A' + i)))
	}
	if got := alone.index("one more"); got != 0 || alone.name(maxNodes) != "" {
		t.Errorf("a node beyond the table has number %d", got)
	}
}

func TestOpenSamplesStandAtTheEndsOfSeconds(t *testing.T) {
	t.Parallel()
	r, _ := newNodeTable([]string{"n1"})
	s := newOpenSampler(wire.Now(), r)
	s.change(1, 1)
	s.change(1, 1)
	time.Sleep(1200 * time.Millisecond)
	s.change(1, -1)
	samples := s.close()
	last := samples[len(samples)-1]
	if len(samples) < 2 || samples[0].At != 1 || samples[0].Open != 2 || last.Open != 1 || last.ByNode["n1"] != 1 || last.At <= 1 {
		t.Errorf("samples %+v", samples)
	}
}
