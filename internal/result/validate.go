package result

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// validate finds what no run can have, so that everything derived from a run may
// rely on it: figures that are numbers, histograms that decode, cells that exist.
// The error names the place.
func (r *Run) validate() error {
	if r.Scenario == "" {
		return errors.New("scenario has no name")
	}
	if !slices.Contains([]string{Pass, Fail, Inconclusive, Error}, r.Verdict.Status) {
		return fmt.Errorf("verdict: status %q is none of pass, fail, inconclusive, error", r.Verdict.Status)
	}
	if a := r.Environment.Alpha; a < 0 || a >= 1 {
		return fmt.Errorf("environment: alpha %g is no level of significance", a)
	}
	cells := map[string]bool{"": true} // a check may be about the run as a whole
	for i := range r.Cells {
		c := &r.Cells[i]
		if len(c.ID) > maxID {
			return fmt.Errorf("cells[%d]: its id has %d bytes; it may have %d", i, len(c.ID), maxID)
		}
		if c.ID == "" || cells[c.ID] {
			return fmt.Errorf("cells[%d]: id %q is empty or used twice", i, c.ID)
		}
		cells[c.ID] = true
		if err := c.validate(); err != nil {
			return fmt.Errorf("cell %q: %w", c.ID, err)
		}
	}
	for i, c := range r.Checks {
		if !cells[c.Cell] {
			return fmt.Errorf("checks[%d]: there is no cell %q", i, c.Cell)
		}
	}
	for i, m := range r.Marks {
		if m.Cell == "" || !cells[m.Cell] {
			return fmt.Errorf("marks[%d]: there is no cell %q", i, m.Cell)
		}
		if !isTime(m.Start, m.End) {
			return fmt.Errorf("marks[%d]: its times are no times of a trial", i)
		}
	}
	return nil
}

func (c *Cell) validate() error {
	if c.Declared != nil && !finite(c.Declared.IdleTimeout) {
		return errors.New("declared idle timeout is not a number")
	}
	for i, f := range c.Config {
		if !isFileName(f.Name) {
			return fmt.Errorf("config[%d]: %q is no plain file name, so a file of that name could land anywhere", i, f.Name)
		}
	}
	if err := validateMetrics(c.Metrics); err != nil {
		return err
	}
	seen := map[int]bool{}
	for i := range c.Trials {
		t := &c.Trials[i]
		if t.Index < 1 || seen[t.Index] {
			return fmt.Errorf("trials[%d]: index %d is below 1 or used twice", i, t.Index)
		}
		seen[t.Index] = true
		if err := t.validate(); err != nil {
			return fmt.Errorf("trial %d: %w", t.Index, err)
		}
	}
	return nil
}

func (t *Trial) validate() error {
	if !isTime(t.Duration) {
		return errors.New("its duration is none of a trial")
	}
	if err := validateMetrics(t.Metrics); err != nil {
		return err
	}
	for name, h := range t.Histograms {
		if err := h.validate(); err != nil {
			return fmt.Errorf("histogram %q: %w", name, err)
		}
	}
	for i, iv := range t.Intervals {
		if !isTime(iv.Start) {
			return fmt.Errorf("intervals[%d]: its start is no time of a trial", i)
		}
		if min(int64(iv.Open), iv.Intended, iv.Sent, iv.Dropped, iv.Deliveries) < 0 {
			return fmt.Errorf("intervals[%d]: a count is negative", i)
		}
		for node, open := range iv.ByNode {
			if open < 0 {
				return fmt.Errorf("intervals[%d]: node %q has %d clients", i, node, open)
			}
		}
		if err := validateOptional(iv.Latency); err != nil {
			return fmt.Errorf("intervals[%d]: latency: %w", i, err)
		}
	}
	for i, g := range t.Closes {
		if g.Count < 0 {
			return fmt.Errorf("closes[%d]: count %d is negative", i, g.Count)
		}
		if err := validateOptional(g.After); err != nil {
			return fmt.Errorf("closes[%d]: after: %w", i, err)
		}
		if err := validateOptional(g.Silent); err != nil {
			return fmt.Errorf("closes[%d]: silent: %w", i, err)
		}
	}
	for i, l := range t.Losses {
		if min(l.Lost, l.Duplicate, l.Reordered, l.Late, l.Deliveries) < 0 {
			return fmt.Errorf("losses[%d]: a count is negative", i)
		}
	}
	for i := range t.Balance {
		if err := t.Balance[i].validate(); err != nil {
			return fmt.Errorf("balance[%d]: %w", i, err)
		}
	}
	for i := range t.Probes {
		if err := t.Probes[i].validate(); err != nil {
			return fmt.Errorf("probes[%d]: %w", i, err)
		}
	}
	for _, u := range t.Usage {
		for i, s := range u.Samples {
			if !isTime(s.At, s.CPU) {
				return fmt.Errorf("usage of %q: samples[%d] has no times of a trial", u.Unit, i)
			}
		}
	}
	return nil
}

