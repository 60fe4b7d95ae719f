package loadgen

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"

	"wsrig/internal/result"
)

// Distribution is a histogram put together from several, exactly, with the exact
// extremes. It is for one goroutine.
type Distribution struct {
	hdr    *hdrhistogram.Histogram
	lo, hi int64
}

// NewDistribution returns an empty one.
func NewDistribution() *Distribution { return &Distribution{hdr: result.NewHDR(), lo: math.MaxInt64} }

// Count is how many values there are.
func (d *Distribution) Count() int64 { return d.hdr.TotalCount() }

// Median is the 50th percentile, in the unit of the values.
func (d *Distribution) Median() int64 { return d.hdr.ValueAtQuantile(50) }

// Put records one value; values outside the shape's range count at its ends.
func (d *Distribution) Put(v int64) {
	v = min(max(v, result.HistMin), result.HistMax)
	if err := d.hdr.RecordValue(v); err != nil {
		panic("loadgen: a value within the histogram's range does not fit: " + err.Error())
	}
	d.lo, d.hi = min(d.lo, v), max(d.hi, v)
}

// Merge adds a histogram of run.json's or the control API's form.
func (d *Distribution) Merge(h result.Histogram) error {
	if h.Count == 0 {
		return nil
	}
	hdr, err := h.Decode()
	if err != nil {
		return err
	}
	if dropped := d.hdr.Merge(hdr); dropped > 0 {
		return fmt.Errorf("%d values of a histogram do not fit into the rig's shape", dropped)
	}
	d.lo, d.hi = min(d.lo, h.Min), max(d.hi, h.Max)
	return nil
}

// Encode packs the distribution; unit is that of its values.
func (d *Distribution) Encode(unit string) (result.Histogram, error) {
	if d.Count() == 0 {
		return result.Encode(d.hdr, unit, 0, 0)
	}
	return result.Encode(d.hdr, unit, d.lo, d.hi)
}

// inSeconds is the length of one count of a unit.
var inSeconds = map[string]float64{"ns": 1e-9, "ms": 1e-3}

// Record keeps a distribution of ns or ms under a metric's name: its figures, in
// seconds, and itself. An empty one leaves no trace.
func (d *Distribution) Record(metrics map[string]result.Metric, histograms map[string]result.Histogram, name, unit string) error {
	if d.Count() == 0 {
		return nil
	}
	enc, err := d.Encode(unit)
	if err != nil {
		return err
	}
	histograms[name] = enc
	result.SetDist(metrics, name, d.hdr, d.lo, d.hi, inSeconds[unit])
	return nil
}

// Quantile is a percentile, 0 to 100, in the unit of the values.
func (d *Distribution) Quantile(percent float64) int64 { return d.hdr.ValueAtQuantile(percent) }
