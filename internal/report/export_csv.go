package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"wsrig/internal/result"
)

// csvHeader are the columns of intervals.csv. An interval is one second, so counts of
// it are rates a second.
var csvHeader = []string{
	"scenario", "cell", "proxy", "trial", "conclusive",
	"start_s",          // since the start of the trial
	"asked_per_s",      // arrivals that were due
	"achieved_per_s",   // arrivals that were sent
	"dropped",          // arrivals that were never sent
	"open",             // clients connected at the end of the second
	"deliveries_per_s", //
	"latency_p50_s",    // delivery latency from the intended time; empty with too few samples
	"latency_p99_s",
}

// writeCSV writes a row for each second of each trial (RFC 4180: a header, CRLF).
// Percentiles of a second with too few samples are empty, as everywhere.
func writeCSV(w io.Writer, run *result.Run) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		for _, t := range c.Trials {
			for j := range t.Intervals {
				iv := &t.Intervals[j]
				p50, p99, err := csvLatency(iv.Latency)
				if err != nil {
					return fmt.Errorf("cell %q: trial %d: intervals[%d]: %w", c.ID, t.Index, j, err)
				}
				row := []string{
					printable(run.Scenario), printable(c.ID), printable(c.Proxy), strconv.Itoa(t.Index), strconv.FormatBool(len(t.Inconclusive) == 0),
					plainFloat(iv.Start), strconv.FormatInt(iv.Intended, 10), strconv.FormatInt(iv.Sent, 10), strconv.FormatInt(iv.Dropped, 10),
					strconv.Itoa(iv.Open), strconv.FormatInt(iv.Deliveries, 10), p50, p99,
				}
				if err := out.Write(row); err != nil {
					return err
				}
			}
		}
	}
	out.Flush()
	return out.Error()
}

// csvLatency are the percentiles of one second in seconds.
func csvLatency(h *result.Histogram) (p50, p99 string, err error) {
	if h == nil {
		return "", "", nil
	}
	hdr, err := h.Decode()
	if err != nil {
		return "", "", err
	}
	scale, err := seconds(h)
	if err != nil {
		return "", "", err
	}
	at := func(stat string, percent float64) string {
		if hdr.TotalCount() < result.MinSamples(stat) {
			return ""
		}
		return plainFloat(float64(hdr.ValueAtQuantile(percent)) * scale)
	}
	return at("p50", 50), at("p99", 99), nil
}

// plainFloat is a number of seconds to the nanosecond, without an exponent, which some
// spreadsheets take for text.
func plainFloat(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 9, 64), "0"), ".")
}