func validateMetrics(metrics map[string]Metric) error {
	for name, m := range metrics {
		if !finite(m.Value) {
			return fmt.Errorf("metric %q is not a number", name)
		}
	}
	return nil
}

func validateOptional(h *Histogram) error {
	if h == nil {
		return nil
	}
	return h.validate()
}

func (h Histogram) validate() error {
	if h.Unit != "ns" && h.Unit != "ms" {
		return fmt.Errorf("histogram counts in %q, which is neither ns nor ms", h.Unit)
	}
	if h.Count > 0 && h.Min > h.Max {
		return fmt.Errorf("histogram has the least value %d above the greatest, %d", h.Min, h.Max)
	}
	if err := h.checkShape(); err != nil {
		return err
	}
	_, err := h.Decode()
	return err
}

// checkShape looks at the header of an encoded histogram before it is decoded. The
// decoder allocates what the header asks for, up to 50 MB for a wide range, so a
// small hostile file could otherwise ask for any amount of memory. The layout is
// that of the HdrHistogram V2 format: cookie and length, then deflated cookie,
// payload length, offset, digits (4 bytes each), lowest and highest value (8 each).
func (h Histogram) checkShape() error {
	text := []byte(h.HDR)
	if len(text) > maxEncoding {
		return fmt.Errorf("histogram of %d bytes is larger than any this rig writes", len(text))
	}
	raw := base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text))
	var outer [8]byte
	if _, err := io.ReadFull(raw, outer[:]); err != nil {
		return fmt.Errorf("histogram is damaged: %w", err)
	}
	inflated, err := zlib.NewReader(raw)
	if err != nil {
		return fmt.Errorf("histogram is damaged: %w", err)
	}
	defer inflated.Close()
	var head [32]byte
	if _, err := io.ReadFull(inflated, head[:]); err != nil {
		return fmt.Errorf("histogram is damaged: %w", err)
	}
	digits := int32(binary.BigEndian.Uint32(head[12:]))
	lo, hi := int64(binary.BigEndian.Uint64(head[16:])), int64(binary.BigEndian.Uint64(head[24:]))
	if digits != HistDigits || lo != HistMin || hi != HistMax {
		return fmt.Errorf("histogram holds %d to %d in %d digits; this rig writes %d to %d in %d",
			lo, hi, digits, HistMin, int64(HistMax), HistDigits)
	}
	return nil
}

// Merge adds the values of all hs up exactly. Nil ones count as empty; without any
// other it returns nil. Histograms of different units are an error.
func Merge(hs ...*Histogram) (*hdrhistogram.Histogram, error) {
	var sum *hdrhistogram.Histogram
	unit := ""
	for _, h := range hs {
		if h == nil {
			continue
		}
		if sum != nil && h.Unit != unit {
			return nil, fmt.Errorf("merge histograms: one counts in %q, another in %q", unit, h.Unit)
		}
		unit = h.Unit
		one, err := h.Decode()
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = NewHDR()
		}
		if dropped := sum.Merge(one); dropped > 0 {
			return nil, fmt.Errorf("merge histograms: %d values are out of range", dropped)
		}
	}
	return sum, nil
}

// maxTime is 30 years in seconds. Beyond it a time is a mistake, and no axis shows it.
const maxTime = 1e9

// maxID is the longest id of a cell, in bytes: file formats and services that figures
// are exported to take names of about a thousand.
const maxID = 1000

// isFileName tells whether name is that of a file right in a folder: what no path
// base can be is refused, and nothing else, since people name their files as they like.
func isFileName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

func isTime(values ...float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return !(math.Abs(v) <= maxTime) })
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
