package result

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Every histogram of the rig has this shape: values from 1 to 10 minutes in
// nanoseconds, 3 significant digits (an error of at most 0.1 %). Equal shapes
// merge exactly.
const (
	HistMin     = 1
	HistMax     = 600_000_000_000
	HistDigits  = 3
	maxEncoding = 4 << 20
)

// Histogram is a distribution as run.json keeps it.
type Histogram struct {
	Unit  string `json:"unit" jsonschema:"enum=ns,enum=ms"` // of one count of the value: ns or ms
	Count int64  `json:"count"`
	Min   int64  `json:"min"` // exact, as the buckets are not
	Max   int64  `json:"max"`
	HDR   string `json:"hdr"` // HdrHistogram V2, compressed, base64
}

// NewHDR returns an empty histogram of the rig's shape.
func NewHDR() *hdrhistogram.Histogram { return hdrhistogram.New(HistMin, HistMax, HistDigits) }

// Encode packs h for run.json. lo and hi are the exact extremes.
func Encode(h *hdrhistogram.Histogram, unit string, lo, hi int64) (Histogram, error) {
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return Histogram{}, fmt.Errorf("encode histogram: %w", err)
	}
	return Histogram{Unit: unit, Count: h.TotalCount(), Min: lo, Max: hi, HDR: string(b)}, nil
}

// Decode unpacks a histogram. Hostile input gets an error, not a panic.
func (h Histogram) Decode() (out *hdrhistogram.Histogram, err error) {
	if len(h.HDR) > maxEncoding {
		return nil, fmt.Errorf("histogram of %d bytes is larger than any this rig writes", len(h.HDR))
	}
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("histogram is damaged: %v", p)
		}
	}()
	out, err = hdrhistogram.Decode([]byte(h.HDR))
	if err != nil {
		return nil, fmt.Errorf("histogram is damaged: %w", err)
	}
	if out.TotalCount() != h.Count {
		return nil, fmt.Errorf("histogram is damaged: it holds %d values where %d are stated", out.TotalCount(), h.Count)
	}
	return out, nil
}

// MinSamples is how many samples a percentile needs before it is shown: ten in
// the part beyond it.
func MinSamples(stat string) int64 {
	switch stat {
	case "p90":
		return 100
	case "p99":
		return 1_000
	case "p99.9":
		return 10_000
	default:
		return 1
	}
}

// SetDist records the figures of a distribution under name. scale turns one count
// of the histogram into the metric's unit: 1e-9 for nanoseconds to seconds.
// Percentiles with too few samples are left out.
func SetDist(m map[string]Metric, name string, h *hdrhistogram.Histogram, lo, hi int64, scale float64) {
	n := h.TotalCount()
	if n == 0 {
		return
	}
	for _, stat := range Stats {
		if n < MinSamples(stat) {
			continue
		}
		var v float64
		switch stat {
		case "min":
			v = float64(lo)
		case "max":
			v = float64(hi)
		case "mean":
			v = h.Mean()
		case "p50":
			v = float64(h.ValueAtQuantile(50))
		case "p90":
			v = float64(h.ValueAtQuantile(90))
		case "p99":
			v = float64(h.ValueAtQuantile(99))
		case "p99.9":
			v = float64(h.ValueAtQuantile(99.9))
		}
		Set(m, name+"."+stat, v*scale, n)
	}
}
