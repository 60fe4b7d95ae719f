package report

import (
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// millisecond is a millisecond in the log's nanoseconds.
const millisecond = 1_000_000

// writeHistogramLog writes every histogram of every trial as an interval of an
// HdrHistogram log, version 1.3, tagged CELL/TRIAL/METRIC with what a tag may not hold
// as %XX. All values are nanoseconds, as the log's tools take them to be; those kept
// in milliseconds are turned, which adds at most the 0.1 % of another bucket. Times
// are seconds since the start of the run.
func writeHistogramLog(w io.Writer, run *result.Run) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	base := max(0, run.Environment.Started.Unix()) * 1000 // the log's header has whole seconds
	log.SetBaseTime(base)
	for _, write := range []func() error{
		log.OutputLogFormatVersion,
		func() error { return log.OutputComment("[Logged by wsrig: values are nanoseconds]") },
		func() error { return log.OutputStartTime(base) },
		func() error { return log.OutputBaseTime(base) },
		log.OutputLegend,
	} {
		if err := write(); err != nil {
			return err
		}
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		for j := range c.Trials {
			t := &c.Trials[j]
			start := max(base, t.Started.UnixMilli())
			for _, metric := range slices.Sorted(maps.Keys(t.Histograms)) {
				h, err := inNanoseconds(t.Histograms[metric])
				if err != nil {
					return fmt.Errorf("cell %q: trial %d: %s: %w", c.ID, t.Index, metric, err)
				}
				h.SetTag(url.PathEscape(c.ID) + "/" + strconv.Itoa(t.Index) + "/" + url.PathEscape(metric))
				h.SetStartTimeMs(start)
				h.SetEndTimeMs(start + (time.Duration(max(0, t.Duration) * float64(time.Second))).Milliseconds())
				if err := log.OutputIntervalHistogram(h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// inNanoseconds decodes a histogram, and makes one of milliseconds into one of
// nanoseconds.
func inNanoseconds(packed result.Histogram) (*hdrhistogram.Histogram, error) {
	h, err := packed.Decode()
	if err != nil || packed.Unit == "ns" {
		return h, err
	}
	if packed.Unit != "ms" {
		return nil, fmt.Errorf("it counts in %q, which is neither ns nor ms", packed.Unit)
	}
	out := hdrhistogram.New(result.HistMin, result.HistMax*millisecond, result.HistDigits)
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		if err := out.RecordValues(bar.To*millisecond, bar.Count); err != nil {
			return nil, err
		}
	}
	return out, nil
}
