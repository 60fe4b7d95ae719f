package result

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ValueUnits tells, per unit of the metric table, what a value compared with such
// a metric looks like in a check.
var ValueUnits = map[string]string{
	"s":      "300ms, 5s or 1m30s",
	"count":  "200",
	"ratio":  "100% or 1.0",
	"bytes":  "512B, 10KB or 4MiB",
	"/s":     "50/s or 12/m",
	"cores":  "0.5",
	"B/conn": "10KiB",
}

// figureUnits maps the unit behind a number to its dimension, in the metric
// table's words ("%" for a percentage), and to how many of that it is.
var figureUnits = map[string]struct {
	dimension string
	factor    float64
}{
	"":    {"", 1},
	"%":   {"%", 0.01},
	"ns":  {"s", 1e-9},
	"us":  {"s", 1e-6},
	"µs":  {"s", 1e-6}, // U+00B5, micro sign
	"μs":  {"s", 1e-6}, // U+03BC, Greek mu
	"ms":  {"s", 1e-3},
	"s":   {"s", 1},
	"m":   {"s", 60},
	"h":   {"s", 3600},
	"B":   {"bytes", 1},
	"KB":  {"bytes", 1e3},
	"MB":  {"bytes", 1e6},
	"GB":  {"bytes", 1e9},
	"KiB": {"bytes", 1 << 10},
	"MiB": {"bytes", 1 << 20},
	"GiB": {"bytes", 1 << 30},
	"/s":  {"/s", 1},
	"/m":  {"/s", 1.0 / 60},
	"/h":  {"/s", 1.0 / 3600},
}

func isUnit(s string) bool {
	_, ok := figureUnits[s]
	return ok && s != ""
}

var figureShape = regexp.MustCompile(`^([+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))(.*)$`)

// parseFigure reads a number with a unit: the value in its dimension's base unit,
// and the dimension.
func parseFigure(word string) (value float64, dimension string, err error) {
	m := figureShape.FindStringSubmatch(word)
	if m == nil {
		return 0, "", fmt.Errorf("%q is no number", word)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, "", fmt.Errorf("%q is out of range", word)
	}
	if u, ok := figureUnits[m[2]]; ok {
		if v = v * u.factor; math.IsInf(v, 0) {
			return 0, "", fmt.Errorf("%q is out of range", word)
		}
		return v, u.dimension, nil
	}
	if d, err := time.ParseDuration(word); err == nil { // such as 1m30s
		return d.Seconds(), "s", nil
	}
	var names []string
	for name := range figureUnits {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return 0, "", fmt.Errorf("%q has the unknown unit %q; use one of %s", word, m[2], strings.Join(names, " "))
}

// inUnit turns a figure into the unit of c's metric, or says why it does not fit.
// Zero fits without a unit, except that zero of another dimension does not.
func inUnit(c *comparison, word string, v float64, dimension string) (float64, error) {
	want := c.unit
	if want == "B/conn" {
		want = "bytes"
	}
	switch {
	case dimension == want,
		dimension == "" && (v == 0 || want == "count" || want == "ratio" || want == "cores"),
		dimension == "%" && want == "ratio":
		return v, nil
	case dimension == "":
		return 0, fmt.Errorf("%s has no unit, and %s is in %s; write a value such as %s", word, c.metric, unitName(c.unit), ValueUnits[c.unit])
	default:
		return 0, fmt.Errorf("%s does not fit %s, which is in %s; write a value such as %s", word, c.metric, unitName(c.unit), ValueUnits[c.unit])
	}
}

// unitName is a unit of the metric table as a word in a sentence.
func unitName(unit string) string {
	switch unit {
	case "s":
		return "seconds"
	case "count":
		return "plain numbers"
	case "ratio":
		return "shares"
	case "/s":
		return "events per second"
	case "B/conn":
		return "bytes per connection"
	default:
		return unit
	}
}

// ParseSize reads a number of bytes: "128", "512B", "10KB" (1000 bytes each) or
// "4KiB" (1024 bytes each). The error says what to write.
func ParseSize(text string) (int64, error) {
	const limit = 1 << 40
	v, dimension, err := parseFigure(text)
	switch {
	case err != nil, dimension != "" && dimension != "bytes":
		return 0, fmt.Errorf("%q is no size; write bytes, as in 128, or 4KiB", text)
	case v < 0 || v > limit:
		return 0, fmt.Errorf("a size of %s is out of range; write 0 to %d bytes", text, int64(limit))
	case v != math.Trunc(v):
		return 0, fmt.Errorf("%q is no whole number of bytes; write %d", text, int64(math.Ceil(v)))
	}
	return int64(v), nil
}
